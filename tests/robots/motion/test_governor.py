"""The governor: every limit on its own, and the guarantee for any input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from skill_proto.arrays import Array
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.franka.collision import FrankaCollisionModel
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, end_effector_state
from skill_robots.motion.governor import WORKSPACE_MARGIN_M, Governor, Verdict
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.motion.limits import MotionLimits, Surroundings
from skill_robots.motion.margins import Margins
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper

PERIOD = 0.005
ACTIONS = ActionConfig()
BASE = np.array(ACTIONS.base_position)
EVERYWHERE = 9.0
"""A margin so large that the workspace does not limit the arm."""

arms = pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
periods = pytest.mark.parametrize("period_s", [0.001, 0.005])


def make_governor(
    spec: ArmSpec = PANDA, period_s: float = PERIOD, margin_m: float = WORKSPACE_MARGIN_M
) -> Governor:
    return Governor(
        spec, ACTIONS.workspace_low, ACTIONS.workspace_high, period_s, margin_m=margin_m
    )


def make_state(position: Array = PANDA.neutral) -> ArmState:
    return ArmState(
        time_s=0.0, joint_position=position, joint_velocity=np.zeros(7), gripper_width=0.0
    )


def make_target(position: Array, velocity: Array | None = None) -> JointTarget:
    rest = np.zeros(7)
    return JointTarget(
        position=position, velocity=rest if velocity is None else velocity, acceleration=rest
    )


class Driven:
    """A shaper and a governor, coupled as in the control loop."""

    def __init__(
        self,
        spec: ArmSpec = PANDA,
        period_s: float = PERIOD,
        start: Array = PANDA.neutral,
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
        """Runs one servo period towards ``goal``; ``spoil`` may change the shaper's target."""
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
        """Returns the interventions."""
        found = [self.tick(goal).intervention for _ in range(ticks)]
        return [kind for kind in found if kind is not None]


def assert_lawful(
    spec: ArmSpec, period_s: float, start: Array, sent: Iterable[Array], margin_m: float
) -> None:
    """Checks every limit from the positions alone."""
    still = [start] * 3
    q = np.array([*still, *sent])
    tolerance = 1 + 1e-5
    assert np.isfinite(q).all()
    assert (q >= spec.position_low - 1e-5).all()
    assert (q <= spec.position_high + 1e-5).all()
    v = np.diff(q, axis=0) / period_s
    limits = MotionLimits(spec, Surroundings(low=(0, 0, 0), high=(0, 0, 0)), period_s)
    low, high = limits.speed_bounds(q[1:])
    assert (v <= high + 1e-5).all()
    assert (v >= low - 1e-5).all()
    a = np.diff(v, axis=0) / period_s
    assert (np.abs(a) <= spec.acceleration_limit * tolerance).all()
    jerk = np.diff(a, axis=0) / period_s
    assert (np.abs(jerk) <= spec.jerk_limit * tolerance).all()
    points = PANDA.kinematics.forward(q).position
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / period_s
    assert speed.max() <= spec.end_effector_speed * tolerance
    inside = np.minimum(
        points + BASE - np.array(ACTIONS.workspace_low),
        np.array(ACTIONS.workspace_high) - points - BASE,
    )
    assert inside.min() >= -margin_m - 1e-6
    model = FrankaCollisionModel()
    for position in q[:: 1 if period_s > 0.002 else 5]:
        clearance = model.measure(position)
        assert clearance.table >= Surroundings.table_clearance_m - 1e-6
        assert clearance.self_collision >= Surroundings.self_clearance_m - 1e-6


# Accepted set-points ------------------------------------------------------------------------------


def test_a_valid_target_passes_unchanged() -> None:
    governor = make_governor()
    target = make_target(PANDA.neutral.copy())
    verdict = governor.check(target, make_state())
    assert verdict.target is target
    assert verdict.intervention is None
    assert not verdict.braking
    assert not any(governor.interventions.values())


@arms
@periods
def test_a_shaped_trajectory_inside_the_limits_passes(spec: ArmSpec, period_s: float) -> None:
    driven = Driven(spec, period_s)
    goal = PANDA.neutral + np.array([0.2, -0.1, 0.1, 0.1, 0.3, 0.2, 0.5])
    assert driven.run(goal, round(1.5 / period_s)) == []
    assert driven.sent[-1] == pytest.approx(goal, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_shaped_setpoints_of_random_actions_are_never_refused(seed: int) -> None:
    governor, rng = make_governor(), np.random.default_rng(seed)
    decoder, shaper = ActionDecoder(ACTIONS, PANDA), SetpointShaper(PANDA, PERIOD)
    setpoint = Setpoint(PANDA.neutral[None].copy())
    goal, action = setpoint.position, np.zeros((1, 3))
    for tick in range(2000):
        if tick % 80 == 0:
            action = rng.choice([-1.0, 0.0, 1.0], (1, 3))
        if tick % 8 == 0:
            # A perfect servo: the arm is at its set-point.
            q, v = setpoint.position, setpoint.velocity
            goal = decoder.displace(action, q, end_effector_state(PANDA, q, v, q, v, BASE))
        shaper.step(setpoint, goal)
        target = JointTarget(
            position=setpoint.position[0],
            velocity=setpoint.velocity[0],
            acceleration=setpoint.acceleration[0],
        )
        assert governor.check(target, make_state()).intervention is None


# One limit at a time ------------------------------------------------------------------------------


@arms
@periods
def test_a_fast_raise_in_a_corner_of_the_workspace_is_accepted(
    spec: ArmSpec, period_s: float
) -> None:
    """Link 5 and hand are 27 mm apart there. A refusal at more than 10 mm is a false one."""
    corner = np.array([[-0.3, -0.32, 0.03]])
    joints = inverse_kinematics(spec, corner - BASE, 60)
    driven = Driven(spec, period_s, joints[0])
    decoder = ActionDecoder(ACTIONS, spec)
    least = np.inf
    for _ in range(round(1.0 / period_s)):
        setpoint = driven.setpoint
        ends = end_effector_state(
            spec,
            setpoint.position,
            setpoint.velocity,
            setpoint.position,
            setpoint.velocity,
            BASE,
        )
        goal = decoder.step_towards(np.array([[-0.3, -0.32, 0.12]]), setpoint.position, ends)
        assert driven.run(goal[0], 1) == []
        margins = driven.governor.limits.margins(setpoint.position[0])
        least = min(least, margins.self_collision)
    assert 0.015 < least < 0.018


def refused(governor: Governor, target: JointTarget | None) -> str | None:
    verdict = governor.check(target, make_state())
    assert verdict.braking == (verdict.intervention is not None)
    return verdict.intervention


def test_a_jump_is_refused_and_the_arm_stays() -> None:
    governor = make_governor()
    jump = np.eye(7)[0] * 0.01
    target = make_target(PANDA.neutral + jump, jump / PERIOD)
    verdict = governor.check(target, make_state())
    assert verdict.intervention == "joint_acceleration"
    assert np.array_equal(verdict.target.position, PANDA.neutral)
    assert np.array_equal(verdict.target.velocity, np.zeros(7))


def test_a_change_of_acceleration_is_bounded_too() -> None:
    # FR3 at 1 kHz: 10 rad/s^2 are allowed, but not from one period to the next (5 are).
    governor = make_governor(FR3, 0.001)
    step = np.eye(7)[0] * 9.0 * 0.001**2
    assert refused(governor, make_target(PANDA.neutral + step, step / 0.001)) == "joint_jerk"
    step = np.eye(7)[0] * 4.9 * 0.001**2
    assert refused(governor, make_target(PANDA.neutral + step, step / 0.001)) is None


def test_a_fed_forward_velocity_that_contradicts_the_positions_is_refused() -> None:
    target = make_target(PANDA.neutral, np.eye(7)[2] * 0.1)
    assert refused(make_governor(), target) == "inconsistent"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["position", "velocity", "acceleration"])
def test_a_target_that_is_not_finite_is_refused(where: str, bad: float) -> None:
    values = np.zeros(7)
    values[4] = bad
    target = replace(make_target(PANDA.neutral), **{where: values})
    assert refused(make_governor(), target) == "not_finite"


def test_two_infinities_do_not_cancel() -> None:
    position = PANDA.neutral.copy()
    position[0], position[1] = np.inf, -np.inf
    assert refused(make_governor(), make_target(position)) == "not_finite"


def test_without_a_target_the_arm_stops_and_rests() -> None:
    driven = Driven()
    driven.run(PANDA.neutral + 0.3 * np.eye(7)[0], 20)
    before = driven.sent[-1] - driven.sent[-2]
    assert before[0] > 0.001
    verdicts = [driven.tick(PANDA.neutral, lambda _: None) for _ in range(60)]
    assert verdicts[0].intervention == "stale"
    assert all(verdict.braking for verdict in verdicts)
    assert np.array_equal(driven.sent[-1], driven.sent[-2])
    # One intervention for the stop, then one in every period at rest.
    stop = next(i for i, verdict in enumerate(verdicts[1:], 1) if verdict.intervention)
    assert driven.governor.interventions["stale"] == 60 - stop + 1


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("side", [-1.0, 1.0])
@arms
def test_a_joint_comes_to_rest_before_its_end(spec: ArmSpec, side: float, joint: int) -> None:
    """Without table, workspace and self-collision limits."""
    end = spec.position_low if side < 0 else spec.position_high
    limits = MotionLimits(spec, Surroundings(low=(-9, -9, -9), high=(9, 9, 9)), PERIOD)
    start = PANDA.neutral.copy()
    start[1], start[3] = 0.0, -1.6  # upright: far from table and links
    if spec.position_low[5] < 0.5 and joint != 5:
        start[5] = 1.8
    start[joint] = end[joint] - side * 0.4
    driven = Driven(spec, PERIOD, start, EVERYWHERE)
    driven.governor.limits = limits
    limits.margins = lambda _: Margins(9.0, 9.0, 9.0)  # type: ignore[method-assign]
    goal = start.copy()
    goal[joint] = end[joint] + side
    found = set(driven.run(goal, 400))
    assert found <= {"joint_position", "joint_velocity"}
    assert found
    left = side * (end - driven.sent[-1])[joint]
    zone = 0.0
    if (limit := spec.position_based_velocity_limit) is not None:
        zone = limit.offset[joint] ** 2 / (2 * limit.deceleration[joint])
    assert -1e-6 <= left - zone < 0.01


def test_the_workspace_stops_the_end_effector_and_allows_its_return() -> None:
    driven = Driven()
    sideways = PANDA.neutral + 1.0 * np.eye(7)[0]
    found = driven.run(sideways, 300)
    assert set(found) == {"workspace"}
    out = PANDA.kinematics.forward_point(driven.sent[-1].tolist())[1] - ACTIONS.workspace_high[1]
    assert 0.0 < out <= WORKSPACE_MARGIN_M
    assert driven.run(PANDA.neutral, 300) == []


def test_the_table_stops_the_gripper() -> None:
    driven = Driven(margin_m=EVERYWHERE)
    lowered = PANDA.neutral.copy()
    lowered[1] += 0.4
    assert set(driven.run(lowered, 300)) == {"table"}
    headroom = driven.governor.headroom()
    assert headroom is not None
    assert 0.0 <= headroom.table < 0.003


def test_the_arm_does_not_fold_onto_itself() -> None:
    start = np.array([0.0, -0.3, 0.0, -2.5, 0.0, 1.8, 0.8])
    driven = Driven(PANDA, PERIOD, start, EVERYWHERE)
    folded = start.copy()
    folded[5] = 0.0
    assert set(driven.run(folded, 600)) == {"self_collision"}
    headroom = driven.governor.headroom()
    assert headroom is not None
    assert 0.0 <= headroom.self_collision < 0.01


def test_the_end_effector_is_no_faster_than_its_limit() -> None:
    slow = replace(PANDA, end_effector_speed=0.5)
    driven = Driven(slow, PERIOD, PANDA.neutral, EVERYWHERE)
    found = driven.run(PANDA.neutral + 2.0 * np.eye(7)[0], 100)
    assert set(found) == {"end_effector_speed"}
    assert_lawful(slow, PERIOD, PANDA.neutral, driven.sent, EVERYWHERE)


def test_headroom_is_a_share_of_each_limit() -> None:
    governor = make_governor()
    governor.reset(make_state())
    headroom = governor.headroom()
    assert headroom is not None
    assert (headroom.joint_acceleration, headroom.joint_jerk, headroom.end_effector_speed) == (
        1.0,
        1.0,
        1.0,
    )
    step = 0.02 * PERIOD**2 * np.eye(7)[0]  # .02 rad/s^2 of the first joint, .6 m from its axis
    position = PANDA.neutral + step
    acceleration = step / PERIOD**2
    target = JointTarget(position=position, velocity=step / PERIOD, acceleration=acceleration)
    assert governor.check(target, make_state()).intervention is None
    headroom = governor.headroom()
    assert headroom is not None
    assert headroom.joint_acceleration == pytest.approx(1 - 0.02 / PANDA.acceleration_limit[0])
    assert headroom.joint_jerk == pytest.approx(1 - 0.02 / PERIOD / PANDA.jerk_limit[0])
    speed = 0.6 * 0.02 * PERIOD
    assert headroom.end_effector_speed == pytest.approx(
        1 - speed / PANDA.end_effector_speed, abs=1e-5
    )


def test_the_gripper_width_is_clipped_to_its_range() -> None:
    for asked, allowed in ((-0.01, 0.0), (0.2, PANDA.gripper_width_max)):
        target = replace(make_target(PANDA.neutral), gripper_width=asked)
        verdict = make_governor().check(target, make_state())
        assert verdict.intervention == "gripper_width"
        assert verdict.target.gripper_width == allowed
        assert not verdict.braking


def test_a_stop_keeps_the_grasp() -> None:
    governor = make_governor()
    good = replace(make_target(PANDA.neutral), gripper_width=0.02, grasp=True)
    governor.check(good, make_state())
    held = governor.check(None, make_state()).target
    assert held.grasp
    assert held.gripper_width == 0.02


# Starts -----------------------------------------------------------------------------------------


def test_the_workspace_is_in_the_world_frame() -> None:
    # At (0.6, 0, 0.06) in the base frame the neutral pose is inside only because the base is not
    # at the world's origin.
    low, high = ACTIONS.workspace_low, ACTIONS.workspace_high
    unmoved = Governor(PANDA, low, high, PERIOD, base_position=(0.0, 0.0, 0.0))
    unmoved.reset(make_state())
    headroom = unmoved.headroom()
    assert headroom is not None
    assert headroom.workspace == pytest.approx(high[0] + WORKSPACE_MARGIN_M - 0.6)


def test_outside_of_the_workspace_only_returns_are_accepted() -> None:
    outside = PANDA.neutral + 0.8 * np.eye(7)[0]
    driven = Driven(start=outside)
    assert set(driven.run(outside + 0.2 * np.eye(7)[0], 20)) == {"workspace"}
    assert np.array_equal(driven.sent[-1], outside)
    assert driven.run(PANDA.neutral, 400) == []
    assert driven.sent[-1] == pytest.approx(PANDA.neutral, abs=1e-3)


def test_a_joint_that_starts_beyond_its_end_may_return() -> None:
    start = PANDA.neutral.copy()
    start[6] = PANDA.position_high[6] + 0.02
    driven = Driven(start=start)
    assert driven.run(PANDA.neutral, 400) == []


def test_the_first_target_is_compared_with_the_measured_joints() -> None:
    governor = make_governor(margin_m=EVERYWHERE)
    state = make_state(PANDA.neutral + 0.1)
    verdict = governor.check(make_target(PANDA.neutral), state)
    assert verdict.intervention == "joint_velocity"
    assert np.array_equal(verdict.target.position, state.joint_position)


def test_reset_takes_the_measured_joints() -> None:
    governor = make_governor()
    governor.check(make_target(PANDA.neutral), make_state())
    elsewhere = PANDA.neutral + 0.1
    governor.reset(make_state(elsewhere))
    assert governor.check(make_target(elsewhere), make_state(elsewhere)).intervention is None


def test_a_measurement_that_is_not_finite_is_refused() -> None:
    state = make_state(np.full(7, np.nan))
    with pytest.raises(ArmError, match="not finite"):
        make_governor().check(make_target(PANDA.neutral), state)


def test_the_last_target_is_a_copy() -> None:
    governor = make_governor()
    position = PANDA.neutral.copy()
    governor.check(make_target(position), make_state())
    position += 1.0
    held = governor.check(None, make_state()).target
    assert held.position == pytest.approx(PANDA.neutral)


# The guarantee ------------------------------------------------------------------------------------

shares = st.lists(st.floats(-0.3, 1.3), min_size=7, max_size=7).map(np.array)
legs = st.lists(st.tuples(shares, st.integers(1, 60), st.booleans()), min_size=1, max_size=6)


@arms
@periods
@settings(max_examples=25, deadline=None)
@given(legs=legs)
def test_no_joint_goal_leads_out_of_a_limit(
    spec: ArmSpec, period_s: float, legs: list[tuple[Array, int, bool]]
) -> None:
    """Goals in and beyond each joint's range, and periods without a target."""
    driven = Driven(spec, period_s)
    span = spec.position_high - spec.position_low
    for share, ticks, spoiled in legs:
        goal = spec.position_low + share * span
        for tick in range(ticks * (1 if period_s > 0.002 else 5)):
            spoil = (lambda _: None) if spoiled and tick % 40 == 17 else None
            driven.tick(goal, spoil)
    assert_lawful(spec, period_s, PANDA.neutral, driven.sent, WORKSPACE_MARGIN_M)


numbers = st.one_of(
    st.floats(-4.0, 4.0),
    st.floats(allow_nan=True, allow_infinity=True),
)
vectors = st.lists(numbers, min_size=7, max_size=7).map(np.array)
nearby = st.lists(st.floats(-0.03, 0.03), min_size=7, max_size=7).map(
    lambda step: PANDA.neutral + np.array(step)
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
def test_no_target_of_any_kind_leads_out_of_a_limit(
    spec: ArmSpec, sequence: list[JointTarget | None], goal: Array
) -> None:
    """Targets of any kind, also NaN, in the middle of a motion."""
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
    assert_lawful(spec, PERIOD, PANDA.neutral, driven.sent, WORKSPACE_MARGIN_M)
