"""From set-points, one each servo period, to the reference of each millisecond.

Between two set-points the reference goes on at the velocity of the last one, for one servo period.
If no set-point has come for :data:`SILENCE_S`, the reference follows a braking trajectory to rest,
and holds there: the trajectory from the last set-point that the governor has verified, beginning
where the reference is, one servo period after that set-point. The controller that sends set-points
may then be anywhere else, so a set-point is followed again only from a place near the reference, or
near an arm that rests.
"""

from __future__ import annotations

from math import isfinite

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka_driver.records import Phase, Reference
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory

CYCLE_S = 1e-3
"""Cycle of the Franka Control Interface [s]."""

SILENCE_S = 0.0125
"""Longest time without a set-point before the driver brakes [s]: two and a half servo periods of
5 ms, and less than the 20 ms after which the server regards the arm as out of sync."""

SEAT_POSITION = 2e-3
"""Farthest place from which a set-point is followed after a stop, each joint [rad]."""
SEAT_VELOCITY = 0.1
"""Largest difference of velocity from which a set-point is followed after a stop [rad/s]."""
REST_VELOCITY = 0.01
"""A joint slower than this is at rest [rad/s]."""


def is_seated(
    position: Array,
    velocity: Array,
    *,
    reference: tuple[Array, Array],
    measured: tuple[Array, Array],
    holds: bool,
) -> bool:
    """Returns whether a set-point may be followed after a stop.

    It must be near the reference, or near an arm at rest whose reference is at rest too: static
    friction holds a joint beside its reference.

    Args:
        position: of the set-point ``(7,)`` [rad].
        velocity: of the set-point ``(7,)`` [rad/s].
        reference: position and velocity of the reference.
        measured: position and velocity of the arm.
        holds: whether the reference is at rest.
    """
    if _near(position, reference[0], SEAT_POSITION) and _near(
        velocity, reference[1], SEAT_VELOCITY
    ):
        return True
    still = np.zeros_like(velocity)
    return (
        holds
        and _near(measured[1], still, REST_VELOCITY)
        and _near(velocity, still, SEAT_VELOCITY)
        and _near(position, measured[0], SEAT_POSITION)
    )


class ReferenceFeed:
    """Makes the reference of one arm; it has no clock and no robot.

    Args:
        velocity_limit: ``(7,)`` [rad/s].
        acceleration_limit: ``(7,)`` [rad/s^2].
        planner: of the stop, with the servo period, which is the time between two set-points.

    Attributes:
        phase: source of the reference.
        position: the reference ``(7,)`` [rad].
        velocity: the reference ``(7,)`` [rad/s].
        accepted: number of the newest set-point that was followed; 0 before the first.
        late_setpoints: times that it braked because set-points failed to come.
        last_s: time of the newest set-point that was followed [s].
    """

    def __init__(
        self,
        velocity_limit: Array,
        acceleration_limit: Array,
        planner: BrakingPlanner,
    ) -> None:
        self.phase = Phase.STOPPED
        self.position = np.zeros(7)
        self.velocity = np.zeros(7)
        self.accepted = 0
        self.late_setpoints = 0
        self.last_s = -np.inf
        self._period_s = planner.period_s
        self._limit = acceleration_limit
        self._planner = planner
        self._farthest = velocity_limit * (SILENCE_S + planner.period_s)
        self._start = (np.zeros(7), np.zeros(7), np.zeros(7))
        self._trajectory: BrakingTrajectory | None = None
        self._braking_from_s = 0.0

    def stop(self) -> None:
        """Ends the reference, because the impedance law has ended."""
        self.phase = Phase.STOPPED
        self.velocity = np.zeros(7)

    def hold(self, position: Array) -> None:
        """Places the reference at rest ``(7,)`` [rad], before the impedance law starts there."""
        self.phase = Phase.HOLDING
        self.position, self.velocity = position.copy(), np.zeros(7)

    def offer(
        self, setpoint: Reference, measured_position: Array, measured_velocity: Array
    ) -> bool:
        """Follows a set-point if it is within reach, and returns whether it does.

        Args:
            setpoint: the set-point.
            measured_position: of the arm ``(7,)`` [rad].
            measured_velocity: of the arm ``(7,)`` [rad/s].
        """
        _, _, position, velocity, acceleration = setpoint
        if not isfinite(position.sum() + velocity.sum() + acceleration.sum()):
            return False
        if not self._is_within_reach(position, velocity, measured_position, measured_velocity):
            return False
        self._start = position, velocity, acceleration
        self.phase = Phase.FOLLOWING
        self.accepted = setpoint.number
        self.last_s = setpoint.time_s
        return True

    def _is_within_reach(
        self, position: Array, velocity: Array, measured: Array, measured_velocity: Array
    ) -> bool:
        if self.phase is Phase.STOPPED:
            return False
        if self.phase is Phase.FOLLOWING:
            return bool((np.abs(position - self.position) <= self._farthest).all())
        return is_seated(
            position,
            velocity,
            reference=(self.position, self.velocity),
            measured=(measured, measured_velocity),
            holds=self.phase is Phase.HOLDING,
        )

    def advance(self, now: float) -> tuple[Array, Array]:
        """Returns position [rad] and velocity [rad/s] of the reference at a time [s]."""
        if self.phase is Phase.FOLLOWING:
            age = now - self.last_s
            position, velocity, _ = self._start
            # A negative age is a set-point that came after the time was taken.
            self.position = position + velocity * min(max(age, 0.0), self._period_s)
            self.velocity = velocity
            if age > SILENCE_S:
                self.late_setpoints += 1
                self.brake(self.last_s + SILENCE_S)
        if self.phase is Phase.BRAKING:
            self._follow_trajectory(now)
        return self.position, self.velocity

    def brake(self, now: float) -> None:
        """Begins to brake at a time [s], unless the reference is at rest or brakes already."""
        if self.phase is not Phase.FOLLOWING:
            return
        position, velocity, acceleration = self._start
        acceleration = np.minimum(np.maximum(acceleration, -self._limit), self._limit)
        self._trajectory = self._planner.plan(position, velocity, acceleration)
        # The reference has passed the first servo period of the trajectory, or a part of it.
        self._braking_from_s = now - min(max(now - self.last_s, 0.0), self._period_s)
        self.phase = Phase.BRAKING

    def _follow_trajectory(self, now: float) -> None:
        trajectory = self._trajectory
        assert trajectory is not None  # made by brake()
        passed = max(now - self._braking_from_s, 0.0) / self._period_s
        before = int(passed)
        if before >= len(trajectory):
            self.hold(trajectory.position[-1])
            return
        share = passed - before
        position, velocity = trajectory.position, trajectory.velocity
        self.position = position[before] + share * (position[before + 1] - position[before])
        self.velocity = velocity[before] + share * (velocity[before + 1] - velocity[before])


def _near(one: Array, other: Array, within: float) -> bool:
    return bool((np.abs(one - other) <= within).all())
