"""Requests and replies of the policy service, over a real socket and in the test's own time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from tests.runtime.policy_service.gateway_end import Received, act_frames, stepped

from skill_proto.messages import Act, Acted, Error
from skill_runtime.policy_service import requests
from skill_runtime.policy_service.config import MAX_ROWS
from skill_runtime.policy_service.inference.stepper import Spans
from skill_runtime.policy_service.service import REQUESTS_PER_STEP
from skill_runtime.policy_service.sessions import EVICTABLE_AFTER_S

PolicyFileFactory = Callable[..., Path]

MODELS = Path(__file__).parents[3] / "models"
IDLE_S = EVICTABLE_AFTER_S + 0.1
EAST = np.array([[1, 0]], np.float32)


@pytest.fixture
def memory_file(make_policy_file: PolicyFileFactory, tmp_path: Path) -> Path:
    """A policy whose context is ``memory / 2 + cube xy``."""
    return make_policy_file(tmp_path, recurrent=True)


def inputs(value: float, rows: int = 1) -> dict[str, Any]:
    """Returns arrays whose observations are ``value`` throughout, the cube's xy included."""
    return {
        "observation": np.full((rows, 28), value, np.float32),
        "skill": np.tile(EAST, (rows, 1)),
    }


def steps(received: Received) -> int:
    assert isinstance(received.reply, Acted), received.reply
    return received.reply.steps


def error(received: Received) -> Error:
    assert isinstance(received.reply, Error)
    return received.reply


def context(received: Received) -> float:
    return float(received.arrays["context"][0, 0])


# Sessions -------------------------------------------------------------------------------------


def test_every_reply_says_how_old_the_memory_is(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        replies = [rig.ask(message_id=turn, episode=0, **inputs(4)) for turn in range(3)]
        replies += [rig.ask(episode=1, **inputs(4)) for _ in range(2)]
    assert [steps(reply) for reply in replies] == [1, 2, 3, 1, 2]
    np.testing.assert_allclose([context(reply) for reply in replies], [4, 6, 7, 4, 6])
    assert [reply.reply.id for reply in replies] == [0, 1, 2, 0, 0]


def test_sessions_of_two_connections_with_one_name_are_two(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        for turn in range(1, 4):
            mine = rig.ask("robot", sender=b"A", **inputs(4))
            other = rig.ask("robot", sender=b"B", **inputs(-8))
            assert steps(mine) == steps(other) == turn
            assert context(other) == -2 * context(mine)


def test_an_episode_number_joins_connections_and_the_age_shows_it(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        ages = [
            steps(rig.ask("robot", sender=name, episode=0, **inputs(4))) for name in (b"A", b"B")
        ]
    assert ages == [1, 2]


def test_sessions_that_need_more_rows_than_there_are_do_not_evict_one_another(
    memory_file: Path,
) -> None:
    rows = MAX_ROWS // 2 + 1
    with stepped(memory_file) as rig:
        for turn in range(1, 31):
            rig.clock.time_s += 1.0
            assert steps(rig.ask("first", sender=b"A", **inputs(4, rows))) == turn
            refused = error(rig.ask("second", sender=b"B", **inputs(4, rows)))
            assert refused.code == "busy"
            assert f"{rows} of {MAX_ROWS} are in use by 1 session" in refused.message
            assert f"{EVICTABLE_AFTER_S:g} s" in refused.fix


def test_an_evicted_session_is_refused_once_and_then_starts_anew(memory_file: Path) -> None:
    with stepped(memory_file, slots=4) as rig:
        rig.ask("idle", sender=b"A", **inputs(4, 3))
        rig.clock.time_s += IDLE_S
        assert steps(rig.ask("next", sender=b"B", **inputs(4, 4))) == 1
        lost = error(rig.ask("idle", sender=b"A", message_id=7, **inputs(4, 3)))
        assert (lost.code, lost.id) == ("session_lost", 7)
        assert "start a new episode" in lost.fix
        rig.clock.time_s += IDLE_S
        again = rig.ask("idle", sender=b"A", **inputs(4, 3))
    assert steps(again) == 1
    assert context(again) == 4


def test_a_request_that_was_refused_before_its_session_was_found_keeps_the_notice(
    memory_file: Path,
) -> None:
    with stepped(memory_file, slots=2) as rig:
        rig.ask("idle", sender=b"A", **inputs(4, 2))
        rig.clock.time_s += IDLE_S
        rig.ask("next", sender=b"B", **inputs(4, 1))
        wrong = {"observation": np.zeros((1, 27)), "skill": EAST}
        assert error(rig.ask("idle", sender=b"A", **wrong)).code == "invalid"
        assert error(rig.ask("idle", sender=b"A", **inputs(4))).code == "session_lost"


# One inference for several requests -----------------------------------------------------------


def test_every_request_gets_a_reply_and_each_senders_order_is_kept(memory_file: Path) -> None:
    names = [b"a", b"b", b"c"]
    expected = dict.fromkeys(names, 0.0)
    with stepped(memory_file) as rig:
        for turn in range(1, 16):
            for name in names:
                rig.send("robot", sender=name, message_id=turn, **inputs(turn))
        replies = rig.receive_all(45)
    for received in replies:
        expected[received.sender] = expected[received.sender] / 2 + received.reply.id
        assert context(received) == pytest.approx(expected[received.sender], rel=1e-5)
    assert [r.reply.id for r in replies if r.sender == b"a"] == list(range(1, 16))


def test_a_refusal_does_not_overtake_replies_to_the_same_client(memory_file: Path) -> None:
    wrong = {"observation": np.zeros((1, 27)), "skill": EAST}
    with stepped(memory_file) as rig:
        for number in range(0, 12, 4):
            rig.send("a", sender=b"A", message_id=number, **inputs(4))
            rig.send("b", sender=b"A", message_id=number + 1, **inputs(4))
            rig.send("c", sender=b"A", message_id=number + 2, **wrong)
            rig.send("a", sender=b"A", message_id=number + 3, **inputs(4, 2))
        replies = rig.receive_all(12)
    assert [received.reply.id for received in replies] == list(range(12))
    assert [received.code for received in replies[:4]] == ["", "", "invalid", "invalid"]


def test_waiting_requests_share_one_inference(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        for number in range(8):
            rig.send(f"s{number}", sender=b"A", message_id=number, **inputs(number))
        times = {r.reply.inference_s for r in rig.receive_all(8) if isinstance(r.reply, Acted)}
    assert len(times) == 1


def test_skills_goals_and_episodes_that_wait_together(memory_file: Path) -> None:
    goal = {"observation": np.zeros((1, 28)), "goal": np.array([[0.1, 0.0]])}
    with stepped(memory_file) as rig:
        for number in range(10):
            arrays: dict[str, Any] = goal if number % 2 else inputs(4)
            rig.send(f"s{number}", message_id=number, **arrays)
        for episode in (0, 0, 1, 1, 2):
            rig.send("e", sender=b"B", episode=episode, **inputs(4))
        replies = rig.receive_all(15)
    assert sorted(r.reply.id for r in replies if r.sender == b"A") == list(range(10))
    episodes = [r for r in replies if r.sender == b"B"]
    assert [steps(r) for r in episodes] == [1, 2, 1, 2, 1]
    np.testing.assert_allclose([context(r) for r in episodes], [4, 6, 4, 6, 4])


def test_a_previous_action_counts_for_the_request_that_has_one() -> None:
    plain = {"observation": np.zeros((1, 28)), "goal": np.array([[0.1, 0.0]])}
    given = plain | {"previous_action": np.array([[0.9, -0.9, 0.9]])}
    with stepped(MODELS / "goal_panda.onnx") as rig:
        expected = rig.ask("alone", **given).arrays["context"]
        rig.send("first", **plain)
        rig.send("second", **given)
        first, second = (received.arrays["context"] for received in rig.receive_all(2))
    np.testing.assert_allclose(second, expected, atol=1e-5)
    assert not np.allclose(first, expected, atol=1e-3)


def test_the_service_beats_with_every_request(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        for number in range(REQUESTS_PER_STEP + 5):
            rig.send(message_id=number, **inputs(1))
        rig.receive_all(REQUESTS_PER_STEP + 5)
        # Once when it is read, once for its inference: requests of one session share none.
        assert rig.beats == 2 * (REQUESTS_PER_STEP + 5)


# Requests that fail ---------------------------------------------------------------------------


def test_a_broken_sensor_leaves_the_memory_unchanged_and_others_in_peace(
    memory_file: Path,
) -> None:
    """``memory / 2 + cube xy`` overflows if the cube is at 3e38 and the memory at least as far."""
    with stepped(memory_file) as rig:
        rig.ask("bad", sender=b"B", **inputs(3e38))
        good: list[Received] = []
        for turn in range(5):
            rig.send("good", sender=b"G", **inputs(4))
            rig.send("bad", sender=b"B", message_id=turn, **inputs(3e38))
            good.append(rig.receive())
            refused = error(rig.receive())
            assert refused.code == "invalid"
            assert "observation, row 0: end_effector_position[0] = 3e+38" in refused.message
            assert refused.id == turn
        last = rig.ask("bad", sender=b"B", **inputs(0))
    np.testing.assert_allclose([context(r) for r in good], 8 - 8 / 2.0 ** np.arange(1, 6))
    assert steps(last) == 2
    assert context(last) == pytest.approx(1.5e38)


def test_one_bad_row_refuses_the_request_and_no_row_advances(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        rig.ask(**inputs(4, 3))
        broken = inputs(4, 3)
        broken["observation"][2] = 3.4e38
        rig.ask(**broken)
        refused = error(rig.ask(**broken))
        assert "row 2" in refused.message
        mixed = rig.ask(**inputs(4, 3))
    assert steps(mixed) == 3
    assert mixed.arrays["context"][0, 0] == pytest.approx(7)


@pytest.mark.parametrize("value", [1e300, -1e300, 1e39])
def test_a_number_beyond_single_precision_is_invalid(memory_file: Path, value: float) -> None:
    observation = np.zeros((1, 28))
    observation[0, 6] = value
    with stepped(memory_file) as rig:
        refused = error(rig.ask(observation=observation, skill=EAST))
        assert refused.code == "invalid"
        assert "cube_position[0]" in refused.message
        assert steps(rig.ask(**inputs(0))) == 1


def test_a_policy_that_fails_on_usual_numbers_is_at_fault(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        rig.ask(**inputs(4))
        step = rig.model.stepper.step

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : no\nluck")

        rig.model.stepper.step = fail  # type: ignore[method-assign, assignment]
        refused = error(rig.ask(message_id=3, **inputs(4)))
        rig.model.stepper.step = step  # type: ignore[method-assign]
        last = rig.ask(**inputs(4))
    assert (refused.code, refused.id) == ("internal", 3)
    assert refused.message == "the policy failed: no luck"
    assert steps(last) == 2
    assert context(last) == 6


def test_a_request_that_makes_the_policy_fail_fails_alone(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        step = rig.model.stepper.step

        def fail_on_nine(slots: list[int], spans: Spans) -> object:
            if (rig.model.stepper.rows.tensors["observation"][: len(slots)] == 9).any():
                raise RuntimeError("nine")
            return step(slots, spans)

        rig.model.stepper.step = fail_on_nine  # type: ignore[method-assign, assignment]
        for number in (4, 9, 5):
            rig.send(f"s{number}", message_id=number, **inputs(number))
        replies = rig.receive_all(3)
        rig.model.stepper.step = step  # type: ignore[method-assign]
        fresh = rig.ask("s9", **inputs(4))
    assert [reply.code for reply in replies] == ["", "internal", ""]
    assert [steps(replies[0]), steps(replies[2]), steps(fresh)] == [1, 1, 1]
    assert [context(replies[0]), context(replies[2]), context(fresh)] == [4, 5, 4]


def test_a_refused_request_names_the_row_and_changes_no_memory(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        rig.ask(**inputs(4, 2))
        for arrays in (
            inputs(4, 2) | {"skill": np.zeros((2, 2))},
            inputs(4, 2) | {"previous_action": np.full((2, 3), 5.0)},
            inputs(4, 2) | {"goal": np.zeros((2, 2))},
            {"observation": np.zeros((2, 28)), "goal": np.full((2, 2), 5.0)},
            {"observation": np.full((2, 28), np.nan), "skill": np.ones((2, 2))},
            {"observation": np.zeros((2, 28))},
            inputs(4, 3),
        ):
            assert error(rig.ask(**arrays)).code == "invalid"
        last = rig.ask(**inputs(4, 2))
    assert steps(last) == 2
    assert context(last) == 6


# Frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([], "malformed"),
        ([b""], "malformed"),
        ([b"\xff"], "malformed"),
        ([b"[" * 30_000], "malformed"),
        ([b"[1, 2]"], "invalid"),
        ([b'{"type": "hello"}'], "malformed"),
        ([b'{"type": "act"}'], "invalid"),
        ([b'{"type": "act", "session": "s", "v": 2}'], "wrong_version"),
        ([b'{"type": "act", "session": "s"}', b"x"], "malformed"),
        ([b'{"type": "act", "session": "s", "arrays": [' + b"{}," * 10_000 + b"{}]}"], "invalid"),
        ([b"x" * 40_000], "too_large"),
        ([b"{}"] * 40, "malformed"),
    ],
)
def test_frames_that_are_no_request_are_answered(
    memory_file: Path, frames: list[bytes], code: str
) -> None:
    with stepped(memory_file) as rig:
        rig.socket.send_multipart([b"A", *frames])
        assert error(rig.receive()).code == code
        assert steps(rig.ask(**inputs(4))) == 1


def test_an_unforeseen_error_is_answered(
    memory_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    with stepped(memory_file) as rig:
        with monkeypatch.context() as patch:
            patch.setattr(requests, "validate_act", fail)
            refused = error(rig.ask(**inputs(4)))
        assert refused.code == "internal"
        assert "too deep" in refused.message
        assert steps(rig.ask(**inputs(4))) == 1


def test_more_rows_than_all_sessions_have_are_refused(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        refused = error(rig.ask(message_id=5, **inputs(4, MAX_ROWS + 1)))
        assert (refused.code, refused.id) == ("invalid", 5)
        expected = f"{MAX_ROWS + 1} rows, but all sessions of this server together have {MAX_ROWS}"
        assert expected in refused.message


def test_replies_that_cannot_be_sent_are_dropped(memory_file: Path) -> None:
    with stepped(memory_file) as rig:
        rig.peer.setsockopt(zmq.LINGER, 0)
        frames = act_frames(Act(session="s"), inputs(4))

        class Deaf:
            waiting = 3

            def recv_multipart(self, flags: int = 0) -> list[bytes]:
                assert flags == zmq.NOBLOCK
                if not self.waiting:
                    raise zmq.Again
                self.waiting -= 1
                return [b"A", *frames]

            def send_multipart(self, msg_parts: object, flags: int = 0, copy: bool = True) -> None:
                assert flags == zmq.NOBLOCK
                raise zmq.Again

        rig.service._socket = Deaf()
        rig.service.step()
        rig.service._socket = rig.peer
        assert steps(rig.ask(**inputs(4))) == 4


# A policy of goals with a calibrated context --------------------------------------------------


def test_a_goal_policy_returns_context_estimate_and_distance(goal_file: Path) -> None:
    """Context = state / 2 + cube xy, estimate its exponential, distance 10 |context| / 2.

    The reply for a young state has no distance.
    """
    arrays = {
        "observation": np.full((2, 28), 0.1, np.float32),
        "goal": np.array([[0.1, 0.0], [0.0, 0.1]], np.float32),
    }
    with stepped(goal_file) as rig:
        replies = [rig.ask(**arrays) for _ in range(50)]
    second, last = replies[1].arrays, replies[-1].arrays
    np.testing.assert_allclose(second["context"], np.full((2, 2), 0.15), rtol=1e-5)
    np.testing.assert_allclose(second["estimate"], np.exp(second["context"]), rtol=1e-5)
    assert "context_distance" not in second
    distance = np.full((2, 1), 0.2 * np.sqrt(2) * 5)
    np.testing.assert_allclose(last["context_distance"], distance, rtol=1e-5)


def test_an_estimate_that_is_not_finite_is_left_out(goal_file: Path) -> None:
    arrays = {"observation": np.full((1, 28), 200, np.float32), "goal": np.zeros((1, 2))}
    with stepped(goal_file) as rig:
        received = rig.ask(**arrays)
    assert "estimate" not in received.arrays
    assert context(received) == 200
