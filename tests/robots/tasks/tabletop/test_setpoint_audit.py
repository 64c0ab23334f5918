"""The set-points that the audit counts over a batch of scenes."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.governor import WORKSPACE_MARGIN_M, Governor
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.tasks.tabletop.setpoint_audit import Point, SetpointAudit

PERIOD_S = 0.005
ACTIONS = ActionConfig()


def audit(n: int = 1) -> SetpointAudit:
    start = np.tile(PANDA.neutral, (n, 1))
    return SetpointAudit(PANDA, ACTIONS, PERIOD_S, start, governed=0)


def rest(position: Array) -> tuple[Array, Array]:
    return position, np.zeros_like(position)


def test_small_steps_inside_the_limits_count_nothing() -> None:
    seen = audit(3)
    for k in range(20):
        position = np.tile(PANDA.neutral, (3, 1))
        position[:, 6] += 0.005 * k
        seen.check(*rest(position))
    assert seen.total == 0


def test_a_jump_is_too_fast_in_the_scenes_that_jump() -> None:
    seen = audit(3)
    position = np.tile(PANDA.neutral, (3, 1))
    position[1, 6] += 1.1 * PANDA.velocity_limit[6] * PERIOD_S
    seen.check(*rest(position))
    assert {kind: n for kind, n in seen.interventions.items() if n} == {"joint_velocity": 1}


def test_a_velocity_above_the_limit_counts_without_a_jump() -> None:
    seen = audit()
    seen.check(PANDA.neutral[None], 1.01 * PANDA.velocity_limit[None])
    assert seen.interventions["joint_velocity"] == 1


def test_a_joint_beyond_its_end_counts() -> None:
    start = PANDA.neutral[None].copy()
    start[0, 6] = PANDA.position_high[6] - 0.001
    seen = SetpointAudit(PANDA, ACTIONS, PERIOD_S, start, governed=0)
    beyond = start.copy()
    beyond[0, 6] += 0.002
    seen.check(*rest(beyond))
    assert seen.interventions["joint_position"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nan_counts_once_and_does_not_affect_later_set_points(bad: float) -> None:
    seen = audit(2)
    position = np.tile(PANDA.neutral, (2, 1))
    broken = position.copy()
    broken[0, 3] = bad
    seen.check(*rest(broken))
    seen.check(*rest(position))
    assert seen.interventions["not_finite"] == 1
    assert seen.total == 1


def test_leaving_the_workspace_counts_but_the_way_back_does_not() -> None:
    low = inverse_kinematics(PANDA, np.array([[0.6, 0.0, ACTIONS.workspace_low[2]]]))
    depth = WORKSPACE_MARGIN_M + 0.01
    down = inverse_kinematics(PANDA, np.array([[0.6, 0.0, ACTIONS.workspace_low[2] - depth]]))
    seen = SetpointAudit(PANDA, ACTIONS, PERIOD_S, low, governed=0)
    path = low + np.linspace(0.0, 1.0, 81)[:, None] * (down - low)
    for position in path:
        seen.check(*rest(position[None]))
    outward = seen.interventions["workspace"]
    assert 0 < outward < 30  # the box has a margin, so the first steps pass
    for position in path[::-1]:
        seen.check(*rest(position[None]))
    assert seen.interventions["workspace"] == outward
    assert seen.total == outward


def test_a_governed_scene_is_judged_by_its_governor() -> None:
    """A speed without a possible stop is within every limit that the array checks cover."""
    turn = 2.0 * np.eye(7)[0]
    path = PANDA.neutral + turn * PERIOD_S
    quick = SetpointAudit(PANDA, ACTIONS, PERIOD_S, PANDA.neutral[None], governed=0)
    quick.check(path[None], turn[None])
    assert quick.total == 0
    seen = SetpointAudit(PANDA, ACTIONS, PERIOD_S, np.tile(PANDA.neutral, (3, 1)), governed=2)
    seen.check(np.tile(path, (3, 1)), np.tile(turn, (3, 1)))
    assert seen.interventions["joint_acceleration"] == 2
    seen.check(np.tile(path, (3, 1)), np.zeros((3, 7)))
    assert seen.total == 2


def test_the_governors_can_be_replaced() -> None:
    made: list[Governor] = []

    def make(spec: ArmSpec, low: Point, high: Point, period_s: float) -> Governor:
        made.append(Governor(spec, low, high, period_s))
        return made[-1]

    start = np.tile(PANDA.neutral, (3, 1))
    seen = SetpointAudit(PANDA, ACTIONS, PERIOD_S, start, governed=256, governor=make)
    turn = 2.0 * np.eye(7)[0]
    seen.check(start + turn * PERIOD_S, np.tile(turn, (3, 1)))
    assert [governor.interventions["joint_acceleration"] for governor in made] == [1, 1, 1]
    assert seen.total == 3
