"""The policy of one arm: its rate, its pipeline, and the life of its recurrent state."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from tests.support.controller_bench import Bench, bench, fine_bench
from tests.support.lift_policy import LiftPolicy

from skill_proto.arrays import Array
from skill_robots.arm import ArmState
from skill_robots.franka.specs import PANDA
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.policy_runner import (
    MAX_PAUSE_S,
    PolicyRunner,
    RateMismatchError,
    ticks_per_action,
)
from skill_runtime.policy import OnnxPolicy, PolicyOutput

PolicyFileFactory = Callable[..., Path]

SKILL = np.array([1.0, 0.0])
STATE = ArmState(
    time_s=0.0, joint_position=PANDA.neutral, joint_velocity=np.zeros(7), gripper_width=0.02
)


class WatchedPolicy(OnnxPolicy):
    """Records the previous actions that it is given."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.previous: list[Array | None] = []
        self.resets = 0

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        self.previous.append(previous_action)
        return super().step(observation, skill, goal, previous_action)

    def reset_slot(self, slot: int) -> None:
        self.resets += 1
        super().reset_slot(slot)


@pytest.fixture
def policy(policy_file: Path) -> WatchedPolicy:
    return WatchedPolicy(policy_file)


def make_runner(policy: WatchedPolicy) -> PolicyRunner:
    return PolicyRunner(policy, PolicyAdapter(PANDA, policy.manifest, 0.005), 0.005)


def run(runner: PolicyRunner) -> PolicyOutput:
    return runner.run(np.zeros(runner.policy.manifest.observation_size), SKILL, by_goal=False)


def test_after_a_short_pause_the_previous_action_is_zero(policy: WatchedPolicy) -> None:
    runner = make_runner(policy)
    assert run(runner) is runner.output
    runner.pause(MAX_PAUSE_S)
    assert runner.output is None
    runner.start(STATE)
    run(runner)
    assert policy.resets == 0
    assert policy.previous[0] is None
    np.testing.assert_array_equal(policy.previous[1], np.zeros(policy.manifest.action_size))


def test_after_a_short_pause_the_previous_action_names_the_width_of_the_gripper() -> None:
    """A zero would say half open."""
    policy = LiftPolicy()
    given: list[Array | None] = []

    class Watched(LiftPolicy):
        def step(
            self,
            observation: Array,
            skill: Array | None = None,
            goal: Array | None = None,
            previous_action: Array | None = None,
        ) -> PolicyOutput:
            given.append(previous_action)
            return policy.step(observation, skill, goal, previous_action)

    runner = PolicyRunner(Watched(), PolicyAdapter(PANDA, policy.manifest, 0.005), 0.005)
    observation = np.zeros(policy.manifest.observation_size)
    runner.run(observation, SKILL, by_goal=False)
    runner.pause(MAX_PAUSE_S)
    runner.start(STATE)
    runner.run(observation, SKILL, by_goal=False)
    assert given[1] is not None
    np.testing.assert_allclose(given[1], [0.0, 0.0, 0.0, -0.5])  # 0.02 of 0.08 m


@pytest.mark.parametrize("pauses", [[0.3, 0.3], [math.inf]])
def test_after_a_long_pause_the_recurrent_state_is_reset(
    policy: WatchedPolicy, pauses: list[float]
) -> None:
    runner = make_runner(policy)
    run(runner)
    for seconds in pauses:
        runner.pause(seconds)
    runner.start(STATE)
    run(runner)
    assert policy.resets == 1
    assert policy.previous == [None, None]


def test_an_applied_action_is_given_once(policy: WatchedPolicy) -> None:
    runner = make_runner(policy)
    run(runner)
    runner.set_applied(np.full(policy.manifest.action_size, 0.5))
    run(runner)
    run(runner)
    np.testing.assert_array_equal(policy.previous[1], np.full(policy.manifest.action_size, 0.5))
    assert policy.previous[2] is None


def test_a_reset_forgets_the_applied_action(policy: WatchedPolicy) -> None:
    runner = make_runner(policy)
    run(runner)
    runner.set_applied(np.ones(policy.manifest.action_size))
    runner.reset()
    assert runner.output is None
    run(runner)
    assert (policy.resets, policy.previous[1]) == (1, None)


@pytest.mark.parametrize(("servo_hz", "ticks"), [(25.0, 1), (200.0, 8), (1000.0, 40)])
def test_servo_periods_in_one_of_the_policy(servo_hz: float, ticks: int) -> None:
    assert ticks_per_action(25.0, 1.0 / servo_hz) == ticks


@pytest.mark.parametrize("servo_hz", [20.0, 110.0])
def test_rates_that_do_not_fit_are_refused(servo_hz: float) -> None:
    with pytest.raises(RateMismatchError, match=r"25 Hz.*whole multiple"):
        ticks_per_action(25.0, 1.0 / servo_hz)


# On the arm -----------------------------------------------------------------------------------


def test_serving_gives_the_actions_that_evaluation_gives(policy_file: Path) -> None:
    """Train/serve parity with the tabletop of training: same file, seed and scene."""
    skill = np.array([0.6, 0.8])
    table = Tabletop(TabletopConfig(), 1, seed=5)
    evaluated = OnnxPolicy(policy_file)
    served = bench(policy_file, MujocoArm(TabletopConfig(), seed=5))
    served.skill(*skill)
    for _ in range(100):
        action = evaluated.act(table.observe(PUSH_OBSERVATION), skill=skill[None])
        table.step(action)
        served.run(0.04)
        assert served.controller.output is not None
        np.testing.assert_allclose(served.controller.output.action, action, atol=1e-6)
    cube = served.controller.arm.read().objects["cube"].position
    np.testing.assert_allclose(cube, table.cube_position[0], atol=1e-6)
    assert np.linalg.norm(table.cube_position[0, :2]) > 0.1  # it did push
    assert sum(served.controller.interventions.values()) == 0


def test_the_policy_starts_at_once_and_keeps_its_rhythm(policy_file: Path) -> None:
    served = bench(policy_file)
    served.run(0.015)  # an odd number of servo periods
    served.skill(1, 0)
    outputs: list[object] = []
    for _ in range(24):
        served.run(0.005)
        outputs.append(served.controller.output)
    changes = [i for i in range(24) if i == 0 or outputs[i] is not outputs[i - 1]]
    assert changes == [0, 8, 16]


def test_a_new_skill_keeps_rhythm_and_recurrent_state(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    served = bench(make_policy_file(tmp_path, recurrent=True))
    served.skill(1, 0)
    served.run(0.4)
    before = served.controller.output
    served.skill(0, 1)
    served.run(0.02)
    assert served.controller.output is not None
    assert before is not None
    assert before.context is not None
    assert served.controller.output.context is not None
    assert np.abs(served.controller.output.context).max() > 0.5 * np.abs(before.context).max()


def state_is_fresh(served: Bench) -> bool:
    """Runs a skill for one step: the context of a fresh recurrent state is the cube's xy."""
    served.skill(1, 0)
    served.run(0.005)
    cube = served.controller.state.objects["cube"].position[:2]
    assert served.controller.output is not None
    assert served.controller.output.context is not None
    return bool(np.allclose(served.controller.output.context[0], cube, atol=1e-6))


@pytest.fixture
def recurrent(make_policy_file: PolicyFileFactory, tmp_path: Path) -> Bench:
    """A controller whose recurrent policy has acted for half a second."""
    served = bench(make_policy_file(tmp_path, recurrent=True))
    assert state_is_fresh(served)
    served.run(0.5)
    return served


def hold(served: Bench, seconds: float) -> None:
    served.command("hold", [0.0], "hold")
    served.authority.command = None
    served.run(seconds)
    assert served.controller.output is None


def test_a_short_hold_keeps_the_recurrent_state_and_a_long_one_resets_it(recurrent: Bench) -> None:
    hold(recurrent, MAX_PAUSE_S - 0.01)
    assert not state_is_fresh(recurrent)
    hold(recurrent, MAX_PAUSE_S + 0.01)
    assert state_is_fresh(recurrent)


def test_after_a_hold_the_previous_action_is_zero(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    graph = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,3] previous_action) => (float[batch,3] action)
        <float step = {0.1}>
        { action = Add (previous_action, step) }"""
    )
    no_skill = {"kind": "none", "size": 0}
    path = make_policy_file(tmp_path, model=graph, goal=None, skill=no_skill, representation=None)
    served = bench(path)
    served.command("skill", [], "skill")
    served.run(0.12)
    assert served.controller.output is not None
    np.testing.assert_allclose(served.controller.output.action, 0.3, rtol=1e-6)
    hold(served, 0.1)
    served.command("skill", [], "skill")
    served.run(0.08)
    assert served.controller.output is not None
    np.testing.assert_allclose(served.controller.output.action, 0.2, rtol=1e-6)


def test_a_long_hold_forgets_the_action_that_was_applied_before_it(policy: WatchedPolicy) -> None:
    runner = make_runner(policy)
    run(runner)
    runner.set_applied(np.array([0.1, 0.2, 0.3]))
    runner.pause(MAX_PAUSE_S + 0.01)
    runner.start(STATE)
    run(runner)
    assert policy.previous[-1] is None


def test_a_servo_command_of_any_length_resets_the_recurrent_state(recurrent: Bench) -> None:
    recurrent.command("servo_pose", [0.0, 0.1, 0.15], "servo")
    recurrent.run(0.05)
    assert state_is_fresh(recurrent)


@pytest.mark.parametrize("ending", ["stop", "fault", "reset"])
def test_stops_faults_and_resets_reset_the_recurrent_state(recurrent: Bench, ending: str) -> None:
    if ending == "reset":
        recurrent.controller.reset(3)
    else:
        getattr(recurrent.authority, ending)("test")
        recurrent.run(0.005)
        recurrent.authority.clear(0.0)
    assert state_is_fresh(recurrent)


def test_a_recurrent_state_that_is_not_finite_is_a_fault_and_reset(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    """The action stays finite; the next recurrent state is infinite."""
    graph = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,2] skill, float[batch,2] memory)
          => (float[batch,3] action, float[batch,2] next_memory, float[batch,2] context)
        <int64[3] first = {0, 1, 2}, float huge = {1e20}, float zero = {0}>
        { much = Mul (skill, huge)
          more = Mul (much, huge)
          next_memory = Add (more, memory)
          context = Identity (memory)
          x = Gather <axis = 1> (observation, first)
          action = Mul (x, zero) }"""
    )
    path = make_policy_file(tmp_path, model=graph, recurrent=True, goal=None)
    served = bench(path)
    served.skill(1, 0)
    served.run(0.02)
    assert served.authority.mode == "fault"
    assert (
        "the policy failed: its recurrent state is not finite" in served.authority.events.last_event
    )
    assert served.controller.runner.policy.step(np.zeros(28), [1e-5, 0.0]).is_finite.all()  # type: ignore[arg-type]  OnnxPolicy takes lists


def test_an_arm_whose_rate_does_not_fit_the_policy_is_refused(policy_file: Path) -> None:
    arm = MujocoArm(TabletopConfig(physics_step_s=0.006))
    with pytest.raises(RateMismatchError, match=r"25 Hz.*multiple"):
        ArmController(arm, OnnxPolicy(policy_file))


def test_at_1_khz_a_policy_step_takes_three_periods(policy_file: Path) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    steps: list[tuple[bool, bool]] = []
    for _ in range(3):
        served.run(0.001)
        moves = np.abs(served.controller.adapter.setpoint_velocity).max() > 0.0
        steps.append((served.controller.output is not None, bool(moves)))
    assert steps == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize("how", ["stop", "servo"])
def test_at_1_khz_a_stop_or_a_new_command_discards_the_pending_action(
    policy_file: Path, how: str, periods: int
) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    served.run(0.001 * periods)
    here = served.controller.adapter.setpoint.copy()
    if how == "stop":
        served.authority.stop("obstacle")
    else:
        served.command("servo_joint", here, "servo")
    served.run(0.1)
    np.testing.assert_array_equal(served.controller.adapter.setpoint, here)


@pytest.mark.parametrize("periods", [1, 2])
def test_at_1_khz_a_reset_discards_the_pending_policy_step(policy_file: Path, periods: int) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    served.run(0.001 * periods)
    served.controller.reset()
    served.skill(-1, 0)
    served.run(0.001)
    assert served.controller.output is None
    served.run(0.001)
    assert np.abs(served.controller.adapter.setpoint_velocity).max() == 0.0
    served.run(0.001)
    assert np.abs(served.controller.adapter.setpoint_velocity).max() > 0.0
