"""The arm and the policy of the simulation, and how they fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
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
from skill_robots.franka import kinematics
from skill_robots.objects import CUBE
from skill_runtime.control.arm_link import COMMUNICATION_TIMEOUT_S
from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyOutput

ArmTrouble = Literal["", "communication", "deaf", "repeat", "nan", "contact", "error"]
"""Nothing; no answer; no set-point taken; the same answer again and again; answers that are no
number; a reflex; an error of its own."""
PolicyTrouble = Literal["", "nan", "raise", "slow"]


RESTS_ALONE_S = COMMUNICATION_TIMEOUT_S + 1e-4
"""An arm without set-points for this long comes to rest by itself [s]: a moment later than the
server takes it to."""
PUSHED_RAD = 0.02
"""How far an arm that rests by itself may be moved by hand meanwhile [rad]."""


class FollowerArm:
    """An arm that is, one servo period later, where it was told to be; with a cube that lies still.

    Left without set-points it comes to rest, and every other time somebody moves it. Quick, so that
    many ticks fit into an hour; physics has no part in what is judged.
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
        """The state after the last set-point, or after it came to rest alone."""
        self._rest_alone()
        return ArmState(
            time_s=self._clock(),
            joint_position=self._now.copy(),
            joint_velocity=(self._now - self._before) / self.servo_period_s,
            gripper_width=self._width,
            objects={CUBE: self._cube},
        )

    def command(self, target: JointTarget) -> None:
        """One servo period."""
        self._last_sent, self._alone = self._clock(), False
        self._before, self._now = self._now, target.position.copy()
        if target.gripper_width is not None:
            self._width = target.gripper_width

    def _rest_alone(self) -> None:
        if self._alone or self._clock() - self._last_sent <= RESTS_ALONE_S:
            return
        self._alone = True
        if self._random.random() < 0.5:
            self._now = self._now + self._random.uniform(-PUSHED_RAD, PUSHED_RAD, self.spec.dof)
        self._before = self._now

    def reset(self, seed: int | None = None) -> None:
        """A start near the neutral one, at rest."""
        if seed is not None:
            self._random = np.random.default_rng([seed, 11])
        self._last_sent, self._alone = self._clock(), True
        self._now = kinematics.NEUTRAL + self._random.uniform(-0.02, 0.02, self.spec.dof)
        self._before, self._width = self._now, 0.04
        x, y = self._random.uniform((-0.15, -0.2), (0.05, 0.2))
        self._cube = Pose(
            position=np.array([x, y, 0.02]),
            quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
            velocity=np.zeros(3),
            angular_velocity=np.zeros(3),
        )

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Remembers it."""
        for name, value in (("mass", mass), ("friction", friction)):
            if value is not None:
                self._context[name] = value

    @property
    def context(self) -> Mapping[str, float]:
        """What was set last."""
        return dict(self._context)

    def close(self) -> None:
        """Nothing to free."""


class SimulatedArm(Arm, Scene, Protocol):
    """What can be simulated is both."""


@dataclass
class FaultyArm:
    """An arm whose troubles are switched on and off.

    Attributes:
        trouble: what it has at present.
        on_command: is told of every set-point that reaches the motors, before it does, and where
            the joints were measured last.
        on_lost: is told when one does not.
        on_reset: is told when the arm was put elsewhere.
    """

    inner: SimulatedArm
    on_command: Callable[[JointTarget, Array], None]
    on_lost: Callable[[], None]
    on_reset: Callable[[], None]
    trouble: ArmTrouble = ""
    is_simulated: bool = True
    _last: ArmState | None = None
    _measured: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def spec(self) -> ArmSpec:
        """Of the arm."""
        return self.inner.spec

    @property
    def lockstep(self) -> bool:
        """As the arm does."""
        return self.inner.lockstep

    @property
    def servo_period_s(self) -> float:
        """Of the arm [s]."""
        return self.inner.servo_period_s

    def read(self) -> ArmState:
        """As the arm says, unless in trouble."""
        self._raise(reading=True)
        state = self.inner.read()
        self._measured = state.joint_position
        if self.trouble == "nan":
            return replace(state, joint_velocity=np.full_like(state.joint_velocity, np.nan))
        if self.trouble != "repeat" or self._last is None:
            self._last = state
        return self._last

    def command(self, target: JointTarget) -> None:
        """As the arm does, unless in trouble."""
        try:
            self._raise(reading=False)
        except ArmError:
            self.on_lost()
            raise
        self.on_command(target, self._measured)
        self.inner.command(target)

    def _raise(self, *, reading: bool) -> None:
        if self.trouble == "communication" or (self.trouble == "deaf" and not reading):
            raise ArmCommunicationError("no packet")
        if self.trouble == "contact":
            raise ArmContactError("joint reflex")
        if self.trouble == "error":
            raise ArmError("power limit")

    def reset(self, seed: int | None = None) -> None:
        """As the arm does."""
        self.inner.reset(seed)
        self.on_reset()

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """As the arm does."""
        self.inner.set_context(mass=mass, friction=friction)

    @property
    def context(self) -> Mapping[str, float]:
        """As the arm says."""
        return self.inner.context

    def close(self) -> None:
        """As the arm does."""
        self.inner.close()


@dataclass
class FaultyPolicy:
    """A policy that may put out NaN, fail, or take its time."""

    inner: OnnxPolicy
    on_trouble: Callable[[], None]
    trouble: PolicyTrouble = ""

    @property
    def manifest(self) -> PolicyManifest:
        """Of the policy."""
        return self.inner.manifest

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """As the policy does, unless in trouble."""
        output = self.inner.step(observation, skill, goal, previous_action)
        if not self.trouble:
            return output
        self.on_trouble()
        if self.trouble == "slow":
            return output
        if self.trouble == "raise":
            raise RuntimeError("out of memory")
        return replace(output, action=np.full_like(output.action, np.nan))

    def reset_slot(self, slot: int) -> None:
        """As the policy does."""
        self.inner.reset_slot(slot)
