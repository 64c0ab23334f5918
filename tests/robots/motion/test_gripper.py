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
    DisplacedGripper,
    FollowedGripper,
    GripperCommand,
    SwitchedGripper,
    WidthSetpoints,
    make_drive,
)

PERIOD_S = 0.005
STEP_M = 0.0005  # 0.1 m/s for 5 ms


def followed(scale: float = 0.08) -> FollowedGripper:
    drive = make_drive(part(WIDTH, scale), PANDA, PERIOD_S, follows=True)
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
    drive.hold(0.04)
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
    drive.reset(0.02)
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


def switched(action: float = 0.0) -> SwitchedGripper:
    drive = SwitchedGripper(0.08)
    drive.act(action, measured=0.04)
    return drive


@pytest.mark.parametrize("action", [-1.0, 1.0])
def test_a_hold_ends_a_motion_of_a_real_gripper_where_it_is(action: float) -> None:
    drive = switched(action)
    drive.hold(0.05)
    assert drive.step() == GripperCommand(0.05, False)
    drive.interrupt(UNCHANGED)  # comes with every hold
    drive.hold(0.047)  # the next servo period
    drive.act(0.0, measured=0.047)
    assert drive.step() == GripperCommand(0.05, False)
    drive.act(action, measured=0.047)
    assert drive.step() == switched(action).step()


def test_a_real_gripper_that_took_no_commands_is_held_where_it_came_to_rest() -> None:
    """A hold of the width before would move it back, and let go of an object."""
    drive = switched(-1.0)
    drive.hold(0.07)
    drive.reset(0.04)
    assert drive.step() == GripperCommand(0.04, False)


def test_a_hold_leaves_a_real_gripper_that_the_policy_has_not_moved() -> None:
    drive = switched()
    drive.hold(0.04)
    drive.reset(0.04)
    assert drive.step() == UNCHANGED
    drive = switched(1.0)
    drive.interrupt(GripperCommand(0.02, False))
    drive.hold(0.04)
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
    drive.interrupt(UNCHANGED)
    assert drive.step().width == pytest.approx(0.05)


def test_a_hold_ends_a_displacement_of_a_real_gripper() -> None:
    """A simulated one keeps its width: the measured one would let go of an object."""
    for follows, held in ((False, GripperCommand(0.04, False)), (True, UNCHANGED)):
        drive = make_drive(part(WIDTH_DISPLACEMENT, 0.2), PANDA, PERIOD_S, follows=follows)
        assert isinstance(drive, DisplacedGripper)
        drive.act(-0.1, measured=0.05)
        drive.hold(0.04)
        drive.hold(0.03)
        assert drive.step() == held
        drive.reset(0.04)
        assert drive.step() == held


def test_fingers_wider_than_the_scale_of_the_policy_close_at_the_speed_of_the_hand() -> None:
    drive = followed(scale=0.04)
    drive.act(1.0, measured=0.08)
    assert width_after(drive, 1) == pytest.approx(0.08 - STEP_M)
    assert width_after(drive, 100) == pytest.approx(0.04)


@pytest.mark.parametrize("measured", [0.0, 0.0801])
def test_no_width_is_beyond_the_opening_of_the_hand(measured: float) -> None:
    """A manifest may be rounded, and a measurement noisy; the governor would refuse the width."""
    drive = followed(scale=0.08 * (1 + 9e-7))
    drive.act(1.0, measured)
    assert all(width_after(drive, 1) <= 0.08 for _ in range(200))
    real = make_drive(part(WIDTH, 0.08 * (1 + 9e-7)), PANDA, PERIOD_S, follows=False)
    assert real is not None
    real.act(1.0, measured)
    assert real.step().width == 0.08


def test_the_applied_action_names_the_present_width() -> None:
    drive = followed()
    assert drive.applied(0.02) == pytest.approx(-0.5)
    drive.act(-1.0, measured=0.04)
    width_after(drive, 60)
    drive.hold(0.04)
    assert drive.applied(0.04) == pytest.approx(-0.75)  # 0.01, with a grip on the object
    drive.interrupt(GripperCommand(0.06, False))
    assert drive.applied(0.04) == pytest.approx(0.5)
    assert followed(scale=0.04).applied(0.08) == 1.0
    assert switched(-1.0).applied(0.02) == pytest.approx(-0.5)
    assert DisplacedGripper(0.2, 0.08, follows=True).applied(0.02) == 0.0
