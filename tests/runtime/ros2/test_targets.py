"""Messages become targets, or are refused; without ROS."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from skill_runtime.ros2.parameters import Ros2Parameters
from skill_runtime.ros2.targets import (
    Header,
    RefusedMessageError,
    Target,
    TargetRules,
    angle_from_down,
)

RULES = TargetRules(Ros2Parameters())
FRESH = Header("world", 0.1)
DOWN = (0.0, 1.0, 0.0, 0.0)
NAMES = ("a", "b")


def test_a_pose_is_valid_from_its_stamp() -> None:
    target = RULES.pose(FRESH, (0.1, 0.2, 0.3), DOWN, 50.0)
    # valid_for_s 0.3, of which 0.1 s have passed
    assert target == Target("target_pose", "servo_pose", (0.1, 0.2, 0.3), pytest.approx(50.2))


def test_a_stamp_a_little_ahead_gains_no_time() -> None:
    target = RULES.pose(Header("world", -0.04), (0.0, 0.0, 0.1), DOWN, 50.0)
    assert target.ends == pytest.approx(50.3)


def test_joints_are_put_in_the_order_of_the_server() -> None:
    target = RULES.joints(FRESH, ("b", "a"), (2.0, 1.0), NAMES, 0.0)
    assert target.values == (1.0, 2.0)


def test_joints_need_no_frame() -> None:
    assert RULES.joints(Header("", 0.0), NAMES, (0.0, 0.0), NAMES, 0.0).kind == "servo_joint"


def test_a_goal_is_the_first_entries_of_a_point() -> None:
    assert RULES.goal(FRESH, (0.1, 0.2, 9.0), 2, 0.0).values == (0.1, 0.2)


@pytest.mark.parametrize(
    ("quaternion", "angle"),
    [
        ((0.0, 1.0, 0.0, 0.0), 0.0),
        ((0.0, -2.0, 0.0, 0.0), 0.0),
        ((1.0, 0.0, 0.0, 0.0), math.pi),  # the gripper up
        ((0.0, 1.0, 1.0, 0.0), math.pi / 2),  # down, turned by a quarter about the vertical
        ((math.sin(0.1), math.cos(0.1), 0.0, 0.0), 0.2),  # tilted by 0.2 about x
    ],
)
def test_the_angle_from_down(quaternion: tuple[float, ...], angle: float) -> None:
    assert angle_from_down(quaternion) == pytest.approx(angle)


nan, inf = math.nan, math.inf
REFUSED: dict[str, Callable[[], Target]] = {
    "position has a number that is not finite": lambda: RULES.pose(FRESH, (0, nan, 0), DOWN, 0),
    "orientation has a number": lambda: RULES.pose(FRESH, (0, 0, 0), (0, inf, 0, 0), 0),
    "the orientation is zero": lambda: RULES.pose(FRESH, (0, 0, 0), (0, 0, 0, 0), 0),
    "3.14 rad from the gripper": lambda: RULES.pose(FRESH, (0, 0, 0), (1, 0, 0, 0), 0),
    "frame_id is ''; send 'world'": lambda: RULES.pose(Header("", 0.0), (0, 0, 0), DOWN, 0),
    "frame_id is '\\x1b[2J'": lambda: RULES.pose(Header("\x1b[2J", 0.0), (0, 0, 0), DOWN, 0),
    "0.31 s old": lambda: RULES.pose(Header("world", 0.31), (0, 0, 0), DOWN, 0),
    "1.57 rad from the gripper pointing down, at most 0.35 rad from (x, y, z, w) = (1, 0, 0, 0) "
    "are taken, turns about the vertical included": lambda: RULES.pose(
        FRESH, (0, 0, 0), (0, 1, 1, 0), 0
    ),
    "0.06 s ahead": lambda: RULES.pose(Header("world", -0.06), (0, 0, 0), DOWN, 0),
    "2 names and 1 positions": lambda: RULES.joints(FRESH, NAMES, (0.0,), NAMES, 0),
    "the joints are a, c; send each of a, b": lambda: RULES.joints(
        FRESH, ("a", "c"), (0, 0), NAMES, 0
    ),
    "the joints are a, a": lambda: RULES.joints(FRESH, ("a", "a"), (0, 0), NAMES, 0),
    "the joints are a, b, c": lambda: RULES.joints(FRESH, ("a", "b", "c"), (0, 0, 0), NAMES, 0),
    "the joints are (none)": lambda: RULES.joints(FRESH, (), (), NAMES, 0),
    "1 numbers; send 2": lambda: RULES.skill((1.0,), 2, 0),
    "data has a number": lambda: RULES.skill((1.0, nan), 2, 0),
    "takes no goals": lambda: RULES.goal(FRESH, (0, 0, 0), 0, 0),
    "goals have 5 numbers": lambda: RULES.goal(FRESH, (0, 0, 0), 5, 0),
    "point has a number": lambda: RULES.goal(FRESH, (nan, 0, 0), 2, 0),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_message_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(RefusedMessageError) as refused:
        REFUSED[text]()
    assert text in str(refused.value)


def test_a_target_that_has_ended_on_arrival_is_refused_whatever_its_age_may_be() -> None:
    rules = TargetRules(Ros2Parameters(valid_for_s=0.5, max_age_s=5.0))
    assert rules.goal(Header("world", 0.49), (0, 0, 0), 2, 50.0).ends == pytest.approx(50.01)
    with pytest.raises(RefusedMessageError, match=r"0\.5 s old, less than 0\.5 s are taken"):
        rules.goal(Header("world", 0.5), (0, 0, 0), 2, 50.0)


def test_a_stamp_before_that_of_the_last_message_is_refused_until_a_silence() -> None:
    rules = TargetRules(Ros2Parameters(silence_s=1.0))
    rules.goal(Header("world", 0.0, 2_000_000_000), (0, 0, 0), 2, 50.0)
    rules.goal(Header("world", 0.0, 2_000_000_000), (0, 0, 0), 2, 50.1)
    older = Header("world", 0.0, 1_900_000_000)
    with pytest.raises(RefusedMessageError, match=r"0\.1 s older than that of the message before"):
        rules.goal(older, (0, 0, 0), 2, 50.2)
    rules.joints(older, NAMES, (0.0, 0.0), NAMES, 50.2)  # another topic
    rules.goal(older, (0, 0, 0), 2, 51.2)


def test_the_tolerance_of_pi_takes_any_orientation() -> None:
    rules = TargetRules(Ros2Parameters(orientation_tolerance_rad=math.pi))
    assert rules.pose(FRESH, (0.0, 0.0, 0.1), (1.0, 0.0, 0.0, 0.0), 0.0).kind == "servo_pose"
