"""Configuration and report of the process that answers; loads no policy and no ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass

from skill_proto.messages import ServiceWelcome
from skill_runtime.console.logs import LogLevel
from skill_runtime.policy_service.config import ClientServiceConfig


@dataclass(frozen=True, kw_only=True)
class ServiceOnlyConfig:
    """One run of the process, and the descriptors that it inherits."""

    service: ClientServiceConfig
    memory: int
    """Descriptor of the shared memory."""
    report: int | None
    """Descriptor of the pipe for the report; None after the first start."""
    log_level: LogLevel


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Report: the policies are open."""

    welcome: ServiceWelcome


@dataclass(frozen=True, kw_only=True)
class NotOpened:
    """Report: a policy cannot be opened."""

    reason: str
