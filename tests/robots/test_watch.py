"""The batched count agrees with the governor that runs in the tick."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from skill_robots.action import ActionConfig, joints_for_hand
from skill_robots.arm import ArmState, JointTarget
from skill_robots.governor import WORKSPACE_MARGIN_M, Governor
from skill_robots.panda import kinematics
from skill_robots.panda.limits import PANDA
from skill_robots.tasks.watch import SetpointWatch

Array = NDArray[np.float64]
PERIOD_S = 0.005
ACTIONS = ActionConfig()


def watch(n: int = 1) -> SetpointWatch:
    return SetpointWatch(PANDA, ACTIONS, PERIOD_S, np.tile(kinematics.NEUTRAL, (n, 1)))


def rest(position: Array) -> tuple[Array, Array]:
    return position, np.zeros_like(position)


def test_small_steps_inside_the_limits_count_nothing() -> None:
    seen = watch(3)
    for k in range(20):
        position = np.tile(kinematics.NEUTRAL, (3, 1))
        position[:, 6] += 0.005 * k
        seen.check(*rest(position))
    assert seen.total == 0


def test_a_jump_is_too_fast_in_the_scenes_that_jump() -> None:
    seen = watch(3)
    position = np.tile(kinematics.NEUTRAL, (3, 1))
    position[1, 6] += 1.1 * PANDA.velocity_limit[6] * PERIOD_S
    seen.check(*rest(position))
    assert seen.interventions == {
        "not_finite": 0,
        "joint_velocity": 1,
        "joint_position": 0,
        "workspace": 0,
    }


def test_a_velocity_above_the_limit_counts_without_a_jump() -> None:
    seen = watch()
    seen.check(kinematics.NEUTRAL[None], 1.01 * PANDA.velocity_limit[None])
    assert seen.interventions["joint_velocity"] == 1


def test_a_joint_beyond_its_end_counts() -> None:
    start = kinematics.NEUTRAL[None].copy()
    start[0, 6] = PANDA.position_high[6] - 0.001
    seen = SetpointWatch(PANDA, ACTIONS, PERIOD_S, start)
    beyond = start.copy()
    beyond[0, 6] += 0.002
    seen.check(*rest(beyond))
    assert seen.interventions["joint_position"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_counts_once_and_is_forgotten(bad: float) -> None:
    seen = watch(2)
    position = np.tile(kinematics.NEUTRAL, (2, 1))
    broken = position.copy()
    broken[0, 3] = bad
    seen.check(*rest(broken))
    seen.check(*rest(position))
    assert seen.interventions["not_finite"] == 1
    assert seen.total == 1


def test_leaving_the_workspace_counts_but_the_way_back_does_not() -> None:
    low = joints_for_hand(np.array([[0.6, 0.0, ACTIONS.workspace_low[2]]]))
    depth = WORKSPACE_MARGIN_M + 0.01
    down = joints_for_hand(np.array([[0.6, 0.0, ACTIONS.workspace_low[2] - depth]]))
    seen = SetpointWatch(PANDA, ACTIONS, PERIOD_S, low)
    path = low + np.linspace(0.0, 1.0, 81)[:, None] * (down - low)
    for position in path:
        seen.check(*rest(position[None]))
    outward = seen.interventions["workspace"]
    assert 0 < outward < 30  # the box has a margin, so the first steps pass
    for position in path[::-1]:
        seen.check(*rest(position[None]))
    assert seen.interventions["workspace"] == outward
    assert seen.total == outward


def test_agrees_with_the_governor_up_to_its_first_correction() -> None:
    """After a correction the governor goes on from the corrected set-point, the watch does not."""
    generator = np.random.default_rng(0)
    compared = 0
    for _ in range(30):
        governor = Governor(PANDA, ACTIONS.workspace_low, ACTIONS.workspace_high, PERIOD_S)
        start = kinematics.NEUTRAL.copy()
        rest_state = ArmState(
            time_s=0.0, joint_position=start, joint_velocity=np.zeros(7), hand_width=0.0
        )
        governor.reset(rest_state)
        seen = SetpointWatch(PANDA, ACTIONS, PERIOD_S, start[None])
        position = start.copy()
        drift = generator.uniform(-0.012, 0.012, 7)
        for _ in range(100):
            position = position + drift
            velocity = drift / PERIOD_S
            target = JointTarget(position=position, velocity=velocity, acceleration=np.zeros(7))
            verdict = governor.check(target, rest_state)
            seen.check(position[None], velocity[None])
            assert {k for k, count in seen.interventions.items() if count} == set(
                verdict.interventions
            )
            compared += 1
            if verdict.interventions:
                break
    assert compared > 100
