"""The goal monitor: hand-computed series of distances, and a real policy with real physics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.controller_bench import Bench, bench

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace, PolicyManifest
from skill_robots.arm import ArmState
from skill_robots.franka.specs import PANDA
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.control.goal_monitor import NO_PROGRESS_S, GoalMonitor, achieved_value

PERIOD_S = 0.005
ORIGIN = np.zeros(2)


def goal_space(**changes: Any) -> GoalSpace:  # noqa: ANN401  fields have many types
    fields: dict[str, Any] = {
        "field": "cube_position",
        "components": (0, 1),
        "unit": "m",
        "frame": "world",
        "stop_radius": 0.02,
        "low": (-0.15, -0.15),
        "high": (0.15, 0.15),
    }
    return GoalSpace(**(fields | changes))


class Clock:
    """Feeds a monitor one measurement a tick."""

    def __init__(self, monitor: GoalMonitor | None = None) -> None:
        self.monitor = monitor or GoalMonitor(goal_space())
        self.now = 100.0

    def tick(self, x: float | None, goal: Array | None = ORIGIN) -> str | None:
        """The cube is at ``(x, 0)``, or unseen."""
        self.now += PERIOD_S
        achieved = None if x is None else np.array([x, 0.0, 0.02])
        self.monitor.update(goal, achieved, self.now)
        return self.monitor.status

    def rest(
        self, x: float | None, seconds: float, goal: Array | None = ORIGIN
    ) -> list[str | None]:
        return [self.tick(x, goal) for _ in range(round(seconds / PERIOD_S))]

    def move(self, places: Sequence[float], seconds: float) -> list[str | None]:
        """Moves the cube along straight lines through ``places``, in ``seconds`` in all."""
        ticks = round(seconds / PERIOD_S)
        path = np.interp(np.linspace(0, len(places) - 1, ticks), range(len(places)), places)
        return [self.tick(float(x)) for x in path]


def test_distance_uses_the_components_of_the_goal() -> None:
    monitor = GoalMonitor(goal_space(components=(2, 0)))
    monitor.update(np.array([0.1, 0.2]), np.array([0.5, 9.0, 0.5]), 0.0)
    assert monitor.distance == pytest.approx(0.5)  # 0.4 in z, 0.3 in x
    assert monitor.status == "approaching"


def test_no_goal_gives_neither_distance_nor_status() -> None:
    for monitor in (GoalMonitor(goal_space()), GoalMonitor(None)):
        assert (monitor.distance, monitor.status) == (None, None)
        monitor.update(None, np.zeros(3), 0.0)
        assert (monitor.distance, monitor.status) == (None, None)
    policy_without_goals = GoalMonitor(None)
    policy_without_goals.update(ORIGIN, np.zeros(3), 0.0)
    assert (policy_without_goals.distance, policy_without_goals.status) == (None, None)


def test_a_goal_is_reached_within_the_stop_radius_and_released_at_one_and_a_half() -> None:
    clock = Clock()
    places = (0.021, 0.0201, 0.0199, 0.021, 0.0299, 0.0301, 0.021, 0.0199)
    assert [clock.tick(x) for x in places] == [
        *("approaching", "approaching", "reached", "reached"),
        *("reached", "approaching", "approaching", "reached"),
    ]


def test_a_goal_where_the_cube_already_lies_is_reached_at_once() -> None:
    assert Clock().tick(0.0) == "reached"


def test_a_reached_goal_stays_reached() -> None:
    assert set(Clock().rest(0.01, 3 * NO_PROGRESS_S)) == {"reached"}


def test_a_cube_at_rest_makes_no_progress() -> None:
    clock = Clock()
    statuses = clock.rest(0.15, 2 * NO_PROGRESS_S)
    first = statuses.index("no_progress")
    assert first * PERIOD_S == pytest.approx(NO_PROGRESS_S, abs=0.011)
    assert set(statuses[first:]) == {"no_progress"}
    assert clock.monitor.distance == pytest.approx(0.15)


def test_a_steady_approach_makes_progress_however_slow() -> None:
    """13 cm in 40 s are 1 cm in 3.1 s."""
    clock = Clock()
    assert set(clock.move((0.15, 0.021), 40.0)) == {"approaching"}


def test_millimetres_are_no_progress() -> None:
    clock = Clock()
    clock.rest(0.15, 1.0)
    assert clock.move((0.15, 0.141), NO_PROGRESS_S + 0.1)[-1] == "no_progress"


def test_progress_ends_no_progress() -> None:
    clock = Clock()
    clock.rest(0.15, NO_PROGRESS_S + 1.0)
    assert clock.tick(0.141) == "no_progress"
    assert clock.tick(0.139) == "approaching"
    assert clock.rest(0.139, NO_PROGRESS_S - 0.1)[-1] == "approaching"
    assert clock.rest(0.139, 0.3)[-1] == "no_progress"


def test_a_way_around_of_a_few_seconds_is_no_alarm() -> None:
    """The cube is pushed away from 5 to 12 cm and brought to the goal, in 4 s."""
    clock = Clock()
    clock.move((0.15, 0.05), 2.0)
    assert "no_progress" not in clock.move((0.05, 0.12, 0.0), 4.0)
    assert clock.monitor.status == "reached"


def test_an_endless_cycle_makes_no_progress() -> None:
    """The cube is pushed away and brought back, never nearer than 5 cm."""
    clock = Clock()
    clock.tick(0.15)
    statuses = [status for _ in range(10) for status in clock.move((0.12, 0.05, 0.12), 2.0)]
    first = statuses.index("no_progress")
    assert set(statuses[first:]) == {"no_progress"}


def test_the_way_back_counts_from_the_farthest_place() -> None:
    """A cube that lies stuck is carried to 40 cm and approaches again."""
    clock = Clock()
    clock.rest(0.10, NO_PROGRESS_S + 1.0)
    assert clock.tick(0.40) == "no_progress"
    assert clock.tick(0.385) == "approaching"
    assert set(clock.move((0.385, 0.021), 20.0)) == {"approaching"}


def test_a_cube_that_slides_over_the_goal_gets_its_time_again() -> None:
    """The time before the goal was reached does not count, and the way back is progress."""
    clock = Clock()
    clock.rest(0.15, NO_PROGRESS_S - 0.5)
    assert clock.move((0.15, 0.0), 0.2)[-1] == "reached"
    assert set(clock.move((0.031, 0.12), 1.0)) == {"approaching"}
    statuses = clock.move((0.12, 0.12, 0.12, 0.0), 5.0)
    assert "no_progress" not in statuses
    assert statuses[-1] == "reached"


@pytest.mark.parametrize("pause", [True, False])
def test_a_new_goal_starts_over(pause: bool) -> None:
    clock = Clock()
    goal = np.array([-0.05, 0.0])
    clock.rest(0.15, NO_PROGRESS_S + 1.0)
    if pause:
        assert clock.tick(0.15, None) is None
        assert clock.monitor.distance is None
        goal = ORIGIN  # the same goal after a hold
    assert clock.rest(0.15, NO_PROGRESS_S - 0.1, goal)[-1] == "approaching"
    assert clock.rest(0.15, 0.3, goal)[-1] == "no_progress"


def test_a_new_goal_beside_a_reached_one_is_not_reached() -> None:
    clock = Clock()
    assert clock.tick(0.0) == "reached"
    assert clock.tick(0.0, np.array([0.025, 0.0])) == "approaching"


def test_a_repeated_or_trembling_goal_is_one_goal() -> None:
    clock = Clock()
    random = np.random.default_rng(0)
    for _ in range(round((NO_PROGRESS_S + 0.1) / PERIOD_S)):
        clock.tick(0.15, random.uniform(-0.002, 0.002, 2))
    assert clock.monitor.status == "no_progress"


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
def test_an_unseen_cube_has_no_distance_and_its_time_does_not_count(missing: float | None) -> None:
    clock = Clock()
    clock.rest(0.15, NO_PROGRESS_S - 1.0)
    assert set(clock.rest(missing, 60.0)) == {None}
    assert clock.monitor.distance is None
    assert clock.rest(0.15, 0.9)[-1] == "approaching"
    assert clock.rest(0.15, 0.3)[-1] == "no_progress"


def test_a_clock_that_runs_back_is_harmless() -> None:
    clock = Clock()
    clock.tick(0.15)
    clock.now = 50.0
    assert clock.rest(0.15, NO_PROGRESS_S + 0.1)[-1] == "no_progress"


# With the controller -------------------------------------------------------------------------


class Watched:
    """A bench with a monitor of its goal."""

    def __init__(self, served: Bench) -> None:
        self.served = served
        self.space = served.controller.manifest.goal
        self.monitor = GoalMonitor(self.space)

    def run(self, goal: tuple[float, float], seconds: float) -> list[str | None]:
        served = self.served
        served.command("goal", [*goal], "goal")
        statuses = list[str | None]()
        for _ in range(round(seconds / PERIOD_S)):
            served.run(PERIOD_S)
            controller = served.controller
            achieved = achieved_value(self.space, controller.state, controller.adapter)
            self.monitor.update(np.array(goal), achieved, served.now)
            statuses.append(self.monitor.status)
        return statuses


def test_a_policy_reaches_its_goal_and_makes_no_progress_with_a_cube_that_does_not_move(
    policy_file: Path,
) -> None:
    arm = MujocoArm()
    watched = Watched(bench(policy_file, arm))
    watched.served.controller.reset(3)
    statuses = watched.run((-0.10, 0.10), 12.0)
    assert statuses[0] == "approaching"
    assert "reached" in statuses
    assert "no_progress" not in statuses[: statuses.index("reached")]
    arm.set_context(mass=200.0, friction=2.0)
    statuses = watched.run((0.10, -0.10), NO_PROGRESS_S + 1.0)
    assert statuses[-1] == "no_progress"
    assert watched.monitor.distance is not None
    assert watched.monitor.distance > 0.1


# The quantity that a goal refers to ----------------------------------------------------------


def measured(served: Bench, field: str) -> Array:
    controller = served.controller
    value = achieved_value(goal_space(field=field), controller.state, controller.adapter)
    assert value is not None
    return value


def test_the_achieved_value_is_that_of_the_goal_field(policy_file: Path) -> None:
    served = bench(policy_file)
    controller, state = served.controller, served.controller.state
    cube = state.objects["cube"]
    hand = controller.measured_end_effector()[0]
    expected: dict[str, Array] = {
        "cube_position": cube.position,
        "cube_velocity": cube.velocity,
        "cube_angular_velocity": cube.angular_velocity,
        "cube_from_end_effector": cube.position - hand,
        "joint_position": state.joint_position,
        "joint_velocity": state.joint_velocity,
        "end_effector_position": hand,
        "gripper_width": np.array([state.gripper_width]),
    }
    for field, value in expected.items():
        np.testing.assert_allclose(measured(served, field), value, atol=1e-9, err_msg=field)
    quaternion = measured(served, "cube_quaternion")
    np.testing.assert_allclose(np.abs(quaternion), np.abs(cube.quaternion))


@pytest.mark.parametrize("field", ["cube_position", "cube_quaternion", "cube_from_end_effector"])
def test_an_object_that_is_not_observed_has_no_value(policy_file: Path, field: str) -> None:
    controller = bench(policy_file).controller
    state = controller.state
    unseen = ArmState(
        time_s=state.time_s,
        joint_position=state.joint_position,
        joint_velocity=state.joint_velocity,
        gripper_width=0.0,
    )
    assert achieved_value(goal_space(field=field), unseen, controller.adapter) is None
    assert achieved_value(None, state, controller.adapter) is None


def test_an_object_that_the_policy_does_not_observe_has_a_position_only(
    policy_file: Path, make_manifest: Callable[..., PolicyManifest]
) -> None:
    state = bench(policy_file).controller.state
    hand = {"name": "joint_position", "size": 7, "unit": "rad", "frame": "joint"}
    blind = make_manifest(observation=[hand], goal=None, representation=None)
    adapter = PolicyAdapter(PANDA, blind, PERIOD_S)
    adapter.reset(state)
    position = achieved_value(goal_space(), state, adapter)
    assert position is state.objects["cube"].position
    for field in ("cube_quaternion", "cube_from_end_effector"):
        assert achieved_value(goal_space(field=field), state, adapter) is None
