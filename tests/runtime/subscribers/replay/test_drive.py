"""Recorded commands, sent to another server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.served import DEADLINE_S, Served

from skill_proto.messages import Commanded
from skill_runtime.client import SkillClient
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import COMMANDED_CHANNEL
from skill_runtime.subscribers.replay.drive import drive
from skill_runtime.subscribers.replay.policy_replay import ReplayError


def commanded(time: float, result: Any = "ok", **command: object) -> Commanded:  # noqa: ANN401  passed on
    return Commanded(
        **{"seq": 1, "time": time, "client": "c", "lease": None}, command=command, result=result
    )


def test_a_recording_moves_the_arm_again(recording_file: Path, served: Served) -> None:
    messages = Recording([recording_file]).messages((COMMANDED_CHANNEL,))
    commands = [item for message in messages if isinstance(item := message.parse(), Commanded)]
    moves = [item for item in commands if item.command["type"] in ("skill", "reset", "hold")]
    with SkillClient(served.address, timeout_s=DEADLINE_S) as client, client.acquire("again"):
        result = drive(client, commands, pace=2.0)
        assert client.state().policy_steps > 10
        assert client.state().counters["resets"] == 2
    assert (result.sent, result.refused) == (len(moves), 0)
    assert result.skipped == len(commands) - len(moves)


def test_commands_are_sent_at_their_times(served: Served) -> None:
    now = [10.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    pose = {"type": "servo_pose", "end_effector_position": [0.0, 0.0, 0.1], "valid_for_s": 0.5}
    commands = [
        commanded(100.0, type="hold"),
        commanded(100.5, "stale", type="hold"),
        commanded(101.0, **pose),
        commanded(102.0, **pose | {"end_effector_position": [5.0, 0.0, 0.1]}),
        commanded(103.0, type="renew"),
    ]
    with SkillClient(served.address, timeout_s=DEADLINE_S) as client, client.acquire("again"):
        result = drive(client, commands, clock=lambda: now[0], sleep=sleep)
    assert waits == pytest.approx([1.0, 1.0])
    assert (result.sent, result.refused, result.skipped) == (2, 1, 2)


def test_a_command_without_its_fields_is_refused(served: Served) -> None:
    commands = [commanded(1.0, type=kind) for kind in ("goal", "servo_joint", "servo_pose")]
    with SkillClient(served.address, timeout_s=DEADLINE_S) as client, client.acquire("again"):
        result = drive(client, [*commands, commanded(1.0, type=["hold"])])
    assert (result.sent, result.refused, result.skipped) == (0, 3, 1)


def test_a_real_arm_is_not_driven(served: Served) -> None:
    with SkillClient(served.address, timeout_s=DEADLINE_S) as client:
        welcome = client.server
        object.__setattr__(welcome, "simulated", False)
        with pytest.raises(ReplayError, match="drives simulated arms only"):
            drive(client, [commanded(1.0, type="hold")])
