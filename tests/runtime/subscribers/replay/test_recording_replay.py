"""Replays of recordings with several servers, and of policy files with another manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.runtime.subscribers.replay.test_policy_replay import changed, pushes
from tests.runtime.subscribers.written import of_server, welcome_of, write
from tests.support.policy_files import push_graph, push_manifest, write_policy_file

from skill_runtime.policy import PolicyFileError
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.replay.policy_replay import ReplayError
from skill_runtime.subscribers.replay.recording_replay import RecordingReplay
from skill_runtime.subscribers.replay.result import ReplayResult


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    """A policy that pushes faster."""
    graph = push_graph()
    changed(graph, "push", lambda values: values.fill(0.7))
    return write_policy_file(tmp_path, filename="other.onnx", model=graph)


def replay(path: Path, model: Path | None = None, *models: Path) -> tuple[ReplayResult, list[str]]:
    said: list[str] = []
    folders = [each.parent for each in models]
    result = RecordingReplay(Recording([path]), model, say=said.append, folders=folders).run()
    return result, said


def test_the_steps_of_each_server_are_repeated_with_its_policy(
    policy_file: Path, other_file: Path, tmp_path: Path
) -> None:
    """The third server has the first policy again; its description comes late."""
    first, second = pushes(policy_file), of_server("b", pushes(other_file))
    third = of_server("c", first)
    servers = [
        *[welcome_of(policy_file), *first],
        *[welcome_of(other_file, "b"), *second],
        *[*third, welcome_of(policy_file, "c")],
    ]
    path = write(tmp_path / "run.mcap", servers)
    result, said = replay(path, None, policy_file, other_file)
    assert (result.replayed, result.different, result.resets, result.lost) == (30, 0, 3, 0)
    assert said == []
    result, said = replay(path, policy_file)
    assert (result.replayed, result.different) == (30, 4)
    assert said == [f"{policy_file} is not the recorded policy file other.onnx"]


def test_a_server_without_a_description_needs_a_policy_file(
    policy_file: Path, tmp_path: Path
) -> None:
    steps = pushes(policy_file)
    path = write(tmp_path / "run.mcap", [welcome_of(policy_file, "b"), *steps])
    with pytest.raises(ReplayError, match=r"does not describe the server of policy step 1 at"):
        replay(path, None, policy_file)
    result, said = replay(path, policy_file)
    assert (result.replayed, result.different, said) == (10, 0, [])


def test_another_manifest_beside_the_same_file_is_named(tmp_path: Path) -> None:
    model = write_policy_file(tmp_path, beside=True)
    path = write(tmp_path / "run.mcap", [welcome_of(model), *pushes(model)])
    assert replay(path, None, model)[1] == []
    fields = json.loads(push_manifest().to_json()) | {"description": "Another text."}
    model.with_suffix(".manifest.json").write_text(json.dumps(fields))
    for given in (None, model):
        result, said = replay(path, given, model)
        assert (result.replayed, result.different) == (10, 0)
        assert said == [
            f"{model} is the recorded policy file, but its manifest differs in description"
        ]


def test_a_policy_file_that_does_not_exist_is_named(policy_file: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", [welcome_of(policy_file), *pushes(policy_file)])
    with pytest.raises(PolicyFileError, match=r"typo\.onnx"):
        replay(path, tmp_path / "typo.onnx")
