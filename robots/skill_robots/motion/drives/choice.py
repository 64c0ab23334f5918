"""The drive for the action of a manifest."""

from __future__ import annotations

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.action import ActionDecoder
from skill_robots.motion.drives import end_effector, joints
from skill_robots.motion.drives.drive import ArmDrive


def make_arm_drive(manifest: PolicyManifest, decoder: ActionDecoder) -> ArmDrive:
    """Returns the drive for the action of a policy, which ``policy_support`` has checked."""
    if any(part.name in joints.PARTS for part in manifest.action):
        return joints.JointDrive(manifest.action, decoder, 1.0 / manifest.control_rate_hz)
    return end_effector.EndEffectorDrive(manifest.action, decoder)


def displacement_scale(manifest: PolicyManifest, default: float) -> float:
    """Returns the largest displacement of the end effector per control step [m]."""
    scales = (part.max_scale for part in manifest.action if part.name == end_effector.DISPLACEMENT)
    return next(scales, default)
