"""Sends the motion commands of a recording to a running server, at their times.

A simulated arm starts from its own state, and the commands pass the same checks as any others, so
the motion is similar to the recorded one, not equal. ``policy_replay`` is exact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skill_proto.messages import Commanded
from skill_runtime.client import CommandRefusedError, GripperFields, SkillClient
from skill_runtime.subscribers.replay.policy_replay import ReplayError

Fields = Mapping[str, Any]
"""Fields of a recorded command."""


@dataclass(frozen=True, kw_only=True)
class DriveResult:
    """The outcome of a drive."""

    sent: int
    refused: int
    """Commands that the server refused now."""
    skipped: int
    """Commands that were refused in the recording, or move no arm."""


def drive(
    client: SkillClient,
    commands: Iterable[Commanded],
    *,
    pace: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> DriveResult:
    """Sends the accepted motion commands, resets and holds of a recording.

    Args:
        client: A client of the server, which holds the lease.
        commands: The commands in their order.
        pace: Recorded seconds per second.
        clock: Time [s].
        sleep: Waits for a time [s].

    Raises:
        ReplayError: The arm is real.
        ClientError: The lease was lost, or the server does not answer.
    """
    if not client.server.simulated:
        raise ReplayError(
            "the server has a real arm, and a replay drives simulated arms only; start one with: "
            "skill-serve --model MODEL.onnx"
        )
    sent = refused = skipped = 0
    start: tuple[float, float] | None = None
    for command in commands:
        if not is_sent(command):
            skipped += 1
            continue
        if start is None:
            start = clock(), command.time
        wait = start[0] + (command.time - start[1]) / pace - clock()
        if wait > 0:
            sleep(wait)
        try:
            _SENDERS[str(command.command["type"])](client, command.command)
            sent += 1
        except CommandRefusedError:
            refused += 1
    return DriveResult(sent=sent, refused=refused, skipped=skipped)


def is_sent(command: Commanded) -> bool:
    """Returns whether a replay sends a recorded command: it was accepted, and moves the arm."""
    return command.result == "ok" and str(command.command.get("type")) in _SENDERS


def _gripper(fields: Fields) -> GripperFields:
    return GripperFields(
        gripper_width=fields.get("gripper_width"), grasp=bool(fields.get("grasp", False))
    )


def _skill(client: SkillClient, fields: Fields) -> None:
    client.skill(fields.get("skill", ()), fields.get("valid_for_s", 0.0), **_gripper(fields))


def _goal(client: SkillClient, fields: Fields) -> None:
    client.goal(fields.get("goal", ()), fields.get("valid_for_s", 0.0), **_gripper(fields))


def _servo_joint(client: SkillClient, fields: Fields) -> None:
    client.servo_joint(
        fields.get("joint_position", ()), fields.get("valid_for_s", 0.0), **_gripper(fields)
    )


def _servo_pose(client: SkillClient, fields: Fields) -> None:
    client.servo_pose(
        fields.get("end_effector_position", ()), fields.get("valid_for_s", 0.0), **_gripper(fields)
    )


def _hold(client: SkillClient, fields: Fields) -> None:
    del fields
    client.hold()


def _reset(client: SkillClient, fields: Fields) -> None:
    client.reset(fields.get("seed"))


_SENDERS: Mapping[str, Callable[[SkillClient, Fields], None]] = {
    "skill": _skill,
    "goal": _goal,
    "servo_joint": _servo_joint,
    "servo_pose": _servo_pose,
    "hold": _hold,
    "reset": _reset,
}
"""How each recorded command is sent; other commands move no arm."""
