"""How an action on the gripper becomes widths, or commands to open and to grasp."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.manifest import ActionPart
from skill_robots.franka.specs import PANDA
from skill_robots.motion.gripper import (
    UNCHANGED,
    WIDTH,
    WIDTH_DISPLACEMENT,
    FollowedGripper,
    GripperCommand,
    SwitchedGripper,
    WidthSetpoints,
    make_drive,
)

PERIOD_S = 0.005
STEP_M = 0.0005  # 0.1 m/s for 5 ms


def followed() -> FollowedGripper:
    drive = make_drive(part(WIDTH), PANDA, PERIOD_S, follows=True)
    assert isinstance(drive, FollowedGripper)
    return drive


def part(name: str, scale: float = 0.08) -> ActionPart:
    content = {"name": name, "size": 1, "scale": scale, "unit": "m", "frame": "none"}
    return ActionPart.model_validate(content)


def width_after(drive: FollowedGripper, periods: int) -> float:
    for _ in range(periods - 1):
        drive.step()
    width = drive.step().width
    assert width is not None
    return width


def test_the_action_names_a_width_that_is_approached_at_the_speed_of_the_hand() -> None:
    drive = followed()
    drive.act(0.5, measured=0.04)  # 0.08 (1 + 0.5) / 2 = 0.06: 40 periods away
    assert width_after(drive, 1) == pytest.approx(0.04 + STEP_M)
    assert width_after(drive, 38) == pytest.approx(0.06 - STEP_M)
    assert width_after(drive, 5) == pytest.approx(0.06)


@pytest.mark.parametrize(("action", "width"), [(-1.0, 0.0), (1.0, 0.08), (7.0, 0.08), (-7.0, 0.0)])
def test_widths_end_at_those_of_the_hand(action: float, width: float) -> None:
    drive = followed()
    drive.act(action, measured=0.03)
    assert width_after(drive, 200) == pytest.approx(width)


def test_a_hold_keeps_the_grip() -> None:
    """A set-point that began at the measured width of a held cube would let go of it."""
    drive = followed()
    drive.act(-1.0, measured=0.04)
    assert width_after(drive, 60) == pytest.approx(0.01)
    drive.hold()
    assert drive.step() == UNCHANGED
    drive.act(-1.0, measured=0.04)
    assert width_after(drive, 1) == pytest.approx(0.01 - STEP_M)


def test_after_a_command_of_a_client_it_goes_on_from_there() -> None:
    drive = followed()
    drive.act(1.0, measured=0.02)
    drive.interrupt(UNCHANGED)  # a new command that leaves the gripper to the policy
    assert width_after(drive, 1) == pytest.approx(0.02 + STEP_M)
    drive.interrupt(GripperCommand(0.05, False))
    assert drive.step() == UNCHANGED
    drive.act(1.0, measured=0.02)
    assert width_after(drive, 1) == pytest.approx(0.05 + STEP_M)
    drive.interrupt(GripperCommand(None, True))
    drive.act(1.0, measured=0.02)
    assert width_after(drive, 1) == pytest.approx(STEP_M)
    drive.reset()
    assert drive.step() == UNCHANGED
    drive.act(1.0, measured=0.02)
    assert width_after(drive, 1) == pytest.approx(0.02 + STEP_M)


def test_a_batch_of_training_moves_like_the_served_gripper_to_the_last_bit() -> None:
    setpoints, drives = WidthSetpoints(3, PANDA, PERIOD_S), [followed() for _ in range(3)]
    start = np.array([0.0, 0.031, 0.08])
    setpoints.reset(np.arange(3), start)
    for action in np.random.default_rng(0).uniform(-1.2, 1.2, (20, 3)):
        setpoints.act(action)
        for drive, one, width in zip(drives, action, start, strict=True):
            drive.act(float(one), float(width))
        for _ in range(8):
            batch = setpoints.step(np.zeros(3, np.bool_))
            assert batch.tolist() == [drive.step().width for drive in drives]


def test_a_late_action_leaves_the_last_one_in_force() -> None:
    setpoints = WidthSetpoints(2, PANDA, PERIOD_S)
    setpoints.reset(np.arange(2), np.array([0.02, 0.02]))
    setpoints.act(np.array([1.0, 1.0]))
    np.testing.assert_allclose(setpoints.step(np.array([True, False])), [0.02, 0.02 + STEP_M])


def test_a_real_gripper_grasps_and_opens_with_a_dead_band() -> None:
    drive = make_drive(part(WIDTH), PANDA, PERIOD_S, follows=False)
    assert isinstance(drive, SwitchedGripper)
    grasp, opened = GripperCommand(None, True), GripperCommand(0.08, False)
    seen: list[GripperCommand] = []
    for action in (0.0, -0.15, -0.25, 0.0, 0.19, 0.21, -0.19, -1.0):
        drive.act(action, measured=0.04)
        seen.append(drive.step())
    assert seen == [UNCHANGED, UNCHANGED, grasp, grasp, grasp, opened, opened, grasp]
    drive.hold()
    assert drive.step() == UNCHANGED


@pytest.mark.parametrize("command", [GripperCommand(0.03, False), GripperCommand(None, True)])
def test_a_client_ends_the_command_of_a_policy(command: GripperCommand) -> None:
    drive = SwitchedGripper(0.08)
    drive.act(1.0, measured=0.0)
    drive.interrupt(UNCHANGED)
    assert drive.step() == GripperCommand(0.08, False)
    drive.interrupt(command)
    assert drive.step() == UNCHANGED


def test_a_displacement_has_no_limit_of_speed() -> None:
    drive = make_drive(part(WIDTH_DISPLACEMENT, 0.2), PANDA, PERIOD_S, follows=True)
    assert drive is not None
    drive.act(0.1, measured=0.03)
    assert drive.step().width == pytest.approx(0.05)
    assert make_drive(None, PANDA, PERIOD_S, follows=True) is None
