"""An arm and a policy whose faults are switched on and off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import FaultClass
from skill_robots.arm import (
    Arm,
    ArmCommunicationError,
    ArmContactError,
    ArmError,
    ArmSpec,
    ArmState,
    JointTarget,
    Pose,
    Scene,
)
from skill_robots.objects import CUBE
from skill_runtime.control.state_monitor import COMMUNICATION_TIMEOUT_S
from skill_runtime.policy import OnnxPolicy, PolicyOutput

ArmFault = Literal["", "communication", "drops_commands", "repeat", "nan", "contact", "error"]
"""No fault; no answer; no set-point taken; the same state again and again; a state that is not
finite; a reflex after contact; another error of the robot."""
PolicyFault = Literal["", "nan", "raise", "slow"]
"""No fault; actions that are not finite; exceptions; inference that takes too long."""

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

STOPS_AFTER_S = COMMUNICATION_TIMEOUT_S + 1e-4
"""An arm without set-points stops on its own after this time: just later than the server assumes
[s]."""
PUSHED_RAD = 0.02
"""Largest displacement of a stopped arm by hand, per joint [rad]."""


class FollowerArm:
    """An arm that reaches each set-point within one servo period, and a cube that never moves.

    Without set-points it stops on its own, and is then pushed by hand in every other case. It is
    fast, so that an hour covers many ticks; the invariants do not depend on physics.
    """

    is_simulated = True
    lockstep = False

    def __init__(
        self, spec: ArmSpec, servo_period_s: float, seed: int, now: Callable[[], float]
    ) -> None:
        self.spec = spec
        self.servo_period_s = servo_period_s
        self._clock = now
        self._random = np.random.default_rng([seed, 11])
        self._context = {"mass": 0.8, "friction": 0.4}
        self.reset()

    def read(self) -> ArmState:
        """Returns the state after the last set-point, or after the arm stopped on its own."""
        self._stop_if_idle()
        return ArmState(
            time_s=self._clock(),
            joint_position=self._now.copy(),
            joint_velocity=(self._now - self._before) / self.servo_period_s,
            gripper_width=self._width,
            objects={CUBE: self._cube},
        )

    def command(self, target: JointTarget) -> None:
        """Moves to the set-point."""
        self._last_sent, self._stopped = self._clock(), False
        self._before, self._now = self._now, target.position.copy()
        if target.gripper_width is not None:
            self._width = target.gripper_width

    def recover(self) -> None:
        """Has no effect: this arm has no faults."""

    def _stop_if_idle(self) -> None:
        if self._stopped or self._clock() - self._last_sent <= STOPS_AFTER_S:
            return
        self._stopped = True
        if self._random.random() < 0.5:
            self._now = self._now + self._random.uniform(-PUSHED_RAD, PUSHED_RAD, self.spec.dof)
        self._before = self._now

    def reset(self, seed: int | None = None) -> None:
        """Puts the arm near its neutral pose, at rest."""
        if seed is not None:
            self._random = np.random.default_rng([seed, 11])
        self._last_sent, self._stopped = self._clock(), True
        self._now = self.spec.neutral + self._random.uniform(-0.02, 0.02, self.spec.dof)
        self._before, self._width = self._now, 0.04
        x, y = self._random.uniform((-0.15, -0.2), (0.05, 0.2))
        self._cube = Pose(
            position=np.array([x, y, 0.02]),
            quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
            velocity=np.zeros(3),
            angular_velocity=np.zeros(3),
        )

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Stores the values; they have no effect."""
        for name, value in (("mass", mass), ("friction", friction)):
            if value is not None:
                self._context[name] = value

    @property
    def context(self) -> Mapping[str, float]:
        """The stored values."""
        return dict(self._context)

    def close(self) -> None:
        """Has no effect: the arm holds no resources."""


class SimulatedArm(Arm, Scene, Protocol):
    """An arm in a simulated scene."""


@dataclass
class FaultyArm:
    """An arm with injected faults.

    Attributes:
        injected: the present fault.
        recovery_reads: number of :meth:`read` after :meth:`recover` that do not answer.
        on_command: called before each set-point that reaches the motors, with the set-point and
            the joints as measured last.
        on_lost: called when a set-point does not reach the motors.
        on_reset: called after the scene was reset.
        recoveries: number of calls of :meth:`recover`.
    """

    inner: SimulatedArm
    on_command: Callable[[JointTarget, Array], None]
    on_lost: Callable[[], None]
    on_reset: Callable[[], None]
    injected: ArmFault = ""
    recovery_reads: int = 0
    is_simulated: bool = True
    recoveries: int = 0
    _recovering: int = 0
    _last: ArmState | None = None
    _measured: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def spec(self) -> ArmSpec:
        """Published facts of the arm."""
        return self.inner.spec

    @property
    def lockstep(self) -> bool:
        """Whether the arm advances only with set-points."""
        return self.inner.lockstep

    @property
    def servo_period_s(self) -> float:
        """Time between two set-points [s]."""
        return self.inner.servo_period_s

    def read(self) -> ArmState:
        """Returns the arm's state, or fails as injected."""
        if self._recovering > 0:
            self._recovering -= 1
            raise ArmCommunicationError("recovering")
        self._raise(reading=True)
        state = self.inner.read()
        self._measured = state.joint_position
        if self.injected == "nan":
            return replace(state, joint_velocity=np.full_like(state.joint_velocity, np.nan))
        if self.injected != "repeat" or self._last is None:
            self._last = state
        return self._last

    def command(self, target: JointTarget) -> None:
        """Passes the set-point on, or fails as injected."""
        try:
            if self._recovering > 0:
                raise ArmCommunicationError("recovering")
            self._raise(reading=False)
        except ArmError:
            self.on_lost()
            raise
        self.on_command(target, self._measured)
        self.inner.command(target)

    def recover(self) -> None:
        """Begins a recovery of :attr:`recovery_reads` readings."""
        self.recoveries += 1
        self._recovering = self.recovery_reads
        self.inner.recover()

    def _raise(self, *, reading: bool) -> None:
        silent = self.injected == "communication"
        if silent or (self.injected == "drops_commands" and not reading):
            raise ArmCommunicationError("no packet")
        if self.injected == "contact":
            raise ArmContactError("joint reflex")
        if self.injected == "error":
            raise ArmError("power limit")

    def reset(self, seed: int | None = None) -> None:
        """Resets the scene."""
        self.inner.reset(seed)
        self.on_reset()

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Changes the simulated object."""
        self.inner.set_context(mass=mass, friction=friction)

    @property
    def context(self) -> Mapping[str, float]:
        """True mass and friction."""
        return self.inner.context

    def close(self) -> None:
        """Closes the arm."""
        self.inner.close()


@dataclass
class FaultyPolicy:
    """A policy with injected faults.

    Attributes:
        on_fault: called when a fault takes effect.
        injected: the present fault.
    """

    inner: OnnxPolicy
    on_fault: Callable[[], None]
    injected: PolicyFault = ""

    @property
    def manifest(self) -> PolicyManifest:
        """The manifest of the policy."""
        return self.inner.manifest

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """Runs the policy, or fails as injected."""
        output = self.inner.step(observation, skill, goal, previous_action)
        if not self.injected:
            return output
        self.on_fault()
        if self.injected == "slow":
            return output
        if self.injected == "raise":
            raise RuntimeError("out of memory")
        return replace(output, action=np.full_like(output.action, np.nan))

    def reset_slot(self, slot: int) -> None:
        """Resets recurrent state and previous action of one slot."""
        self.inner.reset_slot(slot)
