"""Assembly: an arm, a policy file and three addresses made into one running server."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from skill_proto.messages import Welcome
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy.onnx_policy import OnnxPolicy
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
"""Share of a servo period that an inference may take before a remark is made of it."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """What is served, and how."""

    model: Path
    device: Device = "cpu"
    addresses: Addresses = field(default_factory=Addresses)
    pace: Pace = field(default_factory=Pace)
    demo: bool = True
    """Whether a simulated arm shows skills off until somebody takes the lease."""
    stopped: bool = False
    """Whether it begins stopped, so that nothing moves before a ``clear``."""
    seed: int = 0
    backend: str = "mujoco"
    patience: IdleTimeout = field(default_factory=IdleTimeout)
    track: TrackConfig = field(default_factory=TrackConfig)


class ArmServer:
    """One arm, one policy, one loop.

    Attributes:
        addresses: where it can be reached, with real ports.
        remarks: what a user should know beyond the reply to ``hello``.
        authority, pilot, loop: its parts, for those who watch from inside the process.
    """

    def __init__(self, arm: Arm, config: ServeConfig, clock: Clock | None = None) -> None:
        """Loads the policy and binds the sockets; nothing moves before :meth:`run`.

        Raises:
            PolicyFileError: the policy file cannot be served.
            AddressError: an address cannot be served.
            RateMismatchError, UnsupportedPolicyError, ArmError: arm and policy do not fit.
        """
        self._clock = clock or MonotonicClock()
        self._config = config
        self.authority = Authority(config.patience)
        if config.stopped:
            self.authority.stop("it was started so")
        policy = OnnxPolicy(config.model, device=config.device)
        self.pilot = ArmController(arm, policy, ObjectTracker(config.track), self._clock.now)
        service_policy = OnnxPolicy(config.model, device=config.device, slots=MAX_ROWS)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._endpoints = ServerSockets(config.addresses, self._context)
        except Exception:
            self._context.term()
            raise
        self.addresses = self._endpoints.addresses
        self._service = PolicyService(service_policy, self._context, self._clock)
        self._endpoints.also_wake_for(self._service.replies)
        dispatcher = Dispatcher(self.authority, self.pilot, self.welcome)
        server = MessageServer(
            self._endpoints, self.authority, dispatcher.handle, self._service, self._clock
        )
        show = DemoController(self.pilot.manifest, config.seed) if self._shows else None
        self.loop = ControlLoop(self.authority, self.pilot, server, show, self._clock, config.pace)
        self._stopping = threading.Event()
        self.remarks = self._remarks(policy.inference_s)

    def _remarks(self, inference_s: float) -> list[str]:
        what = "goal" if self.pilot.manifest.skill.kind == "none" else "skill"
        remarks = [f"shows one {what} after the other until somebody takes the lease"]
        if not self._shows:
            remarks = ["the arm holds until somebody takes the lease"]
        if self._config.stopped:
            remarks = ["stopped until somebody sends 'clear': skill-control clear"]
        seen = self.pilot.needed_objects
        for name in self._config.track.objects:
            if name not in seen:
                what = f"observes {', '.join(seen)}" if seen else "observes no object"
                remarks.append(f"--track {name}: the policy {what}, so nothing needs that pose")
        period_s = self.pilot.arm.servo_period_s
        if inference_s > INFERENCE_SHARE * period_s:
            remarks.append(
                f"an inference takes {1e3 * inference_s:.1f} ms, and set-points are "
                f"{1e3 * period_s:.1f} ms apart: ticks will be late or missed; a smaller policy, "
                "a lower servo rate or another device would help"
            )
        if not self._config.pace.realtime:
            remarks.append("ordinary scheduling; --realtime asks for better")
        return remarks

    @property
    def _shows(self) -> bool:
        return (
            self._config.demo
            and self.pilot.arm.is_simulated
            and not self._config.stopped
            and not self._config.track.objects  # nobody may be sending them yet
        )

    def welcome(self, message_id: int, now: float) -> Welcome:
        """The reply to ``hello``."""
        arm, manifest, lease = self.pilot.arm, self.pilot.manifest, self.authority.lease
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
        """Serves until :meth:`stop`, brings the arm to rest, and closes everything."""
        try:
            self.loop.run(self._stopping.is_set)
        finally:
            self.close()

    def close(self) -> None:
        """Closes everything, where :meth:`run` has not been called or has ended."""
        if self._endpoints.close():
            self.pilot.arm.close()
            self._service.close()
            self._context.term()

    def stop(self) -> None:
        """Makes :meth:`run` end; may be called from any thread."""
        self._stopping.set()


def program_version() -> str:
    """Of the installed distribution."""
    try:
        return version("skill-serve")
    except PackageNotFoundError:
        return "unknown"
