"""One run: the server's own loop, lease, governor and message handling on virtual time.

Nothing of the server is replaced but its sockets and its clock. Everything is drawn from one seed,
so that a run that fails can be had again.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import FaultClass, Welcome
from skill_robots.arm import ArmState, JointTarget
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.governor import Governor
from skill_robots.motion.limits import MotionLimits
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.fault_injection.actors import (
    Actor,
    Controller,
    Forger,
    PoseSource,
    Reply,
    Supervisor,
)
from skill_runtime.fault_injection.faulty_arm import (
    ArmTrouble,
    FaultyArm,
    FaultyPolicy,
    FollowerArm,
    PolicyTrouble,
    SimulatedArm,
)
from skill_runtime.fault_injection.lossy_network import Network
from skill_runtime.fault_injection.motion_oracle import InvariantError, MotionOracle
from skill_runtime.fault_injection.oracle import Oracle
from skill_runtime.fault_injection.virtual_clock import VirtualClock
from skill_runtime.fault_injection.virtual_transport import PortName, Sent, VirtualTransport
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_runtime.server.control_loop import ControlLoop, Pace
from skill_runtime.server.dispatcher import Dispatcher
from skill_runtime.server.message_server import MessageServer

CAUSES: dict[ArmTrouble, FaultClass] = {
    "communication": "communication",
    "deaf": "communication",
    "repeat": "communication",
    "nan": "arm",
    "error": "arm",
    "contact": "contact",
}
"""The fault that each trouble of the arm leads to."""

SILENCE_FOUND_S = 0.03
"""A silent arm is a fault by then: 20 ms, and the ticks at both ends [s]."""
STALL_S = 0.01
"""A tick that is so late may have left the arm without set-points for too long [s]."""
SECOND_TROUBLE = 0.3
"""How often a trouble does not come alone."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run; its seed says what arm it has, and whether a tracker."""

    seed: int
    ticks: int
    model: Path
    physics: bool = False
    """Simulate the arm with MuJoCo; otherwise it follows its set-points exactly."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run has shown."""

    seen: Counter[str]
    digest: str
    """Of every mode and set-point, in order: equal for equal seeds."""


class FaultRun:
    """Builds a server and everything round it, and runs them.

    Attributes:
        authority, pilot, loop: the server's.
        judge: what is held against it.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._random = np.random.default_rng([config.seed, 1])
        self.clock = VirtualClock(self._lateness_s)
        self.transport = VirtualTransport(self.clock, self._replied, self._delivered)
        self.transport.telemetry.on_frame = self._published
        arm = self._arm()
        self.arm = FaultyArm(arm, self._commanded, self._lost, self._moved)
        self.policy = FaultyPolicy(OnnxPolicy(config.model), self._policy_failed)
        tracked = config.seed % 2 == 1
        self.authority = Authority(IdleTimeout(stop_after_s=0.25 if config.seed % 4 == 2 else 20.0))
        self.pilot = ArmController(
            self.arm,
            self.policy,
            ObjectTracker(TrackConfig(objects=("cube",) if tracked else ())),
            self.clock.now,
        )
        around = self.pilot.governor.limits
        self.judge = Oracle(
            motion=MotionOracle(
                MotionLimits(arm.spec, around.surroundings, arm.servo_period_s),
                arm.servo_period_s,
                arm.lockstep,
            ),
            patience=self.authority.patience,
            pose_timeout_s=self.pilot.tracker.config.timeout_s if tracked else None,
        )
        self._watch_resets(self.pilot.governor)
        self.judge.motion.settled(self.pilot.state.joint_position, 0.0, released=True)
        dispatcher = Dispatcher(self.authority, self.pilot, self._no_welcome)
        self._breakable: list[str] = []
        self._broken = ""
        self._make_breakable(dispatcher, "handle")
        server = MessageServer(self.transport, self.authority, dispatcher.handle, None, self.clock)
        manifest = self.policy.manifest
        show = None if tracked else DemoController(manifest, config.seed)
        self.loop = ControlLoop(self.authority, self.pilot, server, show, self.clock, Pace())
        for part, method in (
            (server, "receive"),
            (server, "publish"),
            (self.pilot.driver, "step"),
            (show, "step"),
        ):
            if part is not None:
                self._make_breakable(part, method)
        self._digest = hashlib.sha256()
        self._policy_failed_now = self._broke_now = False
        self._silent_ticks = 0
        self._clears = 0
        self._started = False
        self._began = self.clock.time_s
        self._inboxes: dict[bytes, Callable[[Reply], None]] = {}
        self._actors: list[tuple[float, int, Actor]] = []
        self._people(tracked)
        self._next_trouble = self.clock.time_s + 2.0
        self._trouble_ends = np.inf

    def _arm(self) -> SimulatedArm:
        seed = self._config.seed
        period_s = 0.001 if seed % 5 == 4 else 0.005
        if self._config.physics:
            return MujocoArm(TabletopConfig(physics_step_s=period_s), seed=seed)
        spec = FR3 if seed % 3 == 2 else PANDA
        return FollowerArm(spec, period_s, seed, lambda: self.clock.time_s)

    def _people(self, tracked: bool) -> None:
        network = Network(self.transport, self._random)
        manifest, spec = self.policy.manifest, self.arm.spec
        people: list[Actor] = [
            Controller(f"controller {i}".encode(), network, self._random, manifest, spec)
            for i in range(3)
        ]
        people.append(Supervisor(b"supervisor", network, self._random))
        people.append(Forger(b"forger", network, self._random, spec))
        if tracked:
            people.append(PoseSource(b"tracker", network, self._random))
        begin = self.clock.time_s
        for order, actor in enumerate(people):
            self._inboxes[actor.name] = actor.receive
            # The show has some moments to itself.
            start = begin + (6.0 if not tracked and order < 3 else 0.1)
            self._actors.append((start + order * 0.1, order, actor))
        heapq.heapify(self._actors)

    # The run ------------------------------------------------------------------------------------

    def run(self) -> RunResult:
        """Ticks to the end.

        Raises:
            InvariantError: at the first thing that must never be; its text begins with the tick.
        """
        try:
            self.loop.run(self._between_ticks)
            self.judge.end_of_run(self.authority.counters)
        except InvariantError as error:
            raise InvariantError(f"tick {self.judge.tick}: {error}") from None
        return RunResult(seen=self.judge.seen, digest=self._digest.hexdigest())

    def _between_ticks(self) -> bool:
        """What the loop takes for the question whether it is to end."""
        if self._started:
            self._judge_tick()
        self._started = True
        self._began = self.clock.time_s
        if self.judge.tick >= self._config.ticks:
            self.judge.shut_down()
            return True
        now = self.clock.time_s
        while self._actors[0][0] <= now:
            _, order, actor = heapq.heappop(self._actors)
            seen = self.loop.latest
            again = actor.act(now, now if seen is None else seen.time)
            heapq.heappush(self._actors, (max(again, now + 1e-4), order, actor))
        self._make_trouble(now)
        if self.arm.trouble:
            self.judge.cause(CAUSES[self.arm.trouble])
        return False

    def _judge_tick(self) -> None:
        authority, judge = self.authority, self.judge
        mode, fault = authority.mode, authority.fault_class
        if self._policy_failed_now:
            judge.must_be_at_fault("policy", mode, fault)
            self._policy_failed_now = False
        # What was cleared after the set-point was sent is found again in the next tick.
        cleared, self._clears = judge.seen["clear"] != self._clears, judge.seen["clear"]
        if self._broke_now and not cleared:
            judge.must_be_at_fault("internal", mode, fault)
        if self.transport.stop.kept_since(self._began) and not self._broke_now:
            raise InvariantError("a stop that had arrived before the tick was not read in it")
        self._broke_now = False
        self._judge_arm_trouble(cleared=cleared)
        judge.end_of_tick(mode, fault, self.loop.decided)
        self._digest.update(mode.encode())

    def _judge_arm_trouble(self, *, cleared: bool) -> None:
        trouble, mode, fault = self.arm.trouble, self.authority.mode, self.authority.fault_class
        if not trouble or cleared:
            self._silent_ticks = 0
            return
        self._silent_ticks += 1
        if trouble in ("contact", "error", "nan"):
            kind = "contact" if trouble == "contact" else "arm"
            self.judge.must_be_at_fault(kind, mode, fault)
        elif self._silent_ticks * self.arm.servo_period_s > SILENCE_FOUND_S:
            self.judge.must_be_at_fault("communication", mode, fault)

    # Trouble ------------------------------------------------------------------------------------

    def _lateness_s(self) -> float:
        chance = self._random.random()
        if chance >= 1e-3:
            return float(self._random.exponential(5e-5))
        late = float(self._random.uniform(0.0, 0.03))
        if chance < 1e-5:
            late = float(self._random.uniform(1.0, 100.0))  # the machine slept
        if late > STALL_S:
            self.judge.cause("communication")
        return late

    def _make_trouble(self, now: float) -> None:
        if now >= self._trouble_ends:
            self.arm.trouble, self.policy.trouble, self._broken = "", "", ""
            self._trouble_ends = np.inf
        if now < self._next_trouble:
            return
        self._next_trouble = now + float(self._random.exponential(4.0))
        self._trouble_ends = now + float(self._random.exponential(0.6))
        arm: list[ArmTrouble] = ["communication", "deaf", "repeat", "nan", "contact", "error"]
        policy: list[PolicyTrouble] = ["nan", "slow", "raise"]
        for _ in range(2 if self._random.random() < SECOND_TROUBLE else 1):
            choice = int(self._random.integers(len(arm) + len(policy) + 2))
            if choice < len(arm):
                self.arm.trouble = arm[choice]
            elif choice < len(arm) + len(policy):
                self.policy.trouble = policy[choice - len(arm)]
            else:
                self._broken = str(self._random.choice(self._breakable))

    # What it hears ------------------------------------------------------------------------------

    def _delivered(self, port: PortName, message: Sent) -> None:
        self.judge.saw(self.authority.mode, self.authority.fault_class, self.clock.time_s)
        self.judge.delivered(port, message)

    def _replied(self, port: PortName, receiver: bytes, content: bytes) -> None:
        reply = self.judge.replied(port, receiver, content, broken=self._broke_now)
        hear = self._inboxes.get(receiver)
        if hear is not None:
            hear(reply)

    def _commanded(self, target: JointTarget, measured: Array) -> None:
        self._digest.update(target.position.tobytes())
        self.judge.motion.commanded(target, measured, self.clock.time_s)

    def _lost(self) -> None:
        self.judge.motion.lost()

    def _moved(self) -> None:
        self._silent_ticks = 0
        self.judge.motion.started_afresh()

    def _policy_failed(self) -> None:
        if self.policy.trouble == "slow":
            self.clock.advance_to(self.clock.time_s + float(self._random.uniform(0.0, 0.05)))
            self.judge.cause("communication")
            return
        self._policy_failed_now = True
        self.judge.cause("policy")

    def _published(self, frame: bytes) -> None:
        self.judge.published(json.loads(frame), self.authority.mode, self.authority.fault_class)

    def _watch_resets(self, governor: Governor) -> None:
        reset = governor.reset

        def watched(state: ArmState) -> None:
            reset(state)
            released = self.authority.fault_class == "contact"
            now = self.clock.time_s
            self.judge.motion.settled(state.joint_position, now, released=released)

        # It has nobody to tell: that its set-point was moved is no event of the server's.
        governor.reset = watched  # type: ignore[method-assign]  as just said

    def _make_breakable(self, part: object, method: str) -> None:
        """Lets a method of the server's own fail, as a bug in it would."""
        name = f"{type(part).__name__}.{method}"
        whole = getattr(part, method)

        def breakable(*given: Any) -> Any:  # noqa: ANN401  whatever the method takes
            if self._broken == name:
                self._broke_now = True
                self.judge.cause("internal")
                raise RuntimeError(f"{name} is broken")
            return whole(*given)

        setattr(part, method, breakable)
        self._breakable.append(name)

    def _no_welcome(self, message_id: int, now: float) -> Welcome:
        del message_id, now
        raise Refusal("not_supported", "nobody asks in a simulation", "send a command")
