"""The configuration of each child process, and the reports of the controller.

The modules of a child are not imported here, so that the parent stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.console.logs import LogLevel
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.policy_service.config import PolicyServiceConfig
from skill_runtime.security.config import ServerSecurity
from skill_runtime.transport.addresses import Addresses


@dataclass(frozen=True, kw_only=True)
class RobotStart:
    """Start of a real Franka arm; ``DriverConfig`` explains the fields."""

    recover: bool = False
    home_gripper: bool = False
    gripper: bool = True
    collision_force_n: float | None = None
    """None for the default of the driver."""
    collision_torque_nm: float | None = None
    """Of joints 1 to 4; None for the default of the driver."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """One server, as the user has asked for it; ``ServeConfig`` and ``Pace`` explain the fields."""

    model: Path
    device: Literal["cpu", "cuda"] = "cpu"
    arm: Literal["mujoco", "bullet", "franka"] = "mujoco"
    address: str | None = None
    """Address of the control box of a real arm; None for a simulated one."""
    speed: float = 1.0
    robot: RobotStart = RobotStart()
    demo: bool = True
    stopped: bool = False
    stop_after_s: float = 60.0
    track: tuple[str, ...] = ()
    tracker_timeout_s: float = 0.2
    when_outside: Literal["hold", "warn", "go-on"] | None = None
    servo_rate_hz: float = 200.0
    spin_s: float = 0.0
    realtime: bool = False
    cpu: int | None = None
    seed: int = 0
    mass: float | None = None
    """Mass of the object [kg]; None for a random one."""
    friction: float | None = None
    """Friction of the object on the table; None for a random one."""
    log_level: LogLevel = "info"


@dataclass(frozen=True, kw_only=True)
class ControllerConfig:
    """One controller, and the descriptors that its process inherits."""

    options: ServerOptions
    addresses: Addresses
    instance: str
    memory: int
    """Descriptor of the shared memory."""
    own: Wakeup
    gateway: Wakeup
    listener: Wakeup
    report: int
    """Descriptor of the pipe for the reports."""
    private: Path
    """Folder of the server, which the last of its processes removes."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """Report: arm and policy are loaded."""

    described: GatewayConfig
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Started:
    """Report: the controller ticks."""

    grants: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Report: the controller cannot serve."""

    reason: str
    may_pass: bool
    """Whether the same command may work later, because the arm does not answer."""


@dataclass(frozen=True, kw_only=True)
class GatewayProcessConfig:
    """One gateway, and the descriptors that its process inherits."""

    described: GatewayConfig
    commands: tuple[int, str]
    """Descriptor and address of the listening socket."""
    telemetry: tuple[int, str]
    act: str
    """Address of the policy service."""
    memory: int
    own: Wakeup
    controller: Wakeup
    log_level: LogLevel
    security: ServerSecurity | None = None


@dataclass(frozen=True, kw_only=True)
class ServiceProcessConfig:
    """One policy service, and the descriptor that its process inherits."""

    service: PolicyServiceConfig
    memory: int
    log_level: LogLevel
