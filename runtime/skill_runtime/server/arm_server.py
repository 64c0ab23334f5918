"""Assembles an arm, a policy file and three addresses into one server."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from skill_proto.messages import Welcome
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.console.text import control_command
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy
from skill_runtime.realtime.clock import Clock, MonotonicClock
from skill_runtime.server.control_loop import ControlLoop, Pace
from skill_runtime.server.dispatcher import Dispatcher
from skill_runtime.server.message_server import MessageServer
from skill_runtime.server.policy_service import PolicyService
from skill_runtime.server.policy_sessions import MAX_ROWS
from skill_runtime.transport.sockets import Addresses, ServerSockets

if TYPE_CHECKING:
    from skill_robots.arm import Arm
    from skill_runtime.policy.policy_file import Device

INFERENCE_SHARE = 0.5
"""An inference longer than this share of a servo period is remarked on."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Configuration of one server."""

    model: Path
    device: Device = "cpu"
    addresses: Addresses = field(default_factory=Addresses)
    pace: Pace = field(default_factory=Pace)
    demo: bool = True
    """A simulated arm executes skills until a client takes the lease."""
    stopped: bool = False
    """Start in mode ``stopped``; ``clear`` enables motion."""
    seed: int = 0
    backend: str = "mujoco"
    idle_timeout: IdleTimeout = field(default_factory=IdleTimeout)
    track: TrackConfig = field(default_factory=TrackConfig)


class ArmServer:
    """One arm, one policy, one control loop.

    Args:
        arm: the arm; :meth:`run` or :meth:`close` closes it.
        config: the configuration.
        clock: server time; None takes the machine's monotonic clock.

    Attributes:
        addresses: the server's addresses, with the actual ports.
        remarks: notes for the user, beyond the reply to ``hello``.
        authority, controller, loop: the parts, for code in the same process.

    Raises:
        PolicyFileError: the policy file cannot be served.
        AddressError: an address cannot be bound.
        RateMismatchError, UnsupportedPolicyError, ArmError: arm and policy do not fit.
    """

    def __init__(self, arm: Arm, config: ServeConfig, clock: Clock | None = None) -> None:
        self._clock = clock or MonotonicClock()
        self._config = config
        self.authority = Authority(config.idle_timeout)
        if config.stopped:
            self.authority.stop("server was started with --stopped")
        policy = OnnxPolicy(config.model, device=config.device)
        self.controller = ArmController(arm, policy, ObjectTracker(config.track), self._clock.now)
        service_policy = OnnxPolicy(config.model, device=config.device, slots=MAX_ROWS)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._sockets = ServerSockets(config.addresses, self._context)
        except Exception:
            self._context.term()
            raise
        self.addresses = self._sockets.addresses
        self._service = PolicyService(service_policy, self._context, self._clock)
        self._sockets.also_wake_for(self._service.replies)
        dispatcher = Dispatcher(self.authority, self.controller, self.welcome)
        server = MessageServer(
            self._sockets, self.authority, dispatcher.handle, self._service, self._clock
        )
        demo = DemoController(self.controller.manifest, config.seed) if self._has_demo else None
        self.loop = ControlLoop(
            self.authority, self.controller, server, demo, self._clock, config.pace
        )
        self._stopping = threading.Event()
        self.remarks = self._remarks(policy.inference_s)

    def _remarks(self, inference_s: float) -> list[str]:
        by_goal = self.controller.manifest.skill.kind == "none"
        remarks = [f"executes {'goals' if by_goal else 'skills'} until a client takes the lease"]
        if not self._has_demo:
            remarks = ["the arm holds until a client takes the lease"]
        if self._config.stopped:
            command = control_command("clear", self.addresses.commands)
            remarks = [f"stopped until a client sends 'clear': {command}"]
        needed = self.controller.adapter.objects
        for name in self._config.track.objects:
            if name not in needed:
                seen = f"observes {', '.join(needed)}" if needed else "observes no object"
                remarks.append(f"--track {name}: the policy {seen}, so that pose is not needed")
        period_s = self.controller.arm.servo_period_s
        if inference_s > INFERENCE_SHARE * period_s:
            remarks.append(
                f"an inference takes {1e3 * inference_s:.1f} ms, and set-points are "
                f"{1e3 * period_s:.1f} ms apart: ticks will be late or overrun; a smaller policy, "
                "a lower servo rate or another device would help"
            )
        if not self._config.pace.realtime:
            remarks.append("ordinary scheduling; --realtime requests real-time scheduling")
        return remarks

    @property
    def _has_demo(self) -> bool:
        return (
            self._config.demo
            and self.controller.arm.is_simulated
            and not self._config.stopped
            and not self._config.track.objects  # no client may be sending their poses yet
        )

    def welcome(self, message_id: int, now: float) -> Welcome:
        """Returns the reply to ``hello``."""
        arm, manifest, lease = self.controller.arm, self.controller.manifest, self.authority.lease
        return Welcome(
            id=message_id,
            time=now,
            server=f"skill-serve {program_version()}",
            robot=arm.spec.name,
            backend=self._config.backend,
            simulated=arm.is_simulated,
            mode=self.authority.mode,
            servo_period_s=arm.servo_period_s,
            policy_rate_hz=manifest.control_rate_hz,
            telemetry_rate_hz=self.loop.telemetry_rate_hz,
            telemetry_address=self.addresses.telemetry,
            stop_address=self.addresses.stop,
            lease_holder=None if lease is None else lease.holder,
            manifest=manifest,
        )

    def run(self) -> None:
        """Serves until :meth:`stop`, then brings the arm to rest and closes everything."""
        try:
            self.loop.run(self._stopping.is_set)
        finally:
            self.close()

    def close(self) -> None:
        """Closes arm and sockets; has no effect if they are closed already."""
        if self._sockets.close():
            self.controller.arm.close()
            self._service.close()
            self._context.term()

    def stop(self) -> None:
        """Ends :meth:`run`; may be called from any thread."""
        self._stopping.set()


def program_version() -> str:
    """Returns the version of the installed distribution."""
    try:
        return version("skill-serve")
    except PackageNotFoundError:
        return "unknown"
