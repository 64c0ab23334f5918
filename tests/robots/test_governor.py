"""The governor: every limit on its own, and the promise that holds for any input."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from skill_robots.action import ActionConfig, ActionDecoder, Setpoint, SetpointShaper, locate_hands
from skill_robots.arm import ArmError, ArmState, JointTarget
from skill_robots.governor import Governor
from skill_robots.panda import kinematics
from skill_robots.panda.limits import PANDA

Array = NDArray[np.float64]

PERIOD = 0.005
ROUNDING = 2e-9
ACTIONS = ActionConfig()
BASE = np.array(ACTIONS.base_position)


def make_governor(**overrides: float) -> Governor:
    return Governor(PANDA, ACTIONS.workspace_low, ACTIONS.workspace_high, PERIOD, **overrides)


def make_state(position: Array = kinematics.NEUTRAL) -> ArmState:
    return ArmState(time_s=0.0, joint_position=position, joint_velocity=np.zeros(7), hand_width=0.0)


def make_target(position: Array, velocity: Array | None = None) -> JointTarget:
    rest = np.zeros(7)
    return JointTarget(
        position=position, velocity=rest if velocity is None else velocity, acceleration=rest
    )


def moving(joint: int, speed: float) -> tuple[Array, Array]:
    """A neutral-based position one period on, and the velocity that leads there."""
    velocity = speed * np.eye(7)[joint]
    return kinematics.NEUTRAL + velocity * PERIOD, velocity


def test_good_target_passes_as_it_is() -> None:
    governor = make_governor()
    target = make_target(*moving(0, 0.5))
    verdict = governor.check(target, make_state())
    assert verdict.target is target
    assert verdict.interventions == ()
    assert not any(governor.interventions.values())


@pytest.mark.parametrize("joint", range(7))
def test_fed_forward_velocity_is_cut_at_the_limit(joint: int) -> None:
    target = make_target(kinematics.NEUTRAL, 1.5 * PANDA.velocity_limit[joint] * np.eye(7)[joint])
    verdict = make_governor().check(target, make_state())
    assert verdict.interventions == ("joint_velocity",)
    assert verdict.target.velocity[joint] == PANDA.velocity_limit[joint]


@pytest.mark.parametrize("joint", range(7))
def test_jump_in_position_becomes_a_step_at_the_velocity_limit(joint: int) -> None:
    target = make_target(kinematics.NEUTRAL - 0.1 * np.eye(7)[joint])
    verdict = make_governor(margin_m=1.0).check(target, make_state())
    assert verdict.interventions == ("joint_velocity",)
    step = verdict.target.position - kinematics.NEUTRAL
    assert step == pytest.approx(-PANDA.velocity_limit[joint] * PERIOD * np.eye(7)[joint])


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("side", ["low", "high"])
def test_position_stops_at_the_joint_limit(joint: int, side: str) -> None:
    limit = PANDA.position_low if side == "low" else PANDA.position_high
    outward = -1.0 if side == "low" else 1.0
    start = kinematics.NEUTRAL.copy()
    start[joint] = limit[joint] - outward * 0.001
    velocity = outward * np.eye(7)[joint]
    target = make_target(start + velocity * PERIOD, velocity)
    verdict = make_governor(margin_m=9.0).check(target, make_state(start))
    assert verdict.interventions == ("joint_position",)
    assert verdict.target.position[joint] == limit[joint]
    assert verdict.target.velocity[joint] == 0.0


def test_joint_may_leave_its_limit_at_speed() -> None:
    start = kinematics.NEUTRAL.copy()
    start[3] = PANDA.position_low[3]
    velocity = np.eye(7)[3]
    target = make_target(start + velocity * PERIOD, velocity)
    verdict = make_governor(margin_m=9.0).check(target, make_state(start))
    assert verdict.target is target


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["position", "velocity", "acceleration"])
def test_target_that_is_not_finite_is_replaced_by_the_last_good_one(where: str, bad: float) -> None:
    governor = make_governor()
    good = make_target(kinematics.NEUTRAL + 0.001)
    governor.check(good, make_state())
    values = np.zeros(7)
    values[4] = bad
    verdict = governor.check(replace(good, **{where: values}), make_state())
    assert verdict.interventions == ("not_finite",)
    assert verdict.target.position == pytest.approx(good.position)
    assert np.array_equal(verdict.target.velocity, np.zeros(7))


def test_two_infinities_do_not_hide_each_other() -> None:
    position = kinematics.NEUTRAL.copy()
    position[0], position[1] = np.inf, -np.inf
    verdict = make_governor().check(make_target(position), make_state())
    assert verdict.interventions == ("not_finite",)


def test_stale_target_brakes_at_the_acceleration_limit_and_then_holds() -> None:
    governor = make_governor()
    speed = 0.5
    governor.check(make_target(*moving(0, speed)), make_state())
    # v^2 / (2 a) on from where it was, within one period's travel.
    rest = speed**2 / (2 * PANDA.acceleration_limit[0])
    start, positions = speed * PERIOD, []
    for _ in range(20):
        verdict = governor.check(None, make_state())
        assert verdict.interventions == ("stale",)
        positions.append(verdict.target.position[0])
    assert positions[-1] == positions[-2]
    assert positions[-1] - start == pytest.approx(rest, abs=speed * PERIOD)
    assert np.array_equal(verdict.target.velocity, np.zeros(7))
    assert governor.interventions["stale"] == 20


def test_braking_keeps_to_the_acceleration_limit() -> None:
    governor = make_governor(margin_m=9.0)
    velocity = 0.9 * PANDA.velocity_limit
    governor.check(make_target(kinematics.NEUTRAL + velocity * PERIOD, velocity), make_state())
    before = velocity
    for _ in range(100):
        target = governor.check(None, make_state()).target
        change = (target.velocity - before) / PERIOD
        assert (np.abs(change) <= PANDA.acceleration_limit * (1 + 1e-9)).all()
        assert target.acceleration == pytest.approx(change)
        before = target.velocity
    assert np.array_equal(before, np.zeros(7))


def test_hold_keeps_the_grasp() -> None:
    governor = make_governor()
    good = replace(make_target(kinematics.NEUTRAL), hand_width=0.02, grasp=True)
    governor.check(good, make_state())
    held = governor.check(None, make_state()).target
    assert held.grasp
    assert held.hand_width == 0.02


@pytest.mark.parametrize(("asked", "allowed"), [(-0.01, 0.0), (0.2, PANDA.hand_width_max)])
def test_hand_opens_no_further_than_it_can(asked: float, allowed: float) -> None:
    target = replace(make_target(kinematics.NEUTRAL), hand_width=asked)
    verdict = make_governor().check(target, make_state())
    assert verdict.interventions == ("hand_width",)
    assert verdict.target.hand_width == allowed


def test_hand_width_that_is_not_a_number_is_refused() -> None:
    target = replace(make_target(kinematics.NEUTRAL), hand_width=float("nan"))
    verdict = make_governor().check(target, make_state())
    assert verdict.interventions == ("not_finite",)
    assert verdict.target.hand_width is None


def end_effector(position: Array) -> Array:
    return kinematics.forward(position[None]).position[0] + BASE


def test_end_effector_stays_in_the_box_and_finds_the_way_back() -> None:
    governor = make_governor(margin_m=0.0)
    turn = 0.5 * np.eye(7)[0]  # about the vertical axis: out of the box sideways
    position, blocked = kinematics.NEUTRAL.copy(), 0
    for _ in range(500):
        position = position + turn * PERIOD
        verdict = governor.check(make_target(position, turn), make_state())
        blocked += "workspace" in verdict.interventions
        out = end_effector(verdict.target.position)[1] - ACTIONS.workspace_high[1]
        # It cannot stop at once: v^2 / (2 a) of joint 1, at an arm's length of 0.6 m.
        assert out < 0.6 * 0.5**2 / (2 * PANDA.acceleration_limit[0]) + 0.6 * 0.5 * PERIOD
    assert blocked > 100
    held = verdict.target.position
    back = governor.check(make_target(held - turn * PERIOD, -turn), make_state())
    assert back.interventions == ()


def test_box_is_the_worlds_not_the_arms() -> None:
    # At (0.6, 0, 0.06) in the base frame the neutral pose is inside only because the base is not
    # at the world's origin.
    target = make_target(kinematics.NEUTRAL.copy())
    assert make_governor().check(target, make_state()).interventions == ()
    unmoved = Governor(
        PANDA,
        ACTIONS.workspace_low,
        ACTIONS.workspace_high,
        PERIOD,
        base_position=(0.0, 0.0, 0.0),
    )
    outward = make_target(kinematics.NEUTRAL - 0.002 * np.eye(7)[1])
    assert unmoved.check(outward, make_state()).interventions == ("workspace",)


def test_first_target_is_measured_against_the_arm() -> None:
    state = make_state(kinematics.NEUTRAL + 0.3)
    verdict = make_governor(margin_m=9.0).check(make_target(kinematics.NEUTRAL), state)
    assert verdict.interventions == ("joint_velocity",)
    step = verdict.target.position - state.joint_position
    assert step == pytest.approx(-PANDA.velocity_limit * PERIOD)


def test_reset_takes_the_arm_where_it_is() -> None:
    governor = make_governor(margin_m=9.0)
    governor.check(make_target(kinematics.NEUTRAL), make_state())
    elsewhere = kinematics.NEUTRAL + 0.2
    governor.reset(make_state(elsewhere))
    assert governor.check(make_target(elsewhere), make_state(elsewhere)).interventions == ()


def test_arm_that_measures_nonsense_cannot_be_started() -> None:
    state = make_state(np.full(7, np.nan))
    with pytest.raises(ArmError, match="not finite"):
        make_governor().check(make_target(kinematics.NEUTRAL), state)


def test_remembered_target_does_not_follow_its_callers_array() -> None:
    governor = make_governor()
    position = kinematics.NEUTRAL.copy()
    governor.check(make_target(position), make_state())
    position += 1.0
    held = governor.check(None, make_state()).target
    assert held.position == pytest.approx(kinematics.NEUTRAL)


@pytest.mark.parametrize("seed", range(3))
def test_shaped_setpoints_of_random_actions_never_need_it(seed: int) -> None:
    governor, rng = make_governor(), np.random.default_rng(seed)
    decoder, shaper = ActionDecoder(ACTIONS, PANDA), SetpointShaper(PANDA, PERIOD)
    setpoint = Setpoint(kinematics.NEUTRAL[None].copy())
    goal, action = setpoint.position, np.zeros((1, 3))
    for tick in range(2000):
        if tick % 80 == 0:
            action = rng.choice([-1.0, 0.0, 1.0], (1, 3))
        if tick % 8 == 0:
            # A perfect servo: the arm is where it was told to be.
            q, v = setpoint.position, setpoint.velocity
            goal = decoder.displace(action, q, locate_hands(q, v, q, v, BASE))
        shaper.step(setpoint, goal)
        target = JointTarget(
            position=setpoint.position[0],
            velocity=setpoint.velocity[0],
            acceleration=setpoint.acceleration[0],
        )
        assert governor.check(target, make_state()).interventions == ()


numbers = st.one_of(
    st.floats(-4.0, 4.0),
    st.floats(allow_nan=True, allow_infinity=True),
)
vectors = st.lists(numbers, min_size=7, max_size=7).map(np.array)
nearby = st.lists(st.floats(-0.03, 0.03), min_size=7, max_size=7).map(
    lambda step: kinematics.NEUTRAL + np.array(step)
)
targets = st.one_of(
    st.none(),
    st.builds(
        JointTarget,
        position=st.one_of(vectors, nearby),
        velocity=vectors,
        acceleration=vectors,
        hand_width=st.one_of(st.none(), numbers),
        grasp=st.booleans(),
    ),
)


@settings(max_examples=150, deadline=None)
@given(sequence=st.lists(targets, min_size=1, max_size=12))
def test_nothing_outside_the_limits_ever_leaves(sequence: list[JointTarget | None]) -> None:
    governor = make_governor()
    before, total = kinematics.NEUTRAL, 0
    for target in sequence:
        verdict = governor.check(target, make_state())
        out = verdict.target
        assert np.isfinite(out.position).all()
        assert (out.position >= PANDA.position_low - ROUNDING).all()
        assert (out.position <= PANDA.position_high + ROUNDING).all()
        assert (np.abs(out.velocity) <= PANDA.velocity_limit + ROUNDING).all()
        assert (np.abs(out.position - before) <= PANDA.velocity_limit * PERIOD + ROUNDING).all()
        assert out.hand_width is None or 0.0 <= out.hand_width <= PANDA.hand_width_max
        assert (out is target) == (verdict.interventions == ())
        before, total = out.position, total + len(verdict.interventions)
    assert sum(governor.interventions.values()) == total
