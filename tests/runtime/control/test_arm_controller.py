"""The controller on the simulated arm with real policy files, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from tests.support.controller_bench import BrokenArm, bench, fine_bench

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.refusal import Refusal

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


def faulty(make_policy_file: PolicyFileFactory, folder: Path, failure: str) -> Path:
    model = onnx.parser.parse_model(FAULTY_GRAPH.format(failure=failure))
    onnx.checker.check_model(model, full_check=True)
    return make_policy_file(folder, model=model)


@pytest.mark.parametrize("ending", ["command", "lease", "stop"])
def test_the_end_of_a_command_brings_the_arm_to_rest(policy_file: Path, ending: str) -> None:
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
    rest = served.controller.adapter.setpoint.copy()
    served.run(1.0)
    np.testing.assert_allclose(served.controller.adapter.setpoint, rest, atol=1e-7)


def test_a_goal_is_reached(policy_file: Path) -> None:
    arm = MujocoArm(seed=1)
    arm.set_context(mass=0.8, friction=0.5)
    served = bench(policy_file, arm)
    goal = served.controller.state.objects["cube"].position[:2] + np.array([0.0, 0.12])
    served.command("goal", goal, "goal")
    served.run(6.0)
    assert np.linalg.norm(arm.read().objects["cube"].position[:2] - goal) < 0.05


def test_servo_follows_joints_then_pose_at_once(policy_file: Path) -> None:
    served = bench(policy_file)
    joints = served.controller.state.joint_position + 0.1
    served.command("servo_joint", joints, "servo")
    served.run(1.5)
    np.testing.assert_allclose(served.controller.arm.read().joint_position, joints, atol=5e-3)
    served.command("servo_pose", [0.0, 0.1, 0.15], "servo")
    served.run(3.0)
    measured = served.controller.adapter.end_effectors(served.controller.arm.read()).measured[0]
    np.testing.assert_allclose(measured, [0.0, 0.1, 0.15], atol=5e-3)


@pytest.mark.parametrize("kind", ["servo_joint", "servo_pose"])
def test_a_new_servo_target_acts_at_the_next_tick(policy_file: Path, kind: str) -> None:
    """Each of 24 targets, one a tick, acts at once, independent of the policy's rhythm."""
    served = bench(policy_file)
    served.skill(1, 0)
    served.run(0.015)  # the next policy step would be due in the middle of a period
    served.command("hold", [0.0], "hold")
    served.authority.command = None
    served.run(1.0)
    start = served.controller.adapter.setpoint.copy()
    if kind == "servo_pose":
        start = served.controller.adapter.end_effectors(served.controller.state).setpoint[0]
    for tick in range(24):
        sign = 1.0 if tick % 2 == 0 else -1.0
        step = [0.2] * 7 if kind == "servo_joint" else [0.0, 0.04, 0.0]
        served.command(kind, start + sign * np.array(step), "servo")
        before = served.controller.adapter._setpoint.acceleration[0].copy()
        served.run(0.005)
        change = served.controller.adapter._setpoint.acceleration[0] - before
        assert sign * change[0] > 1.0  # rad/s^2; joint 1 moves the end effector to +y


def trailing(
    signal: Array, amplitude: float, period_s: float, step_s: float
) -> tuple[float, float]:
    """Returns lag [s] and gain of ``signal`` behind ``amplitude sin(2 pi t / period)``."""
    angle = 2 * np.pi * step_s * np.arange(len(signal)) / period_s
    waves = np.stack([np.sin(angle), np.cos(angle), np.ones_like(angle)], axis=1)
    whole = len(signal) // 2  # the transient decays in the first half
    sine, cosine, _ = np.linalg.lstsq(waves[whole:], signal[whole:], rcond=None)[0]
    lag = float(np.arctan2(-cosine, sine)) * period_s / (2 * np.pi)
    return lag, float(np.hypot(sine, cosine)) / amplitude


@pytest.mark.parametrize("kind", ["servo_joint", "servo_pose"])
def test_a_stream_of_targets_at_1_khz_is_tracked_with_the_shapers_own_lag(
    policy_file: Path, kind: str
) -> None:
    """Far from its limits the shaper is ``k / (s^2 + k_v s + k)`` with ``k = k_v k_p``."""
    served = fine_bench(policy_file)
    joints = served.controller.state.joint_position.copy()
    amplitude, period_s = (0.2, 2.0) if kind == "servo_joint" else (0.05, 2.0)
    signals: list[tuple[float, float]] = []
    for tick in range(4000):
        wave = amplitude * np.sin(2 * np.pi * 0.001 * tick / period_s)
        joint_target, position = [joints[0] + wave, *joints[1:]], [0.0, wave, 0.12]
        target = joint_target if kind == "servo_joint" else position
        served.command(kind, target, "servo", valid_for_s=0.05)
        served.run(0.001)
        if kind == "servo_joint":
            here = served.controller.adapter.setpoint[0], served.controller.state.joint_position[0]
        else:
            both = served.controller.adapter.end_effectors(served.controller.state)
            here = both.setpoint[0, 1], both.measured[0, 1]
        signals.append((float(here[0]), float(here[1])))
    setpoint, measured = np.array(signals).T
    shaping, turn = served.controller.adapter.shaping, 2 * np.pi / period_s
    k = shaping.velocity_gain * shaping.position_gain
    response = k / (k - turn**2 + 1j * turn * shaping.velocity_gain)
    lag, gain = trailing(setpoint, amplitude, period_s, 0.001)
    assert lag == pytest.approx(-np.angle(response) / turn, abs=2e-3)  # 84 ms
    assert gain == pytest.approx(abs(response), abs=5e-3)
    lag, gain = trailing(measured, amplitude, period_s, 0.001)
    assert 0.08 < lag < 0.10
    assert 0.95 < gain < 1.10
    assert sum(served.controller.interventions.values()) == 0


def test_the_end_effector_moves_at_the_same_speed_at_every_servo_rate(
    policy_file: Path,
) -> None:
    low, high = [-0.25, -0.25, 0.06], [0.0, 0.25, 0.2]
    paths: list[Array] = []
    for served in (bench(policy_file), fine_bench(policy_file)):
        path: list[Array] = []
        for corner in (low, high):
            served.command("servo_pose", corner, "servo")
            for _ in range(18):
                served.run(0.1)
                path.append(
                    served.controller.adapter.end_effectors(served.controller.state).setpoint[0]
                )
            np.testing.assert_allclose(path[-1], corner, atol=1e-3)
        assert sum(served.controller.interventions.values()) == 0
        paths.append(np.array(path))
    np.testing.assert_allclose(paths[0], paths[1], atol=5e-3)


def test_when_the_targets_stop_the_arm_comes_to_rest(policy_file: Path) -> None:
    served = fine_bench(policy_file)
    for tick in range(500):
        y = 0.05 * np.sin(2 * np.pi * 0.001 * tick)
        served.command("servo_pose", [0.0, y, 0.12], "servo", valid_for_s=0.02)
        served.run(0.001)
    assert served.speed > 0.1
    served.run(0.03)
    assert served.authority.mode == "hold"
    assert served.authority.events.counters["expired"] == 1
    served.run(1.0)
    assert served.speed < 0.01
    assert sum(served.controller.interventions.values()) == 0


def test_joint_targets_cost_no_kinematics(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("computed kinematics")

    served = bench(policy_file)
    monkeypatch.setattr("skill_robots.motion.policy_adapter.end_effector_state", never)
    for _ in range(10):
        served.command("servo_joint", served.controller.state.joint_position + 0.1, "servo")
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
    assert "the policy failed" in served.authority.events.last_event
    assert words in served.authority.events.last_event
    assert served.authority.events.counters["faults"] == 1
    assert served.authority.lease is None
    assert served.speed < 0.01
    served.clear()
    served.skill(0, 1)
    served.run(0.5)
    assert served.authority.mode == "skill"


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
    assert words in served.authority.events.last_event
    assert served.authority.events.counters["faults.arm"] == 1  # one event, not one per tick
    if broken == "read":
        served.clear()
        served.run(0.01)
    else:  # a lockstep simulation does not advance without set-points
        with pytest.raises(Refusal, match="does not change"):
            served.clear()
    assert served.authority.mode == "fault"  # clearing does not restore the connection
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


def test_an_error_of_the_driver_hides_no_other_fault_of_the_tick(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm = BrokenArm()
    served = bench(policy_file, arm)
    arm.broken = "read"

    def bug(_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(arm, "command", bug)
    report = served.controller.update(None, "hold", 0.0)
    assert [fault.kind for fault in report.faults] == ["arm", "internal"]
    monkeypatch.undo()
    arm.broken = ""
    assert served.controller.update(None, "hold", 0.0).faults == ()
