"""One run: controller, gateway and stop listener of the server on virtual time.

Only the sockets and the clock are replaced. All random draws come from one seed, so a run that
fails can be repeated.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Inbound, Message
from skill_robots.arm import ArmState, JointTarget
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.limits import MotionLimits
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import IdleTimeout
from skill_runtime.channel.channel import Channel
from skill_runtime.control.fault_points import FaultPoint
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.fault_injection.actors import (
    Actor,
    CommandingClient,
    Forger,
    Operator,
    PoseSource,
    Reply,
)
from skill_runtime.fault_injection.error_injector import ErrorInjector
from skill_runtime.fault_injection.faulty_arm import (
    ARM_FAULTS,
    CAUSES,
    POLICY_FAULTS,
    FaultyArm,
    FaultyPolicy,
    FollowerArm,
    SimulatedArm,
)
from skill_runtime.fault_injection.oracles.motion import InvariantError, MotionOracle
from skill_runtime.fault_injection.oracles.replies import REPLY_WITHIN_S, ReplyOracle
from skill_runtime.fault_injection.oracles.server import Oracle
from skill_runtime.fault_injection.oracles.telemetry import TelemetryOracle
from skill_runtime.fault_injection.process_faults import ProcessFaults
from skill_runtime.fault_injection.virtual.clock import VirtualClock
from skill_runtime.fault_injection.virtual.network import Network
from skill_runtime.fault_injection.virtual.processes import VirtualProcesses
from skill_runtime.fault_injection.virtual.transport import PortName, Sent, VirtualTransport
from skill_runtime.policy import OnnxPolicy
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import Pace, Signals

SILENCE_FOUND_S = 0.03
"""A silent arm is at fault within this time: the timeout, and the ticks at both ends [s]."""
STALL_S = 0.01
"""A tick later than this may leave the arm without set-points for too long [s]."""
SECOND_FAULT = 0.3
"""Probability that two faults are injected at once."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run. The seed also decides which arm it has, and whether a tracker."""

    seed: int
    ticks: int
    model: Path
    physics: bool = False
    """Simulate the arm with MuJoCo; otherwise it follows its set-points exactly."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The events of a run."""

    counts: Counter[str]
    """Number of events by name."""
    digest: str
    """Hash of all modes and set-points in order; equal for equal seeds."""


class FaultRun:
    """Builds a server, its surroundings and an oracle, and runs them.

    Attributes:
        server: the controller.
        channel: the memory of the server.
        oracle: checks the invariants of every tick.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._random = np.random.default_rng([config.seed, 1])
        self.clock = VirtualClock(self._draw_lateness_s)
        self.clock.on_wake = self._on_wake
        self.transport = VirtualTransport(self.clock, self._on_reply, self._on_delivery)
        self.transport.telemetry.on_frame = lambda frame: self.telemetry_oracle.published(frame)
        self.channel = Channel.in_process()
        self.replies = ReplyOracle()
        self.processes = VirtualProcesses(
            self.transport, self.channel, self.clock, self.replies.forget
        )
        arm = self._make_arm()
        self.arm = FaultyArm(arm, self._on_command, self._on_lost, self._on_reset)
        self.policy = FaultyPolicy(OnnxPolicy(config.model), self._on_policy_fault)
        tracked = config.seed % 2 == 1
        track = TrackConfig(objects=("cube",) if tracked else ())
        idle_timeout = IdleTimeout(stop_after_s=0.25 if config.seed % 4 == 2 else 20.0)
        self._errors = ErrorInjector(
            lambda: self.oracle.cause("internal"),
            self._on_placed,
            self._before_command,
            self._on_answer,
        )
        self.server = ArmServer(
            self.arm,
            ServeConfig(
                model=config.model,
                pace=Pace(punctual=False),
                seed=config.seed,
                idle_timeout=idle_timeout,
                track=track,
            ),
            self.channel,
            Signals(
                wait=self._wait,
                wake_gateway=self._on_written,
                wake_listener=self._on_written,
            ),
            self.clock,
            self.policy,
            self._errors,
        )
        controller = self.server.controller
        self.oracle = Oracle(
            motion=MotionOracle(
                MotionLimits(arm.spec, controller.limits.surroundings, arm.servo_period_s),
                arm.servo_period_s,
                arm.lockstep,
            ),
            idle_timeout=idle_timeout,
            pose_timeout_s=track.timeout_s if tracked else None,
        )
        self.oracle.motion.on_placed(controller.state.joint_position, 0.0, released=True)
        self.telemetry_oracle = TelemetryOracle(self.server, self.channel, self.oracle)
        self.processes.describe(self.server.gateway_config)
        self.troubles = ProcessFaults(self.processes, self.channel, config.seed, self._lease)
        self._fault_points: list[FaultPoint] = ["handle", "receive", "publish", "set-point"]
        if not tracked:
            self._fault_points.append("demo")
        self._digest = hashlib.sha256()
        self._policy_has_failed = False
        self._faulty_ticks = 0
        self._clears = 0
        self._started = False
        self._stops_due = self._stops_seen = self._beat = self._pid = self._decided = 0
        self._quiet_since = 0.0
        self._receivers: dict[bytes, Callable[[Reply], None]] = {}
        self._actors: list[tuple[float, int, Actor]] = []
        self._make_actors(tracked)
        self._next_fault = self.clock.time_s + 2.0
        self._faults_end = np.inf

    def _make_arm(self) -> SimulatedArm:
        seed = self._config.seed
        period_s = 0.001 if seed % 5 == 4 else 0.005
        if self._config.physics:
            return MujocoArm(TabletopConfig(physics_step_s=period_s), seed=seed)
        spec = FR3 if seed % 3 == 2 else PANDA
        return FollowerArm(spec, period_s, seed, lambda: self.clock.time_s)

    def _make_actors(self, tracked: bool) -> None:
        network = Network(self.transport, self._random)
        manifest, spec = self.policy.manifest, self.arm.spec
        actors: list[Actor] = [
            CommandingClient(f"controller {i}".encode(), network, self._random, manifest, spec)
            for i in range(3)
        ]
        actors.append(Operator(b"supervisor", network, self._random))
        actors.append(Forger(b"forger", network, self._random, spec))
        if tracked:
            actors.append(PoseSource(b"tracker", network, self._random))
        begin = self.clock.time_s
        for order, actor in enumerate(actors):
            self._receivers[actor.name] = actor.receive
            # The demo runs undisturbed for a while.
            start = begin + (6.0 if not tracked and order < 3 else 0.1)
            self._actors.append((start + order * 0.1, order, actor))
        heapq.heapify(self._actors)

    # The run ------------------------------------------------------------------------------------

    def run(self) -> RunResult:
        """Runs all ticks.

        Raises:
            InvariantError: an invariant is broken; the text begins with the tick.
        """
        try:
            self.server.loop.run(self._between_ticks)
            self.oracle.end_of_run(self.server.authority.events.counters)
        except InvariantError as error:
            raise InvariantError(f"tick {self.oracle.tick}: {error}") from None
        counts = self.oracle.counts + self.replies.counts + self.troubles.counts
        return RunResult(counts=counts, digest=self._digest.hexdigest())

    def _between_ticks(self) -> bool:
        """Is called by the loop between ticks, as the function that says whether to end."""
        if self._started:
            self._check_tick()
        self._started = True
        if self.oracle.tick >= self._config.ticks:
            self.oracle.shut_down()
            return True
        now = self.clock.time_s
        while self._actors[0][0] <= now:
            _, order, actor = heapq.heappop(self._actors)
            again = actor.act(now, self.telemetry_oracle.newest_time or now)
            heapq.heappush(self._actors, (max(again, now + 1e-4), order, actor))
        self._inject_faults(now)
        self.troubles.step(now)
        if self.arm.injected:
            self.oracle.cause(CAUSES[self.arm.injected])
        return False

    def _check_tick(self) -> None:
        authority, oracle = self.server.authority, self.oracle
        self._count_stops()
        mode, fault = authority.mode, authority.fault_class
        # A fault that was cleared after the set-point was sent is found again in the next tick.
        cleared, self._clears = oracle.counts["clear"] != self._clears, oracle.counts["clear"]
        policy_failed, self._policy_has_failed = self._policy_has_failed, False
        if policy_failed and not cleared:
            oracle.must_be_at_fault("policy", mode, fault)
        failed, self._errors.has_raised = self._errors.has_raised, False
        if failed and not cleared:
            oracle.must_be_at_fault("internal", mode, fault)
        if self.server.stops.executed < self._stops_due:
            raise InvariantError("a stop that had arrived before the tick was not read in it")
        self._check_arm_fault(cleared=cleared)
        oracle.end_of_tick(mode, fault, self.server.loop.decided)
        self._check_replies()
        self._digest.update(mode.encode())

    def _check_replies(self) -> None:
        now = self._tick_time_s
        is_out = self.processes.is_out("gateway") or self.processes.is_out("stop listener")
        if is_out or self._errors.active == "receive":  # commands are not read
            self._quiet_since = now
        if now - self._quiet_since > REPLY_WITHIN_S:
            self.replies.check("commands", now)
            self.replies.check("stop", now)

    @property
    def _tick_time_s(self) -> float:
        """Time in servo periods, which does not advance while the controller stands still [s]."""
        return self.oracle.tick * self.arm.servo_period_s

    def _check_arm_fault(self, *, cleared: bool) -> None:
        injected, authority = self.arm.injected, self.server.authority
        mode, fault = authority.mode, authority.fault_class
        if not injected or cleared:
            self._faulty_ticks = 0
            return
        self._faulty_ticks += 1
        if injected in ("contact", "error", "nan"):
            kind = "contact" if injected == "contact" else "arm"
            self.oracle.must_be_at_fault(kind, mode, fault)
        elif self._faulty_ticks * self.arm.servo_period_s > SILENCE_FOUND_S:
            self.oracle.must_be_at_fault("communication", mode, fault)

    # Injected faults ----------------------------------------------------------------------------

    def _draw_lateness_s(self) -> float:
        chance = self._random.random()
        if chance >= 1e-3:
            return float(self._random.exponential(5e-5))
        late = float(self._random.uniform(0.0, 0.03))
        if chance < 1e-5:
            late = float(self._random.uniform(1.0, 100.0))  # the machine was suspended
        if late > STALL_S:
            self.oracle.cause("communication")
        return late

    def _inject_faults(self, now: float) -> None:
        if now >= self._faults_end:
            self.arm.injected, self.policy.injected, self._errors.active = "", "", None
            self._faults_end = np.inf
        if now < self._next_fault:
            return
        self._next_fault = now + float(self._random.exponential(4.0))
        self._faults_end = now + float(self._random.exponential(0.6))
        for _ in range(2 if self._random.random() < SECOND_FAULT else 1):
            self._inject_fault()

    def _inject_fault(self) -> None:
        arms, policies = len(ARM_FAULTS), len(POLICY_FAULTS)
        choice = int(self._random.integers(arms + policies + 2))
        if choice < arms:
            self.arm.injected = ARM_FAULTS[choice]
        elif choice < arms + policies:
            self.policy.injected = POLICY_FAULTS[choice - arms]
        else:
            points = self._fault_points
            self._errors.active = points[int(self._random.choice(len(points)))]

    # Observed by the oracle ---------------------------------------------------------------------

    def _wait(self, seconds: float) -> bool:
        """Waits for a command or a stop, as the controller does between two ticks."""
        ends = self.clock.time_s + seconds
        while True:
            due = self.processes.next_due
            if due is None or due > ends:
                self.clock.advance_to(ends)
                return False
            self.clock.advance_to(due)
            self.processes.step()
            stops = self.channel.stops
            if len(self.channel.commands) or stops.requested != self.server.stops.executed:
                return True

    def _on_wake(self) -> None:
        """Is called at the beginning of a tick: the others have done what had arrived."""
        self.processes.step()
        stops = self.channel.stops
        self._stops_due = stops.requested
        self.oracle.listener(
            silent=stops.beat_ns == self._beat, started_again=self._pid not in (0, stops.pid)
        )
        self._beat, self._pid = stops.beat_ns, stops.pid
        self._decided = self.server.loop.decided

    def _lease(self) -> tuple[str, int]:
        lease = self.server.authority.lease
        return ("", 0) if lease is None else (lease.token, lease.seq)

    def _on_delivery(self, port: PortName, message: Sent) -> None:
        self.replies.delivered(port, message, self._tick_time_s)

    def _on_reply(self, port: PortName, receiver: bytes, content: bytes) -> None:
        reply = self.replies.replied(port, receiver, content)
        receive = self._receivers.get(receiver)
        if receive is not None:
            receive(reply)

    def _on_written(self) -> None:
        """Is called after the controller has written its state, replies, or executed stops."""
        self._count_stops()
        self.telemetry_oracle.written()
        self.processes.confirm()

    def _count_stops(self) -> None:
        executed = self.server.stops.executed
        if executed != self._stops_seen:
            self.oracle.stops_executed(executed - self._stops_seen)
            self._stops_seen = executed

    def _before_command(self) -> None:
        self._count_stops()
        authority = self.server.authority
        self.oracle.before_command(
            authority.mode,
            authority.fault_class,
            self.clock.time_s,
            watched=self.server.loop.decided != self._decided,
        )

    def _on_answer(self, message: Inbound, reply: Message) -> None:
        self.oracle.executed(message, reply, broken=self._errors.has_raised)

    def _on_command(self, target: JointTarget, measured: Array) -> None:
        self._digest.update(target.position.tobytes())
        self.oracle.motion.on_command(target, measured, self.clock.time_s)

    def _on_lost(self) -> None:
        self.oracle.motion.on_lost()

    def _on_reset(self) -> None:
        self._faulty_ticks = 0
        self.oracle.motion.on_reset()

    def _on_placed(self, state: ArmState) -> None:
        released = self.server.authority.fault_class == "contact"
        self.oracle.motion.on_placed(state.joint_position, self.clock.time_s, released=released)

    def _on_policy_fault(self) -> None:
        if self.policy.injected == "slow":
            self.clock.advance_to(self.clock.time_s + float(self._random.uniform(0.0, 0.05)))
            self.oracle.cause("communication")
            return
        self._policy_has_failed = True
        self.oracle.cause("policy")
