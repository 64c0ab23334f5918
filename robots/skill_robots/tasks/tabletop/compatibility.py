"""Checks whether a policy fits the tabletop."""

from __future__ import annotations

import math

import numpy as np

from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.gripper import WIDTH, gripper_part
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.policy_support import ROUNDED, UnsupportedPolicyError
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig


def check_fits_tabletop(manifest: PolicyManifest, *, gripper: bool = False) -> None:
    """Checks that the tabletop is the plant that the policy was trained on.

    Args:
        manifest: of the policy.
        gripper: whether the policy may drive the gripper.

    Raises:
        UnsupportedPolicyError: names the first difference.
    """
    part = gripper_part(manifest)
    of_the_task = (
        part is not None
        and part.name == WIDTH
        and math.isclose(part.max_scale, PANDA.gripper_width_max, rel_tol=ROUNDED)
    )
    if of_the_task and not gripper:
        raise UnsupportedPolicyError(
            f"{manifest.name} drives the gripper, which is closed here; take a policy that pushes"
        )
    if manifest.action[0].name != "end_effector_displacement" or not manifest.is_plain:
        raise UnsupportedPolicyError(
            f"{manifest.name} acts by {manifest.action[0].name} or has observations of its own; "
            "the scenes of this evaluation take displacements of the end effector; run it with "
            "skill-serve"
        )
    moves = manifest.action[0]
    if isinstance(moves.scale, tuple) or np.any(moves.offset):
        raise UnsupportedPolicyError(
            f"{manifest.name} displaces the end effector by {moves.scale} m with an offset of "
            f"{moves.offset} m, the tabletop takes one scale for all axes and no offset; run it "
            "with skill-serve"
        )
    if manifest.action_size != Tabletop.action_size + int(of_the_task):
        raise UnsupportedPolicyError(
            f"{manifest.name} has {manifest.action_size} actions, the tabletop takes "
            f"{Tabletop.action_size}: the displacement of the end effector, and one more for a "
            f"{WIDTH} up to {PANDA.gripper_width_max:g} m"
        )
    adapter = PolicyAdapter(PANDA, manifest, TabletopConfig().physics_step_s)
    trained, here = (adapter.actions, adapter.shaping), (ActionConfig(), ShaperConfig())
    if trained != here:
        raise UnsupportedPolicyError(
            f"{manifest.name} was trained with {trained}, the tabletop has {here}; "
            f"evaluate it on the plant it was trained on"
        )
    if manifest.control_rate_hz != Tabletop.control_rate_hz:
        raise UnsupportedPolicyError(
            f"{manifest.name} acts at {manifest.control_rate_hz:g} Hz, the tabletop at "
            f"{Tabletop.control_rate_hz:g} Hz; run it with skill-serve, at the rate of its file"
        )
