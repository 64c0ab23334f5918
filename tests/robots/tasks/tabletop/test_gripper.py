"""The tabletop with the gripper in the action, beside the one without."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.plant.scripted_lifter import ScriptedLifter

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionDecoder
from skill_robots.motion.setpoint_shaper import SetpointShaper
from skill_robots.observation import GRIPPER_OBSERVATION, PUSH_OBSERVATION
from skill_robots.tasks.tabletop.metrics import skill_metrics
from skill_robots.tasks.tabletop.rollouts import skill_rollouts
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

LIFT = TabletopConfig(gripper=True)


def test_without_the_gripper_the_task_is_made_of_the_same_parts_to_the_last_bit() -> None:
    config = TabletopConfig(start="mixed", stiffness_scale=(0.85, 1.15))
    table, parts = Tabletop(config, 4, seed=5), Tabletop(config, 4, seed=5)
    decoder = ActionDecoder(parts.actions, PANDA)
    shaper = SetpointShaper(PANDA, config.physics_step_s)
    for action in np.random.default_rng(0).uniform(-1.0, 1.0, (30, 4, 3)):
        table.step(action)
        goal = decoder.displace(action, parts.setpoint.position, parts.end_effectors)
        for _ in range(8):
            shaper.step(parts.setpoint, goal)
            parts.physics_step(parts.setpoint.position, parts.setpoint.velocity)
        np.testing.assert_array_equal(table.observe(), parts.observe(PUSH_OBSERVATION))
    assert (table.action_size, table.observe().shape) == (3, (4, 28))
    np.testing.assert_allclose(table.gripper_width, 0.0, atol=1e-3)


def test_with_the_gripper_there_is_one_more_action_and_one_more_entry() -> None:
    table = Tabletop(LIFT, 4, seed=0)
    assert (table.action_size, table.observe().shape) == (4, (4, 29))
    assert GRIPPER_OBSERVATION[:-1] == PUSH_OBSERVATION
    np.testing.assert_array_equal(table.observe()[:, -1], table.gripper_width)


def test_places_and_contexts_are_those_without_the_gripper() -> None:
    """So that two runs with one seed differ by the gripper alone."""
    one, other = Tabletop(TabletopConfig(), 4, seed=2), Tabletop(LIFT, 4, seed=2)
    np.testing.assert_array_equal(one.cube_position, other.cube_position)
    np.testing.assert_array_equal(one.end_effector_position, other.end_effector_position)


def test_the_fingers_move_as_fast_as_a_franka_hand_and_no_faster() -> None:
    table = Tabletop(TabletopConfig(gripper=True, start="high"), 8, seed=0)
    closing, opening = np.full((8, 4), -1.0), np.full((8, 4), 1.0)
    closing[:, :3] = opening[:, :3] = 0.0
    for _ in range(25):
        table.step(closing)
    np.testing.assert_allclose(table.gripper_width, 0.0, atol=1e-3)
    widths = [table.gripper_width.copy()]
    for _ in range(25):
        table.step(opening)
        widths.append(table.gripper_width.copy())
    rate = np.diff(np.array(widths), axis=0) / 0.04
    assert rate.max() < 0.105
    np.testing.assert_allclose(rate[5:15], 0.1, rtol=0.02)
    np.testing.assert_allclose(widths[-1], 0.08, atol=1e-3)


def test_the_grip_is_that_of_the_spring_and_below_the_force_of_the_hand() -> None:
    """500 N/m a finger: 20 N on each side of 4 cm, which hold 2 kg at friction .5, and no more."""
    table = Tabletop(TabletopConfig(gripper=True, held_share=1.0), 40, seed=0)
    high = np.flatnonzero(table.cube_position[:, 2] > 0.08)
    action = np.zeros((40, 4))
    action[:, 3] = -1.0

    def slip(mass: float) -> Array:
        """Lets the cubes hang for .6 s; returns how far they sink below the hands [m]."""
        table.set_context(mass=mass)
        before = (table.cube_position - table.end_effector_position)[high, 2]
        for _ in range(15):
            table.step(action)
        return before - (table.cube_position - table.end_effector_position)[high, 2]

    assert len(high) > 5
    assert slip(1.6).max() < 0.008
    assert slip(2.4).min() > 0.03


def test_a_script_lifts_nearly_every_cube_within_every_limit() -> None:
    run = skill_rollouts(
        ScriptedLifter(),
        LIFT,
        skills=np.zeros((24, 0)),
        episodes=1,
        seed=0,
        observation_names=GRIPPER_OBSERVATION,
    )
    metrics = skill_metrics(run)
    assert metrics["lifted_share"] > 0.9
    assert metrics["height_cells_2cm"] >= 6.0
    assert run.governor_interventions == 0


def test_random_actions_lift_no_cube() -> None:
    table = Tabletop(LIFT, 16, seed=0)
    random = np.random.default_rng(1)
    for _ in range(60):
        table.step(random.uniform(-1.0, 1.0, (16, 4)))
    assert (table.cube_position[:, 2] < 0.03).mean() > 0.9


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_shares_are_between_0_and_1(share: float) -> None:
    with pytest.raises(ValueError, match="held_share"):
        TabletopConfig(gripper=True, held_share=share)
