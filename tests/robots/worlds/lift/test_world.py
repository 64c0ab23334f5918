"""The lift: reward and loss by hand, the sag of the arm, and the force of the grip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.lift.config import LiftConfig
from skill_robots.worlds.lift.world import LOST_M, LiftWorld

STRONGEST, NONE = -1.0, 1.0
"""Actions on the grip."""


def lifted(world: LiftWorld, lift: float, grip: float, steps: int) -> Array:
    """Runs constant actions; returns the last observation."""
    observation = np.zeros(0)
    for _ in range(steps):
        observation = world.step(np.tile([lift, grip], (world.n, 1))).observation
    return observation


def exact(masses: list[float], *, observes_setpoint: bool = False) -> LiftWorld:
    """Returns scenes without sensor noise, with these masses."""
    config = LiftConfig(sensor_noise=0.0, observes_setpoint=observes_setpoint)
    world = LiftWorld(config, len(masses), seed=0)
    world.tabletop.set_context(mass=np.array(masses))
    return world


def test_its_description() -> None:
    spec = LiftWorld(LiftConfig(), 2).spec
    assert (spec.name, spec.observation_size, spec.action_size) == ("panda_lift", 5, 2)
    assert (spec.episode_steps, spec.control_rate_hz, spec.coordinates) == (60, 25.0, None)
    assert [(one.name, one.low, one.high) for one in spec.hidden] == [("cube_mass", 0.1, 1.2)]
    assert spec.has_terminals
    seen = LiftWorld(LiftConfig(observes_setpoint=True, contexts="extreme"), 2).spec
    assert seen.entries[-2:] == ("setpoint_gap.0", "setpoint_rise.0")
    assert (seen.hidden[0].low, seen.hidden[0].high) == (0.05, 1.6)


def test_an_episode_starts_on_the_table_with_the_strongest_grip() -> None:
    world = exact([0.1, 1.2])
    np.testing.assert_allclose(world.squeeze(), 1.0)
    np.testing.assert_allclose(world.tabletop.cube_position[:, 2], 0.02)
    np.testing.assert_allclose(world.error(), 0.02 - world.goal)
    assert ((world.goal >= 0.08) & (world.goal <= 0.20)).all()
    # Half of the reward is the price of the grip; the rest falls with the distance in centimetres.
    expected = 0.5 / (1.0 + np.abs(0.02 - world.goal) / 0.01)
    np.testing.assert_allclose(world.reward(), expected)


def test_the_gap_of_a_held_cube_is_its_weight_by_the_stiffness() -> None:
    world = exact([0.3, 0.6, 0.9], observes_setpoint=True)
    lifted(world, 0.4, STRONGEST, 15)
    gap = lifted(world, 0.0, STRONGEST, 15)[:, 5]
    np.testing.assert_allclose(gap / gap[0], [1.0, 2.0, 3.0], rtol=0.05)
    stiffness = np.array([0.3, 0.6, 0.9]) * 9.81 / gap
    assert ((stiffness > 1000.0) & (stiffness < 1200.0)).all()


def test_the_strongest_grip_holds_1_point_6_kg_and_loses_2() -> None:
    world = exact([1.2, 1.6, 2.0])
    lifted(world, 0.4, STRONGEST, 20)
    assert world.lost().tolist() == [False, False, True]
    assert np.abs(world.tabletop.cube_position[:2, :2]).max() < 0.02


def test_a_weaker_grip_holds_what_its_force_holds() -> None:
    """A squeeze of .5 presses with 10 N a finger, which hold 10 N of weight: 1 kg at rest."""
    world = exact([0.5, 1.2])
    lifted(world, 0.0, 0.0, 10)
    lifted(world, 0.2, 0.0, 20)
    np.testing.assert_allclose(world.squeeze(), 0.5)
    assert world.lost().tolist() == [False, True]


def test_a_lost_cube_ends_the_episode_without_reward() -> None:
    world = exact([0.5])
    lifted(world, 0.0, NONE, 12)
    assert world.squeeze()[0] == pytest.approx(0.0)
    assert not world.lost()[0]  # it lies on the table, between the fingers
    lifted(world, 0.5, NONE, 7)
    step = world.step(np.array([[0.5, NONE]]))
    assert step.ended[0]
    assert step.terminated[0]
    assert world.lost()[0]
    assert step.reward[0] == 0.0
    hand = world.tabletop.end_effector_position
    assert np.linalg.norm(hand - world.tabletop.cube_position) > LOST_M
    world.reset(np.array([0]))
    assert not world.lost()[0]


def test_a_reset_of_some_scenes_leaves_the_others() -> None:
    world = LiftWorld(LiftConfig(), 3, seed=2)
    lifted(world, 0.5, STRONGEST, 8)
    mass, goal, height = world.hidden(), world.goal.copy(), world.tabletop.cube_position[:, 2]
    world.reset(np.array([1]))
    np.testing.assert_array_equal(world.hidden()[[0, 2]], mass[[0, 2]])
    np.testing.assert_array_equal(world.goal[[0, 2]], goal[[0, 2]])
    np.testing.assert_array_equal(world.tabletop.cube_position[[0, 2], 2], height[[0, 2]])
    assert world.hidden()[1] != mass[1]
    assert world.tabletop.cube_position[1, 2] == pytest.approx(0.02)


def test_a_restored_world_draws_the_same_episodes() -> None:
    world = LiftWorld(LiftConfig(), 2, seed=1)
    state = world.state_dict()
    expected, mass = world.reset(), world.hidden()
    world.load_state_dict(state)
    np.testing.assert_array_equal(world.reset(), expected)
    np.testing.assert_array_equal(world.hidden(), mass)


def test_goals_out_of_reach_are_refused() -> None:
    with pytest.raises(WorldError, match=r"--task.goal-height 0.1 0.3 must be a range"):
        LiftWorld(LiftConfig(goal_height=(0.1, 0.3)), 1)


# Contexts -----------------------------------------------------------------------------------------


def test_masses_can_be_fixed_and_drawn_again() -> None:
    world, plain = LiftWorld(LiftConfig(), 3, seed=1), LiftWorld(LiftConfig(), 3, seed=1)
    world.set_contexts(np.array([0, 2]), np.array([[0.3], [1.5]]))
    for made in (world, plain):
        made.reset()
    drawn = plain.hidden()
    np.testing.assert_array_equal(world.hidden()[:, 0], [0.3, drawn[1, 0], 1.5])
    world.set_contexts(np.arange(3), np.array([0.7]))
    for made in (world, plain):
        made.reset()
    assert (world.hidden() == 0.7).all()
    world.set_contexts(np.arange(3), None)
    for made in (world, plain):
        made.reset()
    np.testing.assert_array_equal(world.hidden(), plain.hidden())


def test_the_sets_are_ranges_and_no_lists() -> None:
    world = LiftWorld(LiftConfig(), 1)
    with pytest.raises(WorldError, match=r"0\.05 to 0\.07 kg, 1\.4 to 1\.6 kg.*set_contexts"):
        world.contexts("extreme")
    with pytest.raises(WorldError, match="no set of contexts 'foo'"):
        world.contexts("foo")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "values", "said"),
    [
        ([0], [[0.0]], "must be positive"),
        ([0], [[np.nan]], "must be positive"),
        ([0], [0.5, 0.5], r"shape \(2,\), expected \(1, 1\)"),
        ([0, 1], [[0.5]], r"shape \(1, 1\), expected \(2, 1\)"),
        ([2], [0.5], "no scene 2"),
        ([0], ["heavy"], "a mass in kg"),
    ],
)
def test_masses_that_do_not_fit_are_explained(ids: list[int], values: Any, said: str) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(WorldError, match=said):
        LiftWorld(LiftConfig(), 2).set_contexts(np.array(ids), values)
