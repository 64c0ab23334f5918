"""The stop that the driver executes by itself, as a part of the arm's spec.

The governor verifies a stop from every set-point, and the driver executes one if set-points end.
Both take it from the spec with ``BrakingPlanner.of``, so they are the same trajectory.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skill_robots.arm import ArmSpec

BRAKING_ACCELERATION = 7.5
"""Deceleration of a joint's reference [rad/s^2], except for the two wrist joints of the Panda: the
smallest acceleration limit of a Franka joint. A compliant arm exceeds the deceleration of its
reference (``python -m benchmarks.arms.driver.deaths``)."""

SHORTEST_PERIOD_S = 1e-3
"""Shortest servo period [s]."""


def with_driver_stop(spec: ArmSpec) -> ArmSpec:
    """Returns the arm with the deceleration of the driver's stop.

    Shaper and policy keep the arm's own acceleration limits, which are part of the trained plant.
    A stop may begin while a joint accelerates at its limit, and within one servo period the jerk
    limit permits only a part of that change. So the last two joints of the Panda, which accelerate
    at up to 20 rad/s^2, brake with up to 10 rad/s^2.
    """
    least = spec.acceleration_limit - spec.jerk_limit * SHORTEST_PERIOD_S
    usual = np.minimum(spec.acceleration_limit, BRAKING_ACCELERATION)
    return replace(spec, braking_limit=np.maximum(usual, least))
