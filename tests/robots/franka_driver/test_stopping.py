"""The stop that the governor has verified, against the stop of the driver."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka_driver.feed import CYCLE_S, SILENCE_S, ReferenceFeed
from skill_robots.franka_driver.records import Phase, Reference
from skill_robots.franka_driver.stopping import BRAKING_ACCELERATION, with_driver_stop
from skill_robots.motion.braking import BrakingPlanner
from skill_robots.motion.governor import Governor
from skill_robots.motion.margins import Margins
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper, ShaperConfig

START = np.array([-0.8, -0.9, -0.8, -2.2, -2.5, 0.9, -2.5])
"""From here each joint reaches its full speed and stops inside its range [rad]."""
STILL = np.zeros(7)

arms = pytest.mark.parametrize("spec", [PANDA, FR3], ids=["fer", "fr3"])
periods = pytest.mark.parametrize("period_s", [0.001, 0.005])
joints = pytest.mark.parametrize("joint", range(7), ids=lambda joint: f"joint{joint + 1}")


class Served:
    """Shaper and governor of an arm whose joint moves at full speed."""

    def __init__(self, spec: ArmSpec, period_s: float, goal: Array) -> None:
        spec = with_driver_stop(spec)
        self.shaper = SetpointShaper(spec, period_s)
        self.setpoint = Setpoint(START[None].copy())
        self.governor = Governor(spec, (-9.0,) * 3, (9.0,) * 3, period_s)
        self.governor.limits.margins = lambda _: Margins(9.0, 9.0, 9.0)  # type: ignore[method-assign]
        self._state = ArmState(
            time_s=0.0, joint_position=START, joint_velocity=STILL, gripper_width=0.0
        )
        self._goal = goal

    def tick(self) -> JointTarget:
        """Returns the next set-point, which the governor adopts."""
        self.shaper.step(self.setpoint, self._goal[None])
        target = JointTarget(
            position=self.setpoint.position[0].copy(),
            velocity=self.setpoint.velocity[0].copy(),
            acceleration=self.setpoint.acceleration[0].copy(),
        )
        assert self.governor.check(target, self._state).intervention is None
        return target

    def brake(self) -> JointTarget:
        """Returns the next set-point of the governor's fail-safe trajectory."""
        return self.governor.check(None, self._state).target


def verified_stop(served: Served, start: JointTarget) -> list[JointTarget]:
    """Returns the governor's fail-safe trajectory from its last set-point to rest."""
    rows = [start]
    while len(rows) < 2 or rows[-1].velocity.any():
        rows.append(served.brake())
        assert len(rows) < 2000
    return rows


def driver_stop(spec: ArmSpec, period_s: float, start: JointTarget) -> Array:
    """Returns the driver's reference of each millisecond after a last set-point, ``(n, 7)``."""
    planner = BrakingPlanner.of(with_driver_stop(spec), period_s)
    feed = ReferenceFeed(spec.velocity_limit, spec.acceleration_limit, planner)
    feed.hold(start.position)
    assert feed.offer(Reference(1, 0.0, start.position, STILL, STILL), start.position, STILL)
    last = Reference(2, 0.0, start.position, start.velocity, start.acceleration)
    assert feed.offer(last, start.position, STILL)
    found: list[Array] = []
    while feed.phase is not Phase.HOLDING:
        found.append(feed.advance(len(found) * CYCLE_S)[0])
        assert len(found) < 2000
    assert feed.late_setpoints == 1
    return np.array(found)


def distance_to_path(points: Array, path: Array) -> float:
    """Returns how far a point is from a polyline at most, in joint space [rad]."""
    start, step = path[:-1], np.diff(path, axis=0)
    length = np.maximum((step**2).sum(axis=1), 1e-18)
    share = np.einsum("pij,ij->pi", points[:, None] - start, step) / length
    nearest = start + np.clip(share, 0.0, 1.0)[..., None] * step
    return float(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1).max())


@arms
@periods
@joints
def test_the_driver_stops_on_the_path_that_the_governor_has_verified(
    spec: ArmSpec, period_s: float, joint: int
) -> None:
    """Once while the joint accelerates, and once at full speed."""
    full = ShaperConfig().limit_share * spec.velocity_limit[joint]
    goal = START.copy()
    goal[joint] += 5.0  # so far that the shaper does not slow down yet
    for share in (0.5, 0.98):
        served = Served(spec, period_s, goal)
        target = next(
            target
            for target in (served.tick() for _ in range(round(1.0 / period_s)))
            if target.velocity[joint] >= share * full
        )
        verified = np.array([row.position for row in verified_stop(served, target)])
        driven = driver_stop(spec, period_s, target)
        np.testing.assert_allclose(driven[-1], verified[-1], rtol=0.0, atol=1e-12)
        assert distance_to_path(driven, verified) < 1e-12
        still_s, braking_s = SILENCE_S - period_s, (len(verified) - 1) * period_s
        assert (len(driven) - 1) * CYCLE_S == pytest.approx(still_s + braking_s, abs=2 * CYCLE_S)
        limit = with_driver_stop(spec).deceleration_limit[joint]
        way = (share * full) ** 2 / (2 * limit)
        assert driven[-1][joint] - target.position[joint] > 0.9 * way


@arms
@periods
def test_all_joints_together_stop_on_the_verified_path(spec: ArmSpec, period_s: float) -> None:
    served = Served(spec, period_s, START + np.array([1.4, -0.5, 1.2, 0.6, 1.5, 1.0, 1.5]))
    for _ in range(round(0.15 / period_s)):
        target = served.tick()
    verified = np.array([row.position for row in verified_stop(served, target)])
    driven = driver_stop(spec, period_s, target)
    np.testing.assert_allclose(driven[-1], verified[-1], rtol=0.0, atol=1e-12)
    # In the first period the reference goes on at the set-point's velocity: a T^2 beside the path.
    assert distance_to_path(driven, verified) < 7 * BRAKING_ACCELERATION * period_s**2


@arms
@periods
def test_the_driver_ends_a_stop_of_the_governor_near_its_path(
    spec: ArmSpec, period_s: float
) -> None:
    """The controller dies while the governor brakes: the driver plans the rest again."""
    served = Served(spec, period_s, START + np.array([1.4, -0.5, 1.2, 0.6, 1.5, 1.0, 1.5]))
    for _ in range(round(0.15 / period_s)):
        target = served.tick()
    rows = verified_stop(served, target)
    verified = np.array([row.position for row in rows])
    for row in rows[1 : -1 : max(1, len(rows) // 8)]:
        driven = driver_stop(spec, period_s, row)
        assert distance_to_path(driven, verified) < 5e-4


@pytest.mark.parametrize(
    ("spec", "limits"),
    [(PANDA, [7.5, 7.5, 7.5, 7.5, 7.5, 10.0, 10.0]), (FR3, [7.5] * 7)],
    ids=["fer", "fr3"],
)
def test_the_deceleration_of_each_joint(spec: ArmSpec, limits: list[float]) -> None:
    slower = with_driver_stop(spec)
    assert slower.deceleration_limit == pytest.approx(limits)
    np.testing.assert_array_equal(slower.acceleration_limit, spec.acceleration_limit)
    np.testing.assert_array_equal(spec.deceleration_limit, spec.acceleration_limit)
