"""A controller with its authority, in simulated time, and arms with faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Acquire
from skill_robots.arm import ArmCommunicationError, ArmContactError, ArmError, ArmState, JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand, CommandHeader
from skill_runtime.authority.modes import Event
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.fault_injection.faulty_arm import FaultyArm, FollowerArm
from skill_runtime.policy import OnnxPolicy
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.server.control_loop import apply_report


def update(controller: ArmController, authority: Authority, now: float = 0.0) -> None:
    """Runs one servo period, as the control loop does."""
    report = controller.update(authority.command, authority.mode, now, authority.recoverable_fault)
    apply_report(report, authority)


@dataclass
class Bench:
    """A controller and its authority in simulated time."""

    controller: ArmController
    authority: Authority = field(default_factory=Authority)
    now: float = 0.0
    seq: int = 0
    token: str = ""

    def command(
        self, kind: str, vector: list[float] | Array, event: Event, valid_for_s: float = 60.0
    ) -> None:
        if self.authority.lease is None:
            self.token = self.authority.acquire(Acquire(holder="t", ttl_s=60), self.now).token
            self.seq = 0
        self.seq += 1
        header = CommandHeader(
            lease=self.token, seq=self.seq, reference_time=self.now, valid_for_s=valid_for_s
        )
        expires = self.authority.check(header, event, self.now)
        active = ActiveCommand(kind=kind, vector=np.asarray(vector, float), expires=expires)
        self.authority.accept(header, event, active)

    def skill(self, *z: float, valid_for_s: float = 60.0) -> None:
        self.command("skill", [*z], "skill", valid_for_s)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / self.controller.arm.servo_period_s)):
            self.authority.advance(self.now)
            update(self.controller, self.authority, self.now)
            self.now += self.controller.arm.servo_period_s

    def clear(self) -> None:
        """Clears, as the dispatcher does."""
        kind = self.authority.fault_class
        if kind is not None:
            self.controller.check_at_rest()
        self.authority.clear(self.now)
        if kind is not None:
            self.controller.recover(kind)

    @property
    def speed(self) -> float:
        return float(np.abs(self.controller.arm.read().joint_velocity).max())


def bench(model: Path, arm: MujocoArm | None = None) -> Bench:
    """Returns a bench with an arm at 200 Hz, or with the given arm."""
    return Bench(ArmController(arm or MujocoArm(), OnnxPolicy(model)))


def fine_bench(model: Path) -> Bench:
    """Returns a bench with an arm at 1 kHz."""
    return bench(model, MujocoArm(TabletopConfig(physics_step_s=0.001)))


class BrokenArm(MujocoArm):
    """A simulated arm that can be disconnected, for readings or for set-points."""

    broken = ""

    def read(self) -> ArmState:
        if self.broken == "read":
            raise ArmError("no connection")
        return super().read()

    def command(self, target: JointTarget) -> None:
        if self.broken == "command":
            raise ArmError("reflex")
        if self.broken == "contact":
            raise ArmContactError("reflex")
        super().command(target)


class SilentArm(MujocoArm):
    """A simulated arm that can stop answering: it raises an error, or repeats its state."""

    silence = ""
    last: ArmState | None = None

    def read(self) -> ArmState:
        if self.silence == "raise":
            raise ArmCommunicationError("no packet")
        if self.silence != "repeat" or self.last is None:
            self.last = super().read()
        return self.last

    def command(self, target: JointTarget) -> None:
        if self.silence == "raise":
            raise ArmCommunicationError("no packet")
        super().command(target)


class Followed:
    """A bench with an arm that stops on its own, and the set-points that reach it.

    Attributes:
        taken: set-points with the joints measured before.
    """

    def __init__(self, model: Path, seed: int) -> None:
        self.clock = ManualClock()
        self.taken: list[tuple[JointTarget, Array]] = []
        follower = FollowerArm(PANDA, 0.005, seed, self.clock.now)
        self.arm = FaultyArm(
            follower, lambda *taken: self.taken.append(taken), lambda: None, lambda: None
        )
        self.bench = Bench(ArmController(self.arm, OnnxPolicy(model), clock=self.clock.now))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.005)):
            self.clock.time_s = self.bench.now
            self.bench.run(0.005)

    def move(self, by: float = 0.5) -> None:
        """Moves all joints by servo [rad] until they are fast."""
        target = self.bench.controller.state.joint_position + by
        self.bench.command("servo_joint", target, "servo")
        self.run(0.3)
        assert np.abs(self.taken[-1][0].velocity).max() > 0.3

    def sleep(self, seconds: float) -> None:
        self.bench.now += seconds
