"""The origin of a policy: every revision, machine and version that had a part in it."""

from __future__ import annotations

from skill_training.run.session.record import Facts, origin, sessions


def _session(begins: int, revision: str = "a", machine: str = "M", **others: object) -> Facts:
    versions = {"torch": others.pop("torch", "2.0")}
    part: Facts = {"from_env_steps": begins, "code_revision": revision, "machine": machine}
    return {**part, "matmul": "float32", "versions": versions, **others}


def test_one_session_is_the_origin() -> None:
    made = origin({"sessions": [_session(0)]})
    assert (made.code_revision, made.machine, made.versions) == ("a", "M", {"torch": "2.0"})


def test_sessions_are_listed_in_order_and_once() -> None:
    listed = [
        _session(0),
        _session(100, "b", "N", torch="2.1"),
        _session(200, "a", "M"),
    ]
    made = origin({"sessions": listed})
    assert made.code_revision == "a, then b"
    assert made.machine == "M, then N"
    assert made.versions == {"torch": "2.0, then 2.1"}


def test_a_session_whose_steps_were_lost_has_no_part() -> None:
    killed_before_its_first_checkpoint = _session(100, "lost", "lost")
    listed = [_session(0), killed_before_its_first_checkpoint, _session(100, "b")]
    assert origin({"sessions": listed}).code_revision == "a, then b"


def test_precisions_are_named_if_they_differ() -> None:
    listed = [_session(0, matmul="bfloat16"), _session(100, machine="N")]
    made = origin({"sessions": listed})
    assert made.machine == "M (bfloat16 products), then N (float32 products)"


def test_a_session_of_an_older_release_has_no_precision() -> None:
    older = {"from_env_steps": 0, "code_revision": "a", "machine": "M", "versions": {}}
    listed = [older, _session(100, machine="N"), _session(200, machine="O", matmul="bfloat16")]
    assert origin({"sessions": listed[:2]}).machine == "M, then N"
    precise = "M, then N (float32 products), then O (bfloat16 products)"
    assert origin({"sessions": listed}).machine == precise


def test_another_program_that_exports_the_policy_has_a_part() -> None:
    facts = {"sessions": [_session(0, machine="M, NVIDIA")]}
    same = origin(facts, {"code_revision": "a", "machine": "M", "versions": {"torch": "2.0"}})
    assert same == origin(facts)
    other = {"code_revision": "b", "machine": "N", "versions": {"torch": "2.0", "onnx": "1.9"}}
    made = origin(facts, other)
    assert made.code_revision == "a, then b"
    assert made.machine == "M, NVIDIA, then exported on N"
    assert made.versions == {"torch": "2.0", "onnx": "1.9"}


def test_the_file_of_an_older_release_has_one_session() -> None:
    facts = {"code_revision": "a", "machine": "M", "versions": {}}
    assert [each["from_env_steps"] for each in sessions(facts)] == [0]
    assert origin(facts).code_revision == "a"
