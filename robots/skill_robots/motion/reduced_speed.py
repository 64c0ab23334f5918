"""A slower arm, for a first motion: the same arm with a share of its speeds."""

from __future__ import annotations

from dataclasses import replace

from skill_robots.arm import ArmSpec


def with_speed(spec: ArmSpec, share: float) -> ArmSpec:
    """Returns the arm with reduced limits of joint, end-effector and gripper speed.

    The set-point shaper and the governor take their limits from the result, so that a policy
    observes the slower set-point and can wait for it. Acceleration and jerk stay: the arm must
    brake as fast as ever, and a stop from a lower speed is shorter.

    Args:
        spec: the arm.
        share: of the velocity limits, in (0, 1].

    Raises:
        ValueError: the share is outside of (0, 1].
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"the share of the velocity limits is in (0, 1], got {share:g}")
    if share == 1.0:
        return spec
    return replace(
        spec,
        velocity_limit=share * spec.velocity_limit,
        end_effector_speed=share * spec.end_effector_speed,
        gripper_speed=share * spec.gripper_speed,
    )
