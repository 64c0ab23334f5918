"""Servo rates that fit the rate of a policy."""

from __future__ import annotations

import math

from skill_proto.bounds import SERVO_RATE_HZ

LEAST_HZ, MOST_HZ = SERVO_RATE_HZ


def suggest_servo_rates(policy_hz: float, wanted_hz: float) -> tuple[float, ...]:
    """Returns the whole multiples of the policy's rate next to ``wanted_hz``, nearest first [Hz].

    At most two, within :data:`LEAST_HZ` to :data:`MOST_HZ`; none if that range has no multiple.

    Args:
        policy_hz: Rate of the policy, above 0.
        wanted_hz: The servo rate that does not fit.
    """
    least = math.ceil(LEAST_HZ / policy_hz * (1 - 1e-9))
    most = math.floor(MOST_HZ / policy_hz * (1 + 1e-9))
    below = math.floor(wanted_hz / policy_hz)
    near = {min(max(k, least), most) for k in (below, below + 1)} if least <= most else set[int]()
    return tuple(sorted((k * policy_hz for k in near), key=lambda rate: abs(rate - wanted_hz)))


def servo_rate_fix(policy_hz: float, wanted_hz: float) -> str:
    """Returns the advice to choose one of :func:`suggest_servo_rates`, in the imperative."""
    rates = suggest_servo_rates(policy_hz, wanted_hz)
    if not rates:
        return (
            f"there is no such rate from {LEAST_HZ:g} to {MOST_HZ:g} Hz, so the policy needs "
            "another control_rate_hz"
        )
    return "choose " + " or ".join(f"--servo-rate {rate:.9g}" for rate in rates)
