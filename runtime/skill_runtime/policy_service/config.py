"""Configuration, limits and counts of the policy service; loads no policy and no ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skill_proto.manifest import PolicyManifest
from skill_runtime.security.config import ServerSecurity

MAX_ROWS = 256
"""Rows of all sessions together; this bounds time and memory of an inference."""


@dataclass(frozen=True, kw_only=True)
class PolicyServiceConfig:
    """Configuration of one run of the service."""

    model: Path
    """The policy file."""
    device: Literal["cpu", "cuda"] = "cpu"
    address: str
    """Address that the gateway binds."""
    instance: str
    """Name of this run of the server."""


@dataclass(frozen=True, kw_only=True)
class ClientServiceConfig:
    """Configuration of one run of a service that clients reach directly."""

    models: tuple[tuple[str, Path], ...]
    """Name and policy file of each model."""
    device: Literal["cpu", "cuda"] = "cpu"
    listener: tuple[int, str]
    """Descriptor and address of the listening socket."""
    instance: str
    """Name of this run of the server."""
    server: str
    """Name and version of the server program."""
    security: ServerSecurity | None = None
    """Keys of the server; None admits every connection."""


@dataclass
class Counts:
    """Counts of one run of the service."""

    answered: int = 0
    late: int = 0
    """Answers after the deadline of their request."""
    refused: int = 0
    inferences: int = 0


def largest_array_bytes(manifest: PolicyManifest) -> int:
    """Returns the size of the largest array that a request for a policy can have."""
    sizes = (
        manifest.observation_size,
        manifest.action_size,
        manifest.skill.size,
        manifest.goal_size,
    )
    return MAX_ROWS * max(sizes) * 8  # bytes of a number in double precision
