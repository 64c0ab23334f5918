"""Replies to commands."""

from __future__ import annotations

from typing import Literal

from skill_proto.manifest import PolicyManifest
from skill_proto.messages.base import Finite, Mode, Outbound, Text


class Ok(Outbound):
    """The command was accepted."""

    type: Literal["ok"] = "ok"
    time: Finite
    """Server time [s], usable as ``reference_time``."""


class Welcome(Outbound):
    """Reply to ``hello``."""

    type: Literal["welcome"] = "welcome"
    time: Finite
    server: Text
    """Name and version of the server program."""
    robot: Text
    backend: Text
    """'mujoco', 'bullet', 'franka'."""
    simulated: bool
    mode: Mode
    servo_period_s: float
    policy_rate_hz: float
    telemetry_rate_hz: float
    telemetry_address: Text
    stop_address: Text
    lease_holder: Text | None
    joint_names: tuple[str, ...] = ()
    joint_position_low: tuple[float, ...] = ()
    """Least joint positions that ``servo_joint`` accepts [rad]."""
    joint_position_high: tuple[float, ...] = ()
    """Largest joint positions that ``servo_joint`` accepts [rad]."""
    gripper_width_max: float = 0.0
    """Largest ``gripper_width`` that a command may have [m]."""
    speed: float = 1.0
    """Share of the arm's velocity limits that the server uses."""
    policy_file: Text = ""
    """Name of the policy file."""
    policy_sha256: str = ""
    """Digest of the policy file, hexadecimal."""
    manifest: PolicyManifest


class Granted(Outbound):
    """Reply to ``acquire``: the lease."""

    type: Literal["granted"] = "granted"
    time: Finite
    lease: str
    ttl_s: float
    seq: int = 0
    """Commands under this lease must carry a higher ``seq``."""


ErrorCode = Literal[
    "malformed",
    "unknown_type",
    "wrong_version",
    "wrong_server",
    "too_large",
    "invalid",
    "no_lease",
    "lease_held",
    "stale",
    "out_of_order",
    "not_supported",
    "not_now",
    "session_lost",
    "busy",
    "internal",
    "forbidden",
]


class Error(Outbound):
    """The command was refused and had no effect."""

    type: Literal["error"] = "error"
    time: Finite
    code: ErrorCode
    message: str
    """The problem and the expected value."""
    fix: str
    """The remedy."""
