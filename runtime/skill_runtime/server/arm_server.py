"""Assembles arm, policy, authority and control loop: the controller of one server.

The controller has no socket. It reads commands and stops from a channel, and writes replies and the
state of the server to it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from skill_proto.messages import Welcome
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.channel.channel import Channel
from skill_runtime.console.program import DISTRIBUTION, installed_version
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.control.object_tracker import START_REMEDY, ObjectTracker, TrackConfig
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.gateway.validation import CommandValidator
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.when_outside import (
    DEFAULT_WHEN_OUTSIDE,
    WhenOutside,
    outside_remark,
)
from skill_runtime.realtime.clock import Clock, MonotonicClock
from skill_runtime.server.command_reader import CommandReader
from skill_runtime.server.control_loop import ControlLoop, Pace, Signals
from skill_runtime.server.dispatcher import Dispatcher
from skill_runtime.server.state_writer import StateWriter, make_layout
from skill_runtime.server.stop_reader import StopReader
from skill_runtime.transport.addresses import Addresses

if TYPE_CHECKING:
    from skill_robots.arm import Arm
    from skill_runtime.control.policy_runner import TickPolicy
    from skill_runtime.policy.policy_file import Device

INFERENCE_SHARE = 0.5
"""An inference longer than this share of a servo period is remarked on."""


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Configuration of one server."""

    model: Path
    device: Device = "cpu"
    addresses: Addresses = field(default_factory=Addresses)
    """The bound addresses, as clients can use them."""
    instance: str = ""
    """Name of this run of the server."""
    pace: Pace = field(default_factory=Pace)
    demo: bool = True
    """A simulated arm executes skills until a client takes the lease."""
    stopped: bool = False
    """Start in mode ``stopped``; ``clear`` enables motion."""
    seed: int = 0
    backend: str = "mujoco"
    speed: float = 1.0
    """Share of the arm's velocity limits that set-points may use."""
    when_outside: WhenOutside | None = None
    """What happens if the policy leaves its training; None if the user did not say."""
    idle_timeout: IdleTimeout = field(default_factory=IdleTimeout)
    track: TrackConfig = field(default_factory=TrackConfig)
    watch_stop_listener: bool = True
    """Stop the arm if no stop listener runs."""


class ArmServer:
    """One arm, one policy, one control loop.

    Args:
        arm: the arm; :meth:`run` or :meth:`close` closes it.
        config: the configuration.
        channel: memory shared with the other processes of the server.
        signals: waits for them, and wakes them.
        clock: server time; None takes the machine's monotonic clock.
        policy: replaces the policy of ``config.model``, for fault injection.
        fault_points: hooks for fault injection.

    Attributes:
        remarks: notes for the user, beyond the reply to ``hello``.
        gateway_config: describes the server to its gateway.
        authority, controller, stops, loop: the parts, for code in the same process.

    Raises:
        PolicyFileError: the policy file cannot be served.
        RateMismatchError, UnsupportedPolicyError, ArmError: arm and policy do not fit.
    """

    def __init__(
        self,
        arm: Arm,
        config: ServeConfig,
        channel: Channel,
        signals: Signals,
        clock: Clock | None = None,
        policy: TickPolicy | None = None,
        fault_points: FaultPoints | None = None,
    ) -> None:
        self._clock = clock or MonotonicClock()
        self._config = config
        self.authority = Authority(config.idle_timeout)
        if config.stopped:
            self.authority.stop("server was started with --stopped")
        inference_s = 0.0
        self._digest = ""
        if policy is None:
            policy = opened = OnnxPolicy(config.model, device=config.device)
            inference_s, self._digest = opened.inference_s, opened.sha256
        tracker = ObjectTracker(config.track)
        self.controller = ArmController(
            arm,
            policy,
            tracker,
            self._clock.now,
            fault_points,
            config.speed,
            config.when_outside or DEFAULT_WHEN_OUTSIDE,
        )
        layout = make_layout(self.controller)
        self.stops = stops = StopReader(channel.stops, self.authority)
        demo = DemoController(self.controller.manifest, config.seed) if self._has_demo else None
        welcome = self._welcome()
        dispatcher = Dispatcher(
            self.authority, self.controller, CommandValidator(welcome), stops.check_clear
        )
        self.loop = ControlLoop(
            authority=self.authority,
            controller=self.controller,
            channel=channel,
            stops=stops,
            commands=CommandReader(
                channel, self.authority, dispatcher.handle, self._clock, fault_points
            ),
            states=StateWriter(channel.state, layout, self.authority, self.controller),
            demo=demo,
            clock=self._clock,
            pace=config.pace,
            signals=signals,
            fault_points=fault_points,
            watch_stops=config.watch_stop_listener,
        )
        welcome = welcome.model_copy(update={"telemetry_rate_hz": self.loop.telemetry_rate_hz})
        self.gateway_config = GatewayConfig(welcome=welcome, layout=layout)
        self._stopping = threading.Event()
        self.remarks = self._remarks(inference_s)

    def _remarks(self, inference_s: float) -> list[str]:
        manifest = self.controller.manifest
        shown = "skills" if manifest.skill.size else "goals" if manifest.goal else "the policy"
        remarks = [f"executes {shown} until a client takes the lease"]
        if not self._has_demo:
            remarks = ["the arm holds until a client takes the lease"]
        if self._config.stopped:
            remarks = []
        outside = outside_remark(manifest, self._config.when_outside)
        if outside:
            remarks.append(outside)
        needed = self.controller.adapter.objects
        awaited = self.controller.awaited_objects
        if awaited:
            remarks.append(
                f"the policy waits for the pose of {', '.join(map(repr, awaited))}: {START_REMEDY}"
            )
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

    def _welcome(self) -> Welcome:
        """Returns the reply to ``hello`` of a server at its start."""
        arm, manifest = self.controller.arm, self.controller.manifest
        return Welcome(
            instance=self._config.instance,
            time=0.0,
            server=f"skill-serve {installed_version(DISTRIBUTION) or 'unknown'}",
            robot=arm.spec.name,
            backend=self._config.backend,
            simulated=arm.is_simulated,
            mode=self.authority.mode,
            servo_period_s=arm.servo_period_s,
            policy_rate_hz=manifest.control_rate_hz,
            telemetry_rate_hz=0.0,
            telemetry_address=self._config.addresses.telemetry,
            stop_address=self._config.addresses.stop,
            lease_holder=None,
            joint_names=arm.spec.joint_names,
            joint_position_low=tuple(arm.spec.position_low.tolist()),
            joint_position_high=tuple(arm.spec.position_high.tolist()),
            gripper_width_max=arm.spec.gripper_width_max,
            speed=self._config.speed,
            policy_file=self._config.model.name,
            policy_sha256=self._digest,
            manifest=manifest,
        )

    def run(self) -> None:
        """Serves until :meth:`stop`, then brings the arm to rest and closes it."""
        try:
            self.loop.run(self._stopping.is_set)
        finally:
            self.close()

    def close(self) -> None:
        """Closes the arm."""
        self.controller.arm.close()

    def stop(self) -> None:
        """Ends :meth:`run`; may be called from any thread."""
        self._stopping.set()
