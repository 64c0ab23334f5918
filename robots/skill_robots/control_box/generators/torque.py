"""TorqueCommand: the torque of an external controller, and its limits."""

from __future__ import annotations

from operator import sub

from skill_robots.arm import ArmSpec
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.wire.protocol import ErrorBit, Protocol
from skill_robots.motion.limits import exceeds

TORQUE_STEP_NM = 1.0
"""Largest change of a joint's torque from one cycle to the next [N m] (Franka Control Interface
documentation: 1000 N m/s)."""

TORQUE_TOLERANCE_NM = 1e-3
"""Rounding of torques [N m]: a client that saturates against ``tau_J_d`` of a state in single
precision commands a change of 1 N m and a rounding error. libfranka 0.20.0 mentions false reports
for this reason (its changelog)."""


class TorqueCommand:
    """Torques without gravity and friction, as the client commands them.

    The first torque follows zero: a controller starts there.

    Args:
        spec: the arm.
        protocol: version of the interface.

    Attributes:
        torque: of this cycle, ``(7,)`` [N m]; a lost packet repeats it.
    """

    def __init__(self, spec: ArmSpec, protocol: Protocol) -> None:
        self.torque = [0.0] * 7
        self._limit: list[float] = (spec.torque_limit + TORQUE_TOLERANCE_NM).tolist()
        self._step = [TORQUE_STEP_NM + TORQUE_TOLERANCE_NM] * 7
        self._range_error = error_mask(protocol, ErrorBit.TAU_J_RANGE_VIOLATION)
        self._step_error = error_mask(protocol, ErrorBit.CONTROLLER_TORQUE_DISCONTINUITY)

    def follow(self, torque: list[float]) -> int:
        """Takes the torque of a command; returns the limits that it breaks as a mask."""
        errors = self._range_error if exceeds(torque, self._limit) else 0
        if exceeds(map(sub, torque, self.torque), self._step):
            errors |= self._step_error
        if not errors:
            self.torque = torque
        return errors
