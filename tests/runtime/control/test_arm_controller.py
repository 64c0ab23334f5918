"""The pilot on the real simulated arm with real policy files, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Acquire, Track
from skill_robots.arm import ArmCommunicationError, ArmContactError, ArmError, ArmState, JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand, CommandHeader
from skill_runtime.authority.modes import Event
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.control.policy_runner import MAX_PAUSE_S, RateMismatchError
from skill_runtime.control.simulated_scene import context_of, set_context
from skill_runtime.fault_injection.faulty_arm import ArmTrouble, FaultyArm, FollowerArm
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_runtime.realtime.clock import ManualClock

PolicyFileFactory = Callable[..., Path]

# Behaves until the skill points along +x, then fails in one of two ways.
FAULTY_GRAPH = """
<ir_version: 10, opset_import: ["" : 20]>
faulty (float[batch,28] observation, float[batch,3] previous_action, float[batch,2] skill,
        float[batch,2] goal, float[batch,1] use_goal)
  => (float[batch,3] action, float[batch,2] skill_used)
<int64[1] x = {{0}}, int64[3] three = {{0, 0, 0}}, float much = {{0.9}}, float zero = {{0}}>
{{
  skill_x = Gather <axis = 1> (skill, x)
  bad = Greater (skill_x, much)
  thrice = Gather <axis = 1> (skill_x, three)
  rest = Mul (thrice, zero)
  {failure}
  skill_used = Identity (skill)
}}
"""
NAN = """
  nan = Div (zero, zero)
  action = Where (bad, nan, rest)
"""
CRASH = """
  index = Cast <to = 7> (bad)
  hundred = Constant <value_int = 100> ()
  far = Mul (index, hundred)
  flat = Squeeze (far)
  picked = Gather <axis = 1> (rest, flat)
  action = Add (rest, picked)
"""


@dataclass
class Bench:
    """A pilot, its authority, and simulated time."""

    pilot: ArmController
    authority: Authority = field(default_factory=Authority)
    now: float = 0.0
    seq: int = 0
    token: str = ""

    def command(
        self, kind: str, vector: list[float] | Array, event: Event, valid_for_s: float = 60.0
    ) -> None:
        if self.authority.lease is None:
            self.token = self.authority.acquire(Acquire(holder="t", ttl_s=60), self.now).token
            self.seq = 0
        self.seq += 1
        order = CommandHeader(
            lease=self.token, seq=self.seq, reference_time=self.now, valid_for_s=valid_for_s
        )
        expires = self.authority.check(order, event, self.now)
        running = ActiveCommand(kind=kind, vector=np.asarray(vector, float), expires=expires)
        self.authority.accept(order, event, running)

    def skill(self, *z: float, valid_for_s: float = 60.0) -> None:
        self.command("skill", [*z], "skill", valid_for_s)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / self.pilot.arm.servo_period_s)):
            self.authority.advance(self.now)
            self.pilot.step(self.authority, self.now)
            self.now += self.pilot.arm.servo_period_s

    def clear(self) -> None:
        """As the dispatcher does."""
        kind = self.authority.fault_class
        if kind is not None:
            self.pilot.check_at_rest()
        self.authority.clear(self.now)
        if kind is not None:
            self.pilot.recover(kind)

    @property
    def speed(self) -> float:
        return float(np.abs(self.pilot.arm.read().joint_velocity).max())


def bench(model: Path, arm: MujocoArm | None = None) -> Bench:
    return Bench(ArmController(arm or MujocoArm(), OnnxPolicy(model)))


def faulty(make_policy_file: PolicyFileFactory, folder: Path, failure: str) -> Path:
    model = onnx.parser.parse_model(FAULTY_GRAPH.format(failure=failure))
    onnx.checker.check_model(model, full_check=True)
    return make_policy_file(folder, model=model)


def test_serving_gives_the_actions_that_evaluation_gives(policy_file: Path) -> None:
    """Train/serve parity: same file, seed and scene; the tabletop is what training steps."""
    skill = np.array([0.6, 0.8])
    table = Tabletop(TabletopConfig(), 1, seed=5)
    evaluated = OnnxPolicy(policy_file)
    served = bench(policy_file, MujocoArm(TabletopConfig(), seed=5))
    served.skill(*skill)
    for _ in range(100):
        action = evaluated.act(table.observe(PUSH_OBSERVATION), skill=skill[None])
        table.step(action)
        served.run(0.04)
        assert served.pilot.output is not None
        np.testing.assert_allclose(served.pilot.output.action, action, atol=1e-6)
    cube = served.pilot.arm.read().objects["cube"].position
    np.testing.assert_allclose(cube, table.cube_position[0], atol=1e-6)
    assert np.linalg.norm(table.cube_position[0, :2]) > 0.1  # it did push
    assert sum(served.pilot.governor.interventions.values()) == 0


def test_the_policy_starts_at_once_and_keeps_its_rhythm(policy_file: Path) -> None:
    served = bench(policy_file)
    served.run(0.015)  # an odd number of servo periods
    served.skill(1, 0)
    outputs: list[object] = []
    for _ in range(24):
        served.run(0.005)
        outputs.append(served.pilot.output)
    changes = [i for i in range(24) if i == 0 or outputs[i] is not outputs[i - 1]]
    assert changes == [0, 8, 16]


def test_a_new_skill_neither_breaks_the_rhythm_nor_forgets(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    served = bench(make_policy_file(tmp_path, recurrent=True))
    served.skill(1, 0)
    served.run(0.4)
    before = served.pilot.output
    served.skill(0, 1)
    served.run(0.02)
    assert served.pilot.output is not None
    assert before is not None
    assert before.context is not None
    assert served.pilot.output.context is not None
    assert np.abs(served.pilot.output.context).max() > 0.5 * np.abs(before.context).max()


def memory_is_fresh(served: Bench) -> bool:
    """Runs a skill for one step: a fresh context is cube xy, any other more than that."""
    served.skill(1, 0)
    served.run(0.005)
    cube = served.pilot.state.objects["cube"].position[:2]
    assert served.pilot.output is not None
    assert served.pilot.output.context is not None
    return bool(np.allclose(served.pilot.output.context[0], cube, atol=1e-6))


@pytest.fixture
def remembering(make_policy_file: PolicyFileFactory, tmp_path: Path) -> Bench:
    """A pilot whose policy has acted for half a second and remembers it."""
    served = bench(make_policy_file(tmp_path, recurrent=True))
    assert memory_is_fresh(served)
    served.run(0.5)
    return served


def hold(served: Bench, seconds: float) -> None:
    served.command("hold", [0.0], "hold")
    served.authority.command = None
    served.run(seconds)
    assert served.pilot.output is None


def test_the_memory_outlasts_a_short_hold_and_no_long_one(remembering: Bench) -> None:
    hold(remembering, MAX_PAUSE_S - 0.01)
    assert not memory_is_fresh(remembering)
    hold(remembering, MAX_PAUSE_S + 0.01)
    assert memory_is_fresh(remembering)


def test_after_a_hold_what_was_done_last_is_nothing(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    tells = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,3] previous_action) => (float[batch,3] action)
        <float step = {0.1}>
        { action = Add (previous_action, step) }"""
    )
    nothing = {"kind": "none", "size": 0}
    path = make_policy_file(tmp_path, model=tells, goal=None, skill=nothing, representation=None)
    served = bench(path)
    served.command("skill", [], "skill")
    served.run(0.12)
    assert served.pilot.output is not None
    np.testing.assert_allclose(served.pilot.output.action, 0.3, rtol=1e-6)
    hold(served, 0.1)
    served.command("skill", [], "skill")
    served.run(0.08)
    assert served.pilot.output is not None
    np.testing.assert_allclose(served.pilot.output.action, 0.2, rtol=1e-6)


def test_a_servo_command_however_short_ends_what_the_policy_knows(remembering: Bench) -> None:
    remembering.command("servo_pose", [0.0, 0.1, 0.15], "servo")
    remembering.run(0.05)
    assert memory_is_fresh(remembering)


@pytest.mark.parametrize("ending", ["stop", "fault", "reset"])
def test_stops_faults_and_resets_end_what_the_policy_knows(remembering: Bench, ending: str) -> None:
    if ending == "reset":
        remembering.pilot.reset(3)
    else:
        getattr(remembering.authority, ending)("test")
        remembering.run(0.005)
        remembering.authority.clear(0.0)
    assert memory_is_fresh(remembering)


def test_a_changed_object_is_for_the_policy_to_notice(remembering: Bench) -> None:
    assert remembering.pilot.output is not None
    before = remembering.pilot.output.context
    assert before is not None
    set_context(remembering.pilot.arm, mass=5.0, friction=0.1)
    remembering.run(0.04)
    cube = remembering.pilot.state.objects["cube"].position[:2]
    after = remembering.pilot.output.context
    assert after is not None
    np.testing.assert_allclose(after, before / 2 + cube, atol=2e-3)  # the cube moves meanwhile


def test_a_memory_that_is_not_finite_is_a_fault_and_forgotten(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    """The action stays finite; what would act next is infinite."""
    grows = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,2] skill, float[batch,2] memory)
          => (float[batch,3] action, float[batch,2] next_memory, float[batch,2] context)
        <int64[3] first = {0, 1, 2}, float huge = {1e38}, float zero = {0}>
        { much = Mul (skill, huge)
          more = Mul (much, huge)
          next_memory = Add (more, memory)
          context = Identity (memory)
          x = Gather <axis = 1> (observation, first)
          action = Mul (x, zero) }"""
    )
    path = make_policy_file(tmp_path, model=grows, recurrent=True, goal=None)
    served = bench(path)
    served.skill(1, 0)
    served.run(0.02)
    assert served.authority.mode == "fault"
    assert "the policy failed: its recurrent state is not finite" in served.authority.last_event
    assert served.pilot.runner.policy.step(np.zeros(28), [0.0, 0.0]).sound.all()  # type: ignore[arg-type]  what OnnxPolicy takes


@pytest.mark.parametrize("ending", ["command", "lease", "stop"])
def test_whatever_ends_a_command_brings_the_arm_to_rest(policy_file: Path, ending: str) -> None:
    served = bench(policy_file)
    served.skill(1, 0, valid_for_s=0.5 if ending == "command" else 60.0)
    served.run(0.3)
    assert served.speed > 0.1
    if ending == "lease":
        assert served.authority.lease is not None
        served.authority.lease.ttl_s = 0.4
    elif ending == "stop":
        served.authority.stop("test")
    served.run(1.2)
    assert served.authority.mode == ("stopped" if ending == "stop" else "hold")
    assert served.speed < 0.01
    rest = served.pilot.driver.setpoint.copy()
    served.run(1.0)
    np.testing.assert_allclose(served.pilot.driver.setpoint, rest, atol=1e-7)


def test_a_goal_is_reached(policy_file: Path) -> None:
    arm = MujocoArm(seed=1)
    arm.set_context(mass=0.8, friction=0.5)
    served = bench(policy_file, arm)
    goal = served.pilot.state.objects["cube"].position[:2] + np.array([0.0, 0.12])
    served.command("goal", goal, "goal")
    served.run(6.0)
    assert np.linalg.norm(arm.read().objects["cube"].position[:2] - goal) < 0.05


OPENS = """
<ir_version: 10, opset_import: ["" : 20]>
opens (float[batch,28] observation, float[batch,2] skill) => (float[batch,4] action)
<int64[4] four = {0, 1, 2, 3}, float[4] open = {0, 0, 0, 1}, float zero = {0}>
{
  some = Gather <axis = 1> (observation, four)
  rest = Mul (some, zero)
  action = Add (rest, open)
}
"""
HAND_STEP = {
    "name": "gripper_width_displacement",
    "size": 1,
    "scale": 0.2,
    "unit": "m",
    "frame": "none",
}


@pytest.mark.parametrize("grasp", [False, True], ids=["width", "grasp"])
def test_a_reset_in_mid_command_is_the_same_start_hand_included(
    make_policy_file: PolicyFileFactory,
    make_manifest: Callable[..., PolicyManifest],
    tmp_path: Path,
    grasp: bool,
) -> None:
    action = [part.model_dump() for part in make_manifest().action]
    graph = onnx.parser.parse_model(OPENS)
    path = make_policy_file(tmp_path, model=graph, goal=None, action=[*action, HAND_STEP])
    served = bench(path)
    served.pilot.reset(3)
    start = served.pilot.state.gripper_width
    order = CommandHeader(lease="", seq=1, reference_time=0.0)
    served.skill(1, 0)
    command = ActiveCommand(kind="skill", vector=np.array([1.0, 0.0]), expires=60.0, grasp=grasp)
    served.authority.accept(order, "skill", command)
    served.run(0.3)
    if not grasp:
        assert served.pilot.arm.read().gripper_width > 0.07
    served.pilot.reset(3)
    served.authority.accept(order, "reset")
    target = served.pilot.driver.step()
    assert (target.gripper_width, target.grasp) == (None, False)
    served.run(0.2)
    assert served.pilot.arm.read().gripper_width == pytest.approx(start, abs=1e-4) == 0.0


def test_servo_follows_joints_then_pose_at_once(policy_file: Path) -> None:
    served = bench(policy_file)
    joints = served.pilot.state.joint_position + 0.1
    served.command("servo_joint", joints, "servo")
    served.run(1.5)
    np.testing.assert_allclose(served.pilot.arm.read().joint_position, joints, atol=5e-3)
    served.command("servo_pose", [0.0, 0.1, 0.15], "servo")
    served.run(3.0)
    hand = served.pilot.driver.hands(served.pilot.arm.read()).measured[0]
    np.testing.assert_allclose(hand, [0.0, 0.1, 0.15], atol=5e-3)


@pytest.mark.parametrize("kind", ["servo_joint", "servo_pose"])
def test_a_new_servo_target_acts_at_the_next_tick(policy_file: Path, kind: str) -> None:
    """Whatever the policy's rhythm: each of 24 targets, one a tick, turns the set-point at once."""
    served = bench(policy_file)
    served.skill(1, 0)
    served.run(0.015)  # so that the policy's turn would come in the middle of a period
    served.command("hold", [0.0], "hold")
    served.authority.command = None
    served.run(1.0)
    start = served.pilot.driver.setpoint.copy()
    if kind == "servo_pose":
        start = served.pilot.driver.hands(served.pilot.state).setpoint[0]
    for tick in range(24):
        sign = 1.0 if tick % 2 == 0 else -1.0
        step = [0.2] * 7 if kind == "servo_joint" else [0.0, 0.04, 0.0]
        served.command(kind, start + sign * np.array(step), "servo")
        before = served.pilot.driver._setpoint.acceleration[0].copy()
        served.run(0.005)
        change = served.pilot.driver._setpoint.acceleration[0] - before
        assert sign * change[0] > 1.0  # rad/s^2; joint 1 takes the hand to +y


def fine_bench(model: Path) -> Bench:
    """An arm at 1 kHz, 1 ms a tick."""
    return bench(model, MujocoArm(TabletopConfig(physics_step_s=0.001)))


def trailing(
    signal: Array, amplitude: float, period_s: float, step_s: float
) -> tuple[float, float]:
    """Lag [s] and gain of ``signal`` behind ``amplitude sin(2 pi t / period)``."""
    angle = 2 * np.pi * step_s * np.arange(len(signal)) / period_s
    waves = np.stack([np.sin(angle), np.cos(angle), np.ones_like(angle)], axis=1)
    whole = len(signal) // 2  # the first half is for the transient to die away
    sine, cosine, _ = np.linalg.lstsq(waves[whole:], signal[whole:], rcond=None)[0]
    lag = float(np.arctan2(-cosine, sine)) * period_s / (2 * np.pi)
    return lag, float(np.hypot(sine, cosine)) / amplitude


@pytest.mark.parametrize("kind", ["servo_joint", "servo_pose"])
def test_a_stream_of_targets_at_1_khz_is_tracked_with_the_shapers_own_lag(
    policy_file: Path, kind: str
) -> None:
    """Far from its limits the shaper is ``k / (s^2 + k_v s + k)`` with ``k = k_v k_p``."""
    served = fine_bench(policy_file)
    joints = served.pilot.state.joint_position.copy()
    amplitude, period_s = (0.2, 2.0) if kind == "servo_joint" else (0.05, 2.0)
    signals: list[tuple[float, float]] = []
    for tick in range(4000):
        wave = amplitude * np.sin(2 * np.pi * 0.001 * tick / period_s)
        joint_target, hand_target = [joints[0] + wave, *joints[1:]], [0.0, wave, 0.12]
        target = joint_target if kind == "servo_joint" else hand_target
        served.command(kind, target, "servo", valid_for_s=0.05)
        served.run(0.001)
        if kind == "servo_joint":
            here = served.pilot.driver.setpoint[0], served.pilot.state.joint_position[0]
        else:
            hands = served.pilot.driver.hands(served.pilot.state)
            here = hands.setpoint[0, 1], hands.measured[0, 1]
        signals.append((float(here[0]), float(here[1])))
    setpoint, measured = np.array(signals).T
    shaping, turn = served.pilot.driver.shaping, 2 * np.pi / period_s
    k = shaping.velocity_gain * shaping.position_gain
    response = k / (k - turn**2 + 1j * turn * shaping.velocity_gain)
    lag, gain = trailing(setpoint, amplitude, period_s, 0.001)
    assert lag == pytest.approx(-np.angle(response) / turn, abs=2e-3)  # 84 ms
    assert gain == pytest.approx(abs(response), abs=5e-3)
    lag, gain = trailing(measured, amplitude, period_s, 0.001)
    assert 0.08 < lag < 0.10
    assert 0.95 < gain < 1.10
    assert sum(served.pilot.governor.interventions.values()) == 0


def test_the_hand_goes_from_corner_to_corner_at_one_speed_whatever_the_servo_rate(
    policy_file: Path,
) -> None:
    low, high = [-0.25, -0.25, 0.06], [0.0, 0.25, 0.2]
    ways: list[Array] = []
    for served in (bench(policy_file), fine_bench(policy_file)):
        way: list[Array] = []
        for corner in (low, high):
            served.command("servo_pose", corner, "servo")
            for _ in range(18):
                served.run(0.1)
                way.append(served.pilot.driver.hands(served.pilot.state).setpoint[0])
            np.testing.assert_allclose(way[-1], corner, atol=1e-3)
        assert sum(served.pilot.governor.interventions.values()) == 0
        ways.append(np.array(way))
    np.testing.assert_allclose(ways[0], ways[1], atol=5e-3)


def test_when_the_targets_stop_the_arm_comes_to_rest(policy_file: Path) -> None:
    served = fine_bench(policy_file)
    for tick in range(500):
        y = 0.05 * np.sin(2 * np.pi * 0.001 * tick)
        served.command("servo_pose", [0.0, y, 0.12], "servo", valid_for_s=0.02)
        served.run(0.001)
    assert served.speed > 0.1
    served.run(0.03)
    assert served.authority.mode == "hold"
    assert served.authority.counters["expired"] == 1
    served.run(1.0)
    assert served.speed < 0.01
    assert sum(served.pilot.governor.interventions.values()) == 0


def test_joint_targets_cost_no_kinematics(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("located the hand")

    served = bench(policy_file)
    monkeypatch.setattr("skill_robots.motion.policy_adapter.end_effector_state", never)
    for _ in range(10):
        served.command("servo_joint", served.pilot.state.joint_position + 0.1, "servo")
        served.run(0.01)
    assert served.authority.mode == "servo"


@pytest.mark.parametrize(("failure", "words"), [(NAN, "not finite"), (CRASH, "indices")])
def test_a_policy_that_fails_is_a_fault_and_the_arm_holds(
    make_policy_file: PolicyFileFactory, tmp_path: Path, failure: str, words: str
) -> None:
    served = bench(faulty(make_policy_file, tmp_path, failure))
    served.skill(0, 1)
    served.run(0.5)
    assert served.authority.mode == "skill"
    served.skill(1, 0)
    served.run(1.0)
    assert served.authority.mode == "fault"
    assert "the policy failed" in served.authority.last_event
    assert words in served.authority.last_event
    assert served.authority.counters["faults"] == 1
    assert served.authority.lease is None
    assert served.speed < 0.01
    served.clear()
    served.skill(0, 1)
    served.run(0.5)
    assert served.authority.mode == "skill"


class BrokenArm(MujocoArm):
    """A simulated arm whose cable can be pulled, at either end."""

    broken = ""

    def read(self) -> ArmState:
        if self.broken == "read":
            raise ArmError("no connection")
        return super().read()

    def command(self, target: JointTarget) -> None:
        if self.broken == "command":
            raise ArmError("reflex")
        if self.broken == "contact":
            raise ArmContactError("reflex")
        super().command(target)


@pytest.mark.parametrize(("broken", "words"), [("read", "no connection"), ("command", "reflex")])
def test_an_arm_that_fails_is_a_fault_until_cleared(
    policy_file: Path, broken: str, words: str
) -> None:
    arm = BrokenArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.3)
    arm.broken = broken
    served.run(0.3)
    assert served.authority.mode == "fault"
    assert words in served.authority.last_event
    assert served.authority.counters["faults.arm"] == 1  # one event, not one a tick
    if broken == "read":
        served.clear()
        served.run(0.01)
    else:  # a simulation whose set-points do not reach it stands still in time
        with pytest.raises(Refusal, match="does not change"):
            served.clear()
    assert served.authority.mode == "fault"  # clearing does not mend a cable
    arm.broken = ""
    served.run(1.0)
    served.clear()
    served.run(0.2)
    assert served.authority.mode == "hold"
    assert served.speed < 0.05
    served.skill(1, 0)
    served.run(0.3)
    assert served.authority.mode == "skill"


def test_an_arm_that_fails_does_not_undo_a_stop(policy_file: Path) -> None:
    arm = BrokenArm()
    served = bench(policy_file, arm)
    served.authority.stop("test")
    arm.broken = "read"
    served.run(0.1)
    assert served.authority.mode == "stopped"


def test_a_simulation_that_diverged_starts_afresh_when_cleared(policy_file: Path) -> None:
    served = bench(policy_file)
    table = served.pilot.arm._table  # type: ignore[attr-defined]  the only way to break it
    served.run(0.1)
    table._qpos[0, :7] = np.nan
    served.run(0.1)
    assert served.authority.mode == "fault"
    served.clear()
    served.run(0.1)
    assert served.authority.mode == "hold"
    hand = served.pilot.driver.hands(served.pilot.state).measured[0]
    np.testing.assert_allclose(hand, [0.0, 0.0, 0.06], atol=5e-3)


def test_a_real_arm_has_no_scene(policy_file: Path) -> None:
    arm = MujocoArm()
    arm.is_simulated = False  # type: ignore[misc]  as far as the pilot can tell
    pilot = ArmController(arm, OnnxPolicy(policy_file))
    assert context_of(pilot.arm) is None
    with pytest.raises(Refusal, match="simulated") as refused:
        pilot.reset()
    assert refused.value.code == "not_supported"


def test_rates_that_do_not_fit_are_refused(policy_file: Path) -> None:
    arm = MujocoArm(TabletopConfig(physics_step_s=0.006))
    with pytest.raises(RateMismatchError, match=r"25 Hz.*multiple"):
        ArmController(arm, OnnxPolicy(policy_file))


def test_at_1_khz_a_policy_step_is_spread_over_three_periods(policy_file: Path) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    steps: list[tuple[bool, bool]] = []
    for _ in range(3):
        served.run(0.001)
        moves = np.abs(served.pilot.driver.setpoint_velocity).max() > 0.0
        steps.append((served.pilot.output is not None, bool(moves)))
    assert steps == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize("periods", [1, 2])
@pytest.mark.parametrize("how", ["stop", "servo"])
def test_at_1_khz_what_comes_in_between_takes_the_actions_place(
    policy_file: Path, how: str, periods: int
) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    served.run(0.001 * periods)
    here = served.pilot.driver.setpoint.copy()
    if how == "stop":
        served.authority.stop("a hand in the way")
    else:
        served.command("servo_joint", here, "servo")
    served.run(0.1)
    np.testing.assert_array_equal(served.pilot.driver.setpoint, here)


@pytest.mark.parametrize("periods", [1, 2])
def test_at_1_khz_nothing_of_a_policy_step_survives_a_reset(
    policy_file: Path, periods: int
) -> None:
    served = fine_bench(policy_file)
    served.skill(1, 0)
    served.run(0.001 * periods)
    served.pilot.reset()
    served.skill(-1, 0)
    served.run(0.001)
    assert served.pilot.output is None
    served.run(0.001)
    assert np.abs(served.pilot.driver.setpoint_velocity).max() == 0.0
    served.run(0.001)
    assert np.abs(served.pilot.driver.setpoint_velocity).max() > 0.0


# Silence, and objects seen from outside ---------------------------------------------------------


class SilentArm(MujocoArm):
    """A simulated arm that stops answering: it raises, or repeats itself, or both ways."""

    silence = ""
    last: ArmState | None = None

    def read(self) -> ArmState:
        if self.silence == "raise":
            raise ArmCommunicationError("no packet")
        if self.silence != "repeat" or self.last is None:
            self.last = super().read()
        return self.last

    def command(self, target: JointTarget) -> None:
        if self.silence == "raise":
            raise ArmCommunicationError("no packet")
        super().command(target)


@pytest.mark.parametrize("silence", ["raise", "repeat"])
def test_an_arm_that_does_not_answer_is_held_and_goes_on_when_it_answers(
    policy_file: Path, silence: str
) -> None:
    arm = SilentArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.3)
    arm.silence = silence
    served.run(0.02)
    assert served.authority.mode == "skill"  # a few lost answers are no fault
    served.run(0.02)
    assert served.authority.fault_class == "communication"
    assert served.authority.lease is not None
    served.run(0.5)
    arm.silence = ""
    served.run(0.5)
    assert served.authority.mode == "fault"  # it has not answered for long enough yet
    served.run(1.5)
    assert served.authority.mode == "hold"
    assert served.speed < 0.01
    served.skill(1, 0)
    served.run(0.3)
    assert served.authority.mode == "skill"


class DeafArm(MujocoArm):
    """A simulated arm that takes no set-points for a while, and notes those it takes."""

    deaf_for = 0
    taken: list[JointTarget]

    def command(self, target: JointTarget) -> None:
        if self.deaf_for:
            self.deaf_for -= 1
            raise ArmCommunicationError("no packet")
        self.taken.append(target)
        super().command(target)


@pytest.mark.parametrize(("lost", "rests"), [(2, False), (4, False), (5, True), (30, True)])
def test_after_lost_set_points_it_goes_on_from_the_last_that_arrived(
    policy_file: Path, lost: int, *, rests: bool
) -> None:
    """Or, where the arm has come to rest by itself meanwhile (20 ms), from rest there."""
    arm = DeafArm()
    arm.taken = []
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.5)
    before = arm.taken[-1]
    assert np.abs(before.velocity).max() > 0.1
    arm.deaf_for, arm.taken = lost, []
    served.run((lost + 1) * arm.servo_period_s)
    (after,) = arm.taken
    start = np.zeros_like(before.velocity) if rests else before.velocity
    step = (after.position - before.position) / arm.servo_period_s
    np.testing.assert_allclose(step, after.velocity, atol=1e-9)
    bound = PANDA.acceleration_limit * arm.servo_period_s * (1 + 1e-6)
    assert (np.abs(after.velocity - start) <= bound).all()
    assert (served.authority.fault_class == "communication") is rests


class Followed:
    """An arm that keeps time and comes to rest when left alone, and what reaches it."""

    def __init__(self, model: Path, seed: int) -> None:
        self.clock = ManualClock()
        self.taken: list[tuple[JointTarget, Array]] = []
        follower = FollowerArm(PANDA, 0.005, seed, self.clock.now)
        self.arm = FaultyArm(
            follower, lambda *what: self.taken.append(what), lambda: None, lambda: None
        )
        self.bench = Bench(ArmController(self.arm, OnnxPolicy(model), clock=self.clock.now))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.005)):
            self.clock.time_s = self.bench.now
            self.bench.run(0.005)

    def move(self, by: float = 0.5) -> None:
        """Servo to somewhere else, until it is on its way."""
        there = self.bench.pilot.state.joint_position + by
        self.bench.command("servo_joint", there, "servo")
        self.run(0.3)
        assert np.abs(self.taken[-1][0].velocity).max() > 0.3

    def sleep(self, seconds: float) -> None:
        self.bench.now += seconds


@pytest.mark.parametrize("seed", [0, 1, 2, 3])  # in some of them it is pushed meanwhile
@pytest.mark.parametrize("trouble", ["communication", "deaf", "error", "contact"])
def test_an_arm_out_of_reach_goes_on_from_where_it_is_found(
    policy_file: Path, trouble: ArmTrouble, seed: int
) -> None:
    served = Followed(policy_file, seed)
    served.move()
    served.arm.trouble = trouble
    served.run(0.2)
    served.arm.trouble, served.taken = "", []
    served.run(0.05)
    for target, measured in served.taken:
        np.testing.assert_array_equal(target.position, measured)
        np.testing.assert_array_equal(target.velocity, np.zeros(7))
    assert len(served.taken) == 10


def test_a_loop_that_stood_still_leaves_an_arm_at_rest_and_says_so(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.sleep(2.0)
    served.taken = []
    served.run(0.05)
    authority = served.bench.authority
    assert authority.last_event == "fault: the arm had no set-point for 2.005 s"
    assert (authority.fault_class, authority.lease is not None) == ("communication", True)
    target, measured = served.taken[0]
    np.testing.assert_array_equal(target.position, measured)
    np.testing.assert_array_equal(target.velocity, np.zeros(7))
    served.run(1.1)
    assert authority.mode == "hold"
    served.move(-0.5)


def test_a_stall_is_a_fault_of_an_arm_that_holds_too(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.run(1.5)
    served.sleep(2.0)
    served.run(0.5)
    assert served.bench.authority.fault_class == "communication"
    served.run(0.6)
    assert served.bench.authority.mode == "hold"


def test_an_arm_is_adrift_until_it_takes_a_set_point(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.run(0.1)
    served.sleep(0.05)
    served.arm.trouble = "deaf"
    served.run(0.005)  # it is seen at rest, and nothing reaches it
    assert served.bench.pilot.reach.out_of_sync
    served.arm.trouble = ""
    served.run(0.005)
    assert not served.bench.pilot.reach.out_of_sync


def test_a_tick_that_takes_too_long_sends_nothing_at_its_end(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    shape = served.bench.pilot.driver.step

    def slow() -> JointTarget:
        served.clock.time_s += 0.03
        return shape()

    served.taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.bench.pilot.driver, "step", slow)
        served.bench.run(0.005)
    assert served.taken == []
    assert served.bench.authority.fault_class == "communication"


def test_an_arm_moved_before_the_first_tick_is_held_where_it_is(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    start = served.bench.pilot.state.joint_position
    served.arm.reset(5)
    served.run(0.02)
    for target, measured in served.taken:
        np.testing.assert_array_equal(target.position, measured)
    assert np.abs(served.taken[0][1] - start).max() > 1e-3


def test_a_short_delay_is_none(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.sleep(0.014)
    served.run(0.05)
    assert served.bench.authority.mode == "servo"


def test_the_time_of_a_simulation_waits_for_its_set_points(policy_file: Path) -> None:
    served = bench(policy_file)
    served.skill(1, 0)
    served.run(0.3)
    speed = np.abs(served.pilot.driver.setpoint_velocity).max()
    served.now += 2.0
    served.run(0.005)
    assert served.authority.mode == "skill"
    assert np.abs(served.pilot.driver.setpoint_velocity).max() == pytest.approx(speed, rel=0.5)


def test_a_silence_below_a_graver_fault_is_counted_and_settled(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.bench.authority.fault("it is broken", "policy")
    served.arm.trouble = "deaf"
    served.run(0.2)
    authority = served.bench.authority
    assert (authority.fault_class, authority.counters["faults.communication"]) == ("policy", 1)
    assert authority.last_event == "fault: it is broken"
    served.arm.trouble, served.taken = "", []
    served.run(0.1)
    served.bench.clear()
    served.run(0.1)
    for target, measured in served.taken:
        np.testing.assert_allclose(target.position, measured, atol=1e-12)


def test_no_fault_is_taken_back_from_an_arm_that_repeats_itself(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.bench.authority.fault("it is broken", "policy")
    served.arm.trouble = "repeat"
    served.run(0.1)
    with pytest.raises(Refusal, match="does not change"):
        served.bench.clear()
    served.arm.trouble = ""
    served.run(0.01)
    served.bench.clear()


def test_what_is_no_number_is_a_fault_even_where_the_time_stands_still(policy_file: Path) -> None:
    arm = SilentArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.1)
    assert arm.last is not None
    broken = np.full_like(arm.last.joint_velocity, np.nan)
    arm.last = replace(arm.last, joint_velocity=broken)
    arm.silence = "repeat"
    served.run(0.005)
    assert (served.authority.mode, served.authority.fault_class) == ("fault", "arm")


def test_an_arm_that_touched_something_is_a_fault_for_a_person(policy_file: Path) -> None:
    arm = BrokenArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.1)
    arm.broken = "contact"
    served.run(0.1)
    arm.broken = ""
    served.run(3.0)
    assert (served.authority.mode, served.authority.fault_class) == ("fault", "contact")


def track(served: Bench, captured: float | None = None) -> None:
    message = Track(
        object="cube",
        captured=served.now if captured is None else captured,
        position=(0.1, 0.0, 0.02),
    )
    served.pilot.tracker.put(message, served.now)


def test_a_silent_tracker_holds_the_arm_until_it_speaks(policy_file: Path) -> None:
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    served = Bench(ArmController(MujocoArm(), OnnxPolicy(policy_file), tracker))
    assert "cube" not in served.pilot.state.objects  # what the arm sees is not used
    served.skill(1, 0)
    served.run(0.04)
    assert served.authority.fault_class == "tracker"
    assert served.authority.last_event == "fault: no pose of 'cube' has come yet"
    track(served)
    served.run(0.01)
    assert served.authority.mode == "hold"
    assert served.pilot.state.objects["cube"].position.tolist() == [0.1, 0.0, 0.02]
    served.skill(1, 0)
    for _ in range(10):
        track(served)
        served.run(0.04)
    assert served.authority.mode == "skill"
    served.run(0.3)
    assert served.authority.fault_class == "tracker"
    served.run(0.4)
    assert served.speed < 0.01


def test_servo_needs_no_tracker(policy_file: Path) -> None:
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    served = Bench(ArmController(MujocoArm(), OnnxPolicy(policy_file), tracker))
    served.command("servo_joint", served.pilot.state.joint_position, "servo")
    served.run(0.2)
    assert served.authority.mode == "servo"
