"""The governor: every limit on its own, and the promise that holds for any input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from skill_proto.arrays import Array
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.franka import kinematics
from skill_robots.franka.clearance import ClearanceModel
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, end_effector_state
from skill_robots.motion.governor import WORKSPACE_MARGIN_M, Governor, Verdict
from skill_robots.motion.limits import Margins, MotionLimits, Surroundings
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper

PERIOD = 0.005
ACTIONS = ActionConfig()
BASE = np.array(ACTIONS.base_position)
EVERYWHERE = 9.0
"""A margin that leaves no workspace box."""

arms = pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
periods = pytest.mark.parametrize("period_s", [0.001, 0.005])


def make_governor(
    spec: ArmSpec = PANDA, period_s: float = PERIOD, margin_m: float = WORKSPACE_MARGIN_M
) -> Governor:
    return Governor(
        spec, ACTIONS.workspace_low, ACTIONS.workspace_high, period_s, margin_m=margin_m
    )


def make_state(position: Array = kinematics.NEUTRAL) -> ArmState:
    return ArmState(
        time_s=0.0, joint_position=position, joint_velocity=np.zeros(7), gripper_width=0.0
    )


def make_target(position: Array, velocity: Array | None = None) -> JointTarget:
    rest = np.zeros(7)
    return JointTarget(
        position=position, velocity=rest if velocity is None else velocity, acceleration=rest
    )


class Driven:
    """A shaper and a governor, coupled as in the tick."""

    def __init__(
        self,
        spec: ArmSpec = PANDA,
        period_s: float = PERIOD,
        start: Array = kinematics.NEUTRAL,
        margin_m: float = WORKSPACE_MARGIN_M,
    ) -> None:
        self.governor = make_governor(spec, period_s, margin_m)
        self.governor.reset(make_state(start))
        self.shaper = SetpointShaper(spec, period_s)
        self.setpoint = Setpoint(start[None].copy())
        self.start = start
        self.sent: list[Array] = []

    def tick(
        self, goal: Array, spoil: Callable[[JointTarget], JointTarget | None] | None = None
    ) -> Verdict:
        """One servo period towards ``goal``; ``spoil`` may change what the shaper asks for."""
        self.shaper.step(self.setpoint, goal[None])
        target: JointTarget | None = JointTarget(
            position=self.setpoint.position[0],
            velocity=self.setpoint.velocity[0],
            acceleration=self.setpoint.acceleration[0],
        )
        assert target is not None
        verdict = self.governor.check(spoil(target) if spoil else target, make_state(self.start))
        if verdict.braking:
            self.setpoint.position = verdict.target.position[None].copy()
            self.setpoint.velocity = verdict.target.velocity[None].copy()
            self.setpoint.acceleration = verdict.target.acceleration[None].copy()
        self.sent.append(verdict.target.position.copy())
        return verdict

    def run(self, goal: Array, ticks: int) -> list[str]:
        """The interventions on the way."""
        found = [self.tick(goal).intervention for _ in range(ticks)]
        return [kind for kind in found if kind is not None]


def assert_lawful(
    spec: ArmSpec, period_s: float, start: Array, sent: Iterable[Array], margin_m: float
) -> None:
    """Every limit, from the positions alone."""
    still = [start] * 3
    q = np.array([*still, *sent])
    room = 1 + 1e-5
    assert np.isfinite(q).all()
    assert (q >= spec.position_low - 1e-5).all()
    assert (q <= spec.position_high + 1e-5).all()
    v = np.diff(q, axis=0) / period_s
    limits = MotionLimits(spec, Surroundings(low=(0, 0, 0), high=(0, 0, 0)), period_s)
    low, high = limits.speed_bounds(q[1:])
    assert (v <= high + 1e-5).all()
    assert (v >= low - 1e-5).all()
    a = np.diff(v, axis=0) / period_s
    assert (np.abs(a) <= spec.acceleration_limit * room).all()
    jerk = np.diff(a, axis=0) / period_s
    assert (np.abs(jerk) <= spec.jerk_limit * room).all()
    points = kinematics.forward(q).position
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / period_s
    assert speed.max() <= spec.end_effector_speed * room
    inside = np.minimum(
        points + BASE - np.array(ACTIONS.workspace_low),
        np.array(ACTIONS.workspace_high) - points - BASE,
    )
    assert inside.min() >= -margin_m - 1e-6
    model = ClearanceModel()
    for position in q[:: 1 if period_s > 0.002 else 5]:
        clearance = model.measure(position)
        assert clearance.table >= Surroundings.table_clearance_m - 1e-6
        assert clearance.self_collision >= Surroundings.self_clearance_m - 1e-6


# What passes ------------------------------------------------------------------------------------


def test_a_good_target_passes_as_it_is() -> None:
    governor = make_governor()
    target = make_target(kinematics.NEUTRAL.copy())
    verdict = governor.check(target, make_state())
    assert verdict.target is target
    assert verdict.intervention is None
    assert not verdict.braking
    assert not any(governor.interventions.values())


@arms
@periods
def test_a_shaped_way_inside_the_limits_passes(spec: ArmSpec, period_s: float) -> None:
    driven = Driven(spec, period_s)
    goal = kinematics.NEUTRAL + np.array([0.2, -0.1, 0.1, 0.1, 0.3, 0.2, 0.5])
    assert driven.run(goal, round(1.5 / period_s)) == []
    assert driven.sent[-1] == pytest.approx(goal, abs=1e-3)


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
            goal = decoder.displace(action, q, end_effector_state(q, v, q, v, BASE))
        shaper.step(setpoint, goal)
        target = JointTarget(
            position=setpoint.position[0],
            velocity=setpoint.velocity[0],
            acceleration=setpoint.acceleration[0],
        )
        assert governor.check(target, make_state()).intervention is None


# One limit after the other ----------------------------------------------------------------------


def refused(governor: Governor, target: JointTarget | None) -> str | None:
    verdict = governor.check(target, make_state())
    assert verdict.braking == (verdict.intervention is not None)
    return verdict.intervention


def test_a_jump_is_refused_and_the_arm_stays() -> None:
    governor = make_governor()
    jump = np.eye(7)[0] * 0.01
    target = make_target(kinematics.NEUTRAL + jump, jump / PERIOD)
    verdict = governor.check(target, make_state())
    assert verdict.intervention == "joint_acceleration"
    assert np.array_equal(verdict.target.position, kinematics.NEUTRAL)
    assert np.array_equal(verdict.target.velocity, np.zeros(7))


def test_a_change_of_acceleration_is_bounded_too() -> None:
    # FR3 at 1 kHz: 10 rad/s^2 are allowed, but not from one period to the next (5 are).
    governor = make_governor(FR3, 0.001)
    step = np.eye(7)[0] * 9.0 * 0.001**2
    assert refused(governor, make_target(kinematics.NEUTRAL + step, step / 0.001)) == "joint_jerk"
    step = np.eye(7)[0] * 4.9 * 0.001**2
    assert refused(governor, make_target(kinematics.NEUTRAL + step, step / 0.001)) is None


def test_a_velocity_fed_forward_that_is_not_that_of_the_positions() -> None:
    target = make_target(kinematics.NEUTRAL, np.eye(7)[2] * 0.1)
    assert refused(make_governor(), target) == "inconsistent"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["position", "velocity", "acceleration"])
def test_a_target_that_is_not_finite(where: str, bad: float) -> None:
    values = np.zeros(7)
    values[4] = bad
    target = replace(make_target(kinematics.NEUTRAL), **{where: values})
    assert refused(make_governor(), target) == "not_finite"


def test_two_infinities_do_not_hide_each_other() -> None:
    position = kinematics.NEUTRAL.copy()
    position[0], position[1] = np.inf, -np.inf
    assert refused(make_governor(), make_target(position)) == "not_finite"


def test_no_target_is_a_stop_and_then_rest() -> None:
    driven = Driven()
    driven.run(kinematics.NEUTRAL + 0.3 * np.eye(7)[0], 20)
    before = driven.sent[-1] - driven.sent[-2]
    assert before[0] > 0.001
    verdicts = [driven.tick(kinematics.NEUTRAL, lambda _: None) for _ in range(60)]
    assert verdicts[0].intervention == "stale"
    assert all(verdict.braking for verdict in verdicts)
    assert np.array_equal(driven.sent[-1], driven.sent[-2])
    # Once for the stop, and once a period at rest.
    stop = next(i for i, verdict in enumerate(verdicts[1:], 1) if verdict.intervention)
    assert driven.governor.interventions["stale"] == 60 - stop + 1


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("side", [-1.0, 1.0])
@arms
def test_a_joint_comes_to_rest_before_its_end(spec: ArmSpec, side: float, joint: int) -> None:
    """Tables, boxes and the arm itself apart."""
    end = spec.position_low if side < 0 else spec.position_high
    limits = MotionLimits(spec, Surroundings(low=(-9, -9, -9), high=(9, 9, 9)), PERIOD)
    start = kinematics.NEUTRAL.copy()
    start[1], start[3] = 0.0, -1.6  # upright: nothing near
    if spec.position_low[5] < 0.5 and joint != 5:
        start[5] = 1.8
    start[joint] = end[joint] - side * 0.4
    driven = Driven(spec, PERIOD, start, EVERYWHERE)
    driven.governor.limits = limits
    limits.room = lambda _: Margins(9.0, 9.0, 9.0)  # type: ignore[method-assign]
    goal = start.copy()
    goal[joint] = end[joint] + side
    found = set(driven.run(goal, 400))
    assert found <= {"joint_position", "joint_velocity"}
    assert found
    left = side * (end - driven.sent[-1])[joint]
    zone = 0.0
    if spec.velocity_limit_near_ends is not None:
        zone = spec.velocity_limit_near_ends.offset[joint] ** 2 / (
            2 * spec.velocity_limit_near_ends.deceleration[joint]
        )
    assert -1e-6 <= left - zone < 0.01


def test_the_box_stops_the_end_effector_and_lets_it_back() -> None:
    driven = Driven()
    sideways = kinematics.NEUTRAL + 1.0 * np.eye(7)[0]
    found = driven.run(sideways, 300)
    assert set(found) == {"workspace"}
    out = kinematics.forward_point(driven.sent[-1].tolist())[1] - ACTIONS.workspace_high[1]
    assert 0.0 < out <= WORKSPACE_MARGIN_M
    assert driven.run(kinematics.NEUTRAL, 300) == []


def test_the_table_stops_the_hand() -> None:
    driven = Driven(margin_m=EVERYWHERE)
    lowered = kinematics.NEUTRAL.copy()
    lowered[1] += 0.4
    assert set(driven.run(lowered, 300)) == {"table"}
    room = driven.governor.headroom()
    assert room is not None
    assert 0.0 <= room.table < 0.003


def test_the_arm_does_not_fold_onto_itself() -> None:
    start = np.array([0.0, -0.3, 0.0, -2.5, 0.0, 1.8, 0.8])
    driven = Driven(PANDA, PERIOD, start, EVERYWHERE)
    folded = start.copy()
    folded[5] = 0.0
    assert set(driven.run(folded, 600)) == {"self_collision"}
    room = driven.governor.headroom()
    assert room is not None
    assert 0.0 <= room.self_collision < 0.01


def test_the_end_effector_is_no_faster_than_its_limit() -> None:
    slow = replace(PANDA, end_effector_speed=0.5)
    driven = Driven(slow, PERIOD, kinematics.NEUTRAL, EVERYWHERE)
    found = driven.run(kinematics.NEUTRAL + 2.0 * np.eye(7)[0], 100)
    assert set(found) == {"end_effector_speed"}
    assert_lawful(slow, PERIOD, kinematics.NEUTRAL, driven.sent, EVERYWHERE)


def test_headroom_is_a_share_of_each_limit() -> None:
    governor = make_governor()
    governor.reset(make_state())
    room = governor.headroom()
    assert room is not None
    assert (room.joint_acceleration, room.joint_jerk, room.end_effector_speed) == (1.0, 1.0, 1.0)
    step = 0.02 * PERIOD**2 * np.eye(7)[0]  # .02 rad/s^2 of the first joint, .6 m from its axis
    position = kinematics.NEUTRAL + step
    acceleration = step / PERIOD**2
    target = JointTarget(position=position, velocity=step / PERIOD, acceleration=acceleration)
    assert governor.check(target, make_state()).intervention is None
    room = governor.headroom()
    assert room is not None
    assert room.joint_acceleration == pytest.approx(1 - 0.02 / PANDA.acceleration_limit[0])
    assert room.joint_jerk == pytest.approx(1 - 0.02 / PERIOD / PANDA.jerk_limit[0])
    speed = 0.6 * 0.02 * PERIOD
    assert room.end_effector_speed == pytest.approx(1 - speed / PANDA.end_effector_speed, abs=1e-5)


def test_the_hand_opens_no_further_than_it_can() -> None:
    for asked, allowed in ((-0.01, 0.0), (0.2, PANDA.gripper_width_max)):
        target = replace(make_target(kinematics.NEUTRAL), gripper_width=asked)
        verdict = make_governor().check(target, make_state())
        assert verdict.intervention == "gripper_width"
        assert verdict.target.gripper_width == allowed
        assert not verdict.braking


def test_a_stop_keeps_the_grasp() -> None:
    governor = make_governor()
    good = replace(make_target(kinematics.NEUTRAL), gripper_width=0.02, grasp=True)
    governor.check(good, make_state())
    held = governor.check(None, make_state()).target
    assert held.grasp
    assert held.gripper_width == 0.02


# Starts -----------------------------------------------------------------------------------------


def test_box_is_the_worlds_not_the_arms() -> None:
    # At (0.6, 0, 0.06) in the base frame the neutral pose is inside only because the base is not
    # at the world's origin.
    low, high = ACTIONS.workspace_low, ACTIONS.workspace_high
    unmoved = Governor(PANDA, low, high, PERIOD, base_position=(0.0, 0.0, 0.0))
    unmoved.reset(make_state())
    room = unmoved.headroom()
    assert room is not None
    assert room.workspace == pytest.approx(high[0] + WORKSPACE_MARGIN_M - 0.6)


def test_outside_of_the_box_only_ways_back_are_open() -> None:
    outside = kinematics.NEUTRAL + 0.8 * np.eye(7)[0]
    driven = Driven(start=outside)
    assert set(driven.run(outside + 0.2 * np.eye(7)[0], 20)) == {"workspace"}
    assert np.array_equal(driven.sent[-1], outside)
    assert driven.run(kinematics.NEUTRAL, 400) == []
    assert driven.sent[-1] == pytest.approx(kinematics.NEUTRAL, abs=1e-3)


def test_a_joint_that_starts_beyond_its_end_may_come_back() -> None:
    start = kinematics.NEUTRAL.copy()
    start[6] = PANDA.position_high[6] + 0.02
    driven = Driven(start=start)
    assert driven.run(kinematics.NEUTRAL, 400) == []


def test_first_target_is_measured_against_the_arm() -> None:
    governor = make_governor(margin_m=EVERYWHERE)
    state = make_state(kinematics.NEUTRAL + 0.1)
    verdict = governor.check(make_target(kinematics.NEUTRAL), state)
    assert verdict.intervention == "joint_velocity"
    assert np.array_equal(verdict.target.position, state.joint_position)


def test_reset_takes_the_arm_where_it_is() -> None:
    governor = make_governor()
    governor.check(make_target(kinematics.NEUTRAL), make_state())
    elsewhere = kinematics.NEUTRAL + 0.1
    governor.reset(make_state(elsewhere))
    assert governor.check(make_target(elsewhere), make_state(elsewhere)).intervention is None


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


# The promise ------------------------------------------------------------------------------------

shares = st.lists(st.floats(-0.3, 1.3), min_size=7, max_size=7).map(np.array)
legs = st.lists(st.tuples(shares, st.integers(1, 60), st.booleans()), min_size=1, max_size=6)


@arms
@periods
@settings(max_examples=25, deadline=None)
@given(legs=legs)
def test_joint_goals_anywhere_never_lead_out_of_a_limit(
    spec: ArmSpec, period_s: float, legs: list[tuple[Array, int, bool]]
) -> None:
    """Goals in and beyond each joint's range, and periods in which nothing comes."""
    driven = Driven(spec, period_s)
    span = spec.position_high - spec.position_low
    for share, ticks, spoiled in legs:
        goal = spec.position_low + share * span
        for tick in range(ticks * (1 if period_s > 0.002 else 5)):
            spoil = (lambda _: None) if spoiled and tick % 40 == 17 else None
            driven.tick(goal, spoil)
    assert_lawful(spec, period_s, kinematics.NEUTRAL, driven.sent, WORKSPACE_MARGIN_M)


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
        gripper_width=st.one_of(st.none(), numbers),
        grasp=st.booleans(),
    ),
)


@arms
@settings(max_examples=60, deadline=None)
@given(sequence=st.lists(targets, min_size=1, max_size=12), goal=shares)
def test_nothing_outside_the_limits_ever_leaves(
    spec: ArmSpec, sequence: list[JointTarget | None], goal: Array
) -> None:
    """Targets of any kind, NaN among them, in the middle of a motion."""
    driven = Driven(spec)
    aim = spec.position_low + goal * (spec.position_high - spec.position_low)
    total = 0
    for spoiled in sequence:
        for _ in range(5):
            driven.tick(aim)
        verdict = driven.tick(aim, lambda _, spoiled=spoiled: spoiled)
        out = verdict.target
        assert out.gripper_width is None or 0.0 <= out.gripper_width <= spec.gripper_width_max
        assert out is spoiled or verdict.braking or verdict.intervention == "gripper_width"
        total += verdict.intervention is not None
    assert sum(driven.governor.interventions.values()) >= total
    assert_lawful(spec, PERIOD, kinematics.NEUTRAL, driven.sent, WORKSPACE_MARGIN_M)
