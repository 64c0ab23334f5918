"""One run: the server's own loop, lease, governor and message handling on virtual time.

Only the server's sockets and its clock are replaced. All random draws come from one seed, so a run
that fails can be repeated.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import FaultClass, Welcome
from skill_robots.arm import ArmState, JointTarget
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.limits import MotionLimits
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.fault_points import FaultPoint
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
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
    ArmFault,
    FaultyArm,
    FaultyPolicy,
    FollowerArm,
    PolicyFault,
    SimulatedArm,
)
from skill_runtime.fault_injection.lossy_network import Network
from skill_runtime.fault_injection.motion_oracle import InvariantError, MotionOracle
from skill_runtime.fault_injection.oracle import Oracle
from skill_runtime.fault_injection.virtual_clock import VirtualClock
from skill_runtime.fault_injection.virtual_transport import PortName, Sent, VirtualTransport
from skill_runtime.policy import OnnxPolicy
from skill_runtime.server.control_loop import ControlLoop, Pace
from skill_runtime.server.dispatcher import Dispatcher
from skill_runtime.server.message_server import MessageServer

CAUSES: dict[ArmFault, FaultClass] = {
    "communication": "communication",
    "drops_commands": "communication",
    "repeat": "communication",
    "nan": "arm",
    "error": "arm",
    "contact": "contact",
}
"""Class of the fault that each injected fault of the arm causes."""

ARM_FAULTS: tuple[ArmFault, ...] = (
    *("communication", "drops_commands", "repeat"),
    *("nan", "contact", "error"),
)
POLICY_FAULTS: tuple[PolicyFault, ...] = ("nan", "slow", "raise")

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
        authority, controller, loop: parts of the server.
        oracle: checks the invariants.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._random = np.random.default_rng([config.seed, 1])
        self.clock = VirtualClock(self._draw_lateness_s)
        self.transport = VirtualTransport(self.clock, self._on_reply, self._on_delivery)
        self.transport.telemetry.on_frame = self._on_telemetry
        arm = self._make_arm()
        self.arm = FaultyArm(arm, self._on_command, self._on_lost, self._on_reset)
        self.policy = FaultyPolicy(OnnxPolicy(config.model), self._on_policy_fault)
        tracked = config.seed % 2 == 1
        track = TrackConfig(objects=("cube",) if tracked else ())
        self.authority = Authority(IdleTimeout(stop_after_s=0.25 if config.seed % 4 == 2 else 20.0))
        self._errors = ErrorInjector(lambda: self.oracle.cause("internal"), self._on_placed)
        self.controller = ArmController(
            self.arm, self.policy, ObjectTracker(track), self.clock.now, self._errors
        )
        surroundings = self.controller.limits.surroundings
        self.oracle = Oracle(
            motion=MotionOracle(
                MotionLimits(arm.spec, surroundings, arm.servo_period_s),
                arm.servo_period_s,
                arm.lockstep,
            ),
            idle_timeout=self.authority.idle_timeout,
            pose_timeout_s=track.timeout_s if tracked else None,
        )
        self.oracle.motion.on_placed(self.controller.state.joint_position, 0.0, released=True)
        self.loop = self._make_loop(has_demo=not tracked)
        self._fault_points: list[FaultPoint] = ["handle", "receive", "publish", "set-point"]
        if not tracked:
            self._fault_points.append("demo")
        self._digest = hashlib.sha256()
        self._policy_has_failed = False
        self._faulty_ticks = 0
        self._clears = 0
        self._started = False
        self._began = self.clock.time_s
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

    def _make_loop(self, *, has_demo: bool) -> ControlLoop:
        dispatcher = Dispatcher(self.authority, self.controller, _refuse_hello)
        server = MessageServer(
            self.transport, self.authority, dispatcher.handle, None, self.clock, self._errors
        )
        demo = DemoController(self.policy.manifest, self._config.seed) if has_demo else None
        return ControlLoop(
            self.authority, self.controller, server, demo, self.clock, Pace(), self._errors
        )

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
            self.loop.run(self._between_ticks)
            self.oracle.end_of_run(self.authority.events.counters)
        except InvariantError as error:
            raise InvariantError(f"tick {self.oracle.tick}: {error}") from None
        return RunResult(counts=self.oracle.counts, digest=self._digest.hexdigest())

    def _between_ticks(self) -> bool:
        """Is called by the loop between ticks, as the function that says whether to end."""
        if self._started:
            self._check_tick()
        self._started = True
        self._began = self.clock.time_s
        if self.oracle.tick >= self._config.ticks:
            self.oracle.shut_down()
            return True
        now = self.clock.time_s
        while self._actors[0][0] <= now:
            _, order, actor = heapq.heappop(self._actors)
            latest = self.loop.latest
            again = actor.act(now, now if latest is None else latest.time)
            heapq.heappush(self._actors, (max(again, now + 1e-4), order, actor))
        self._inject_faults(now)
        if self.arm.injected:
            self.oracle.cause(CAUSES[self.arm.injected])
        return False

    def _check_tick(self) -> None:
        authority, oracle = self.authority, self.oracle
        mode, fault = authority.mode, authority.fault_class
        if self._policy_has_failed:
            oracle.must_be_at_fault("policy", mode, fault)
            self._policy_has_failed = False
        # A fault that was cleared after the set-point was sent is found again in the next tick.
        cleared, self._clears = oracle.counts["clear"] != self._clears, oracle.counts["clear"]
        failed, self._errors.has_raised = self._errors.has_raised, False
        if failed and not cleared:
            oracle.must_be_at_fault("internal", mode, fault)
        if self.transport.stop.has_unread_since(self._began) and not failed:
            raise InvariantError("a stop that had arrived before the tick was not read in it")
        self._check_arm_fault(cleared=cleared)
        oracle.end_of_tick(mode, fault, self.loop.decided)
        self._digest.update(mode.encode())

    def _check_arm_fault(self, *, cleared: bool) -> None:
        injected, mode, fault = self.arm.injected, self.authority.mode, self.authority.fault_class
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

    def _on_delivery(self, port: PortName, message: Sent) -> None:
        authority = self.authority
        self.oracle.before_message(authority.mode, authority.fault_class, self.clock.time_s)
        self.oracle.delivered(port, message)

    def _on_reply(self, port: PortName, receiver: bytes, content: bytes) -> None:
        reply = self.oracle.replied(port, receiver, content, broken=self._errors.has_raised)
        receive = self._receivers.get(receiver)
        if receive is not None:
            receive(reply)

    def _on_command(self, target: JointTarget, measured: Array) -> None:
        self._digest.update(target.position.tobytes())
        self.oracle.motion.on_command(target, measured, self.clock.time_s)

    def _on_lost(self) -> None:
        self.oracle.motion.on_lost()

    def _on_reset(self) -> None:
        self._faulty_ticks = 0
        self.oracle.motion.on_reset()

    def _on_placed(self, state: ArmState) -> None:
        released = self.authority.fault_class == "contact"
        self.oracle.motion.on_placed(state.joint_position, self.clock.time_s, released=released)

    def _on_policy_fault(self) -> None:
        if self.policy.injected == "slow":
            self.clock.advance_to(self.clock.time_s + float(self._random.uniform(0.0, 0.05)))
            self.oracle.cause("communication")
            return
        self._policy_has_failed = True
        self.oracle.cause("policy")

    def _on_telemetry(self, frame: bytes) -> None:
        authority = self.authority
        self.oracle.published(json.loads(frame), authority.mode, authority.fault_class)


def _refuse_hello(message_id: int, now: float) -> Welcome:
    del message_id, now
    raise Refusal("not_supported", "a simulated server has no description", "send a command")
