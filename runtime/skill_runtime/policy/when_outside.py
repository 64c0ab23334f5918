"""What a server does when its policy leaves its training, as the user asked for (``--outside``)."""

from __future__ import annotations

from typing import Literal

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError

WhenOutside = Literal["hold", "warn", "go-on"]
"""What a server does when a policy leaves its training."""

DEFAULT_WHEN_OUTSIDE: WhenOutside = "warn"
"""A warning moves no arm, so a false one costs a line of the log; silence could cost a robot."""


def knows_distance(manifest: PolicyManifest) -> bool:
    """Returns whether a policy has an encoder whose contexts were calibrated in training."""
    return manifest.context is not None and bool(manifest.context.center)


def check_knows_distance(manifest: PolicyManifest, when_outside: WhenOutside | None) -> None:
    """Refuses to hold an arm on a distance that the policy does not have.

    Raises:
        UnsupportedPolicyError: the arm is to hold, and the policy has no calibrated encoder.
    """
    if when_outside == "hold" and not knows_distance(manifest):
        raise UnsupportedPolicyError(
            f"--outside hold: {_why_unknown(manifest)}; omit the flag, or serve a policy with an "
            "encoder, such as goal_panda"
        )


def outside_remark(manifest: PolicyManifest, when_outside: WhenOutside | None) -> str:
    """Returns what happens if the policy leaves its training, in words; may be empty.

    Args:
        manifest: of the policy.
        when_outside: as the user asked for; None if the user did not.
    """
    if not knows_distance(manifest):
        asked = when_outside in ("warn", "hold")
        return f"--outside {when_outside} has no effect: {_why_unknown(manifest)}" if asked else ""
    return {
        "hold": "the arm holds if the policy leaves its training; 'clear' lets it go on",
        "warn": "a policy outside of its training is reported (--outside warn)",
        "go-on": "a policy outside of its training goes on (--outside go-on)",
    }[when_outside or DEFAULT_WHEN_OUTSIDE]


def _why_unknown(manifest: PolicyManifest) -> str:
    lack = "has no encoder" if manifest.context is None else "has an encoder without calibration"
    return f"{manifest.name} {lack}, so its distance from training is unknown"
