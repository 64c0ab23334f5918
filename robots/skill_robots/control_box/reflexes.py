"""Reflexes: contacts, collisions and measured limits that end a motion."""

from __future__ import annotations

from collections.abc import Iterable
from operator import gt

from skill_robots.control_box.config import RobotConfig
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.wire.protocol import ErrorBit
from skill_robots.control_box.wire.robot_command import CollisionBehavior
from skill_robots.control_box.wire.robot_state import RobotState
from skill_robots.motion.limits import exceeds

MEASURED_MARGIN = 1.05
"""A measured velocity may exceed the limit of commanded ones by this factor, because an arm swings
about its set-point; a guess."""

RANGE_MARGIN_RAD = 0.01
"""A measured position may exceed its range by this much [rad], for the same reason; a guess."""

POWER_LIMIT_W = 600.0
"""Limit of the joints' mechanical power; the real one is unpublished. All joints at their largest
torque and velocity are 850 W."""

MAX_LEVER_M = 2.0
"""No end effector is farther from the axis of a joint [m]."""
MAX_TORQUE_NM = 200.0
"""No torque at the link side is larger: 87 N m of the motor and 60 N m of gravity [N m]."""

ACCELERATING = 0.05
"""The thresholds for acceleration hold while a joint's desired acceleration is above this share of
its limit; a guess. Torque control has no desired acceleration: there the nominal ones hold."""

SELF_COLLISION_CYCLES = 10
"""Self-collision is checked once in this number of cycles, because it is the costliest check."""


class Thresholds:
    """One set of thresholds, as lists for fast comparison.

    Args:
        behavior: the thresholds that a client has set.
        accelerating: whether to take those for acceleration.
    """

    def __init__(self, behavior: CollisionBehavior, *, accelerating: bool) -> None:
        lower_torque, upper_torque, lower_force, upper_force = (
            (
                behavior.lower_torque_acceleration,
                behavior.upper_torque_acceleration,
                behavior.lower_force_acceleration,
                behavior.upper_force_acceleration,
            )
            if accelerating
            else (
                behavior.lower_torque_nominal,
                behavior.upper_torque_nominal,
                behavior.lower_force_nominal,
                behavior.upper_force_nominal,
            )
        )
        self.lower_torque: list[float] = lower_torque.tolist()
        self.upper_torque: list[float] = upper_torque.tolist()
        self.lower_force: list[float] = lower_force.tolist()
        self.upper_force: list[float] = upper_force.tolist()


class Reflexes:
    """Compares measurements with thresholds and limits.

    Args:
        config: the robot.
        plant: the physics.
        state: the state, which gets the flags of contacts and collisions.
    """

    def __init__(self, config: RobotConfig, plant: Plant, state: RobotState) -> None:
        self._plant = plant
        self._state = state
        self._protocol = config.protocol
        spec = config.spec
        self._low: list[float] = (spec.position_low - RANGE_MARGIN_RAD).tolist()
        self._high: list[float] = (spec.position_high + RANGE_MARGIN_RAD).tolist()
        self._velocity: list[float] = (MEASURED_MARGIN * spec.velocity_limit).tolist()
        self._speed = MEASURED_MARGIN * config.cartesian_limits.translation.velocity
        self._accelerating: list[float] = (ACCELERATING * spec.acceleration_limit).tolist()
        self._collision_model = spec.collision_model()
        self._cycle = 0
        self._has_contact = False

    def set_behavior(self, behavior: CollisionBehavior) -> None:
        """Sets the thresholds."""
        self._nominal = Thresholds(behavior, accelerating=False)
        self._acceleration = Thresholds(behavior, accelerating=True)

    def reset(self) -> None:
        """Clears the flags of collisions, as automatic error recovery does."""
        self._state.joint_collision[:] = 0.0
        self._state.cartesian_collision[:] = 0.0

    def check(self, motion: JointMotion | None) -> int:
        """Updates the flags of contacts; returns the errors of a motion as a mask.

        The state has the measurements of this cycle. All broken limits are in the mask.

        Args:
            motion: set-point of a running motion; None if none runs or the client commands torque.
        """
        accelerating = motion is not None and exceeds(motion.acceleration, self._accelerating)
        thresholds = self._acceleration if accelerating else self._nominal
        return self._contacts(thresholds) | self._limits()

    def is_beyond_range(self) -> bool:
        """Returns whether a joint is beyond its range."""
        q = self._plant.position
        return any(map(gt, self._low, q)) or any(map(gt, q, self._high))

    def contacts(self) -> None:
        """Updates the flags of contacts while no motion runs."""
        self._flag_contacts(self._nominal)

    def _contacts(self, thresholds: Thresholds) -> int:
        if not self._flag_contacts(thresholds):
            return 0
        state = self._state
        torque: list[float] = state.tau_ext_hat_filtered.tolist()
        force: list[float] = state.k_f_ext_hat_k.tolist()
        errors = 0
        if exceeds(torque, thresholds.upper_torque):
            state.joint_collision[:] = _above(torque, thresholds.upper_torque)
            errors |= self._mask(ErrorBit.JOINT_REFLEX)
        if exceeds(force, thresholds.upper_force):
            state.cartesian_collision[:] = _above(force, thresholds.upper_force)
            errors |= self._mask(ErrorBit.CARTESIAN_REFLEX)
        return errors

    def _flag_contacts(self, thresholds: Thresholds) -> bool:
        """Sets the flags of contacts; returns whether there is one."""
        state = self._state
        torque: list[float] = state.tau_ext_hat_filtered.tolist()
        force: list[float] = state.k_f_ext_hat_k.tolist()
        has_contact = exceeds(torque, thresholds.lower_torque) or exceeds(
            force, thresholds.lower_force
        )
        if has_contact or self._has_contact:
            state.joint_contact[:] = _above(torque, thresholds.lower_torque)
            state.cartesian_contact[:] = _above(force, thresholds.lower_force)
            self._has_contact = has_contact
        return has_contact

    def _limits(self) -> int:
        rates = self._plant.velocity
        errors = 0
        if self.is_beyond_range() and self._leaves_range(rates):
            errors |= self._mask(ErrorBit.JOINT_POSITION_LIMITS_VIOLATION)
        if exceeds(rates, self._velocity):
            errors |= self._mask(ErrorBit.JOINT_VELOCITY_VIOLATION)
        # Speed and power are computed only if their upper bounds exceed the limits.
        total = sum(map(abs, rates))
        if total * MAX_LEVER_M > self._speed and self._plant.end_effector_speed() > self._speed:
            errors |= self._mask(ErrorBit.CARTESIAN_VELOCITY_VIOLATION)
        if total * MAX_TORQUE_NM > POWER_LIMIT_W and self._power(rates) > POWER_LIMIT_W:
            errors |= self._mask(ErrorBit.POWER_LIMIT_VIOLATION)
        self._cycle += 1
        if self._cycle % SELF_COLLISION_CYCLES == 0 and self._touches_itself():
            errors |= self._mask(ErrorBit.SELF_COLLISION_AVOIDANCE_VIOLATION)
        return errors

    def _leaves_range(self, rates: list[float]) -> bool:
        """Returns whether a joint beyond its range moves farther; one on its way back may."""
        joints = zip(self._plant.position, rates, self._low, self._high, strict=True)
        return any((q < low and v < 0.0) or (q > high and v > 0.0) for q, v, low, high in joints)

    def _power(self, rates: list[float]) -> float:
        torque: list[float] = self._plant.tau_j.tolist()
        return sum(abs(tau * rate) for tau, rate in zip(torque, rates, strict=True))

    def _touches_itself(self) -> bool:
        return self._collision_model.measure(self._plant.q).self_collision < 0.0

    def _mask(self, error: ErrorBit) -> int:
        return error_mask(self._protocol, error)


def _above(values: Iterable[float], thresholds: Iterable[float]) -> list[float]:
    """Returns 1 for each value whose magnitude is above its threshold, otherwise 0."""
    return [float(above) for above in map(gt, map(abs, values), thresholds)]
