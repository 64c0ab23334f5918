"""The simulated arms that skill-serve moves: a tabletop of one scene, on MuJoCo or on PyBullet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import (
    ArmError,
    ArmSpec,
    ArmState,
    JointTarget,
    Pose,
    SimulationDivergedError,
)
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig


class TabletopArm:
    """One simulated arm with its table and cube; implements ``Arm`` and ``Scene``.

    The simulation is lockstep: each call of :meth:`command` advances time by one servo period.

    Args:
        config: starts and ranges of the scene; its physics step is the servo period.
        seed: of the random starts; equal on all engines.

    Raises:
        EngineMissingError: the engine is not installed.
    """

    engine: ClassVar[Engine]
    is_simulated = True
    lockstep = True

    def __init__(self, config: TabletopConfig | None = None, *, seed: int = 0) -> None:
        self._config = config or TabletopConfig()
        self._table = Tabletop(self._config, 1, seed=seed, engine=self.engine)
        self._mass: float | None = None
        self._friction: float | None = None
        self._diverged = False

    @property
    def spec(self) -> ArmSpec:
        """Limits, geometry and models of the Panda."""
        return PANDA

    @property
    def servo_period_s(self) -> float:
        """The physics step [s]."""
        return self._config.physics_step_s

    def read(self) -> ArmState:
        """Returns the state after the last command, with the cube's pose.

        Raises:
            SimulationDivergedError: the simulation has diverged since the last reset.
        """
        self._raise_if_diverged()
        physics = self._table.physics
        return ArmState(
            time_s=physics.time_s,
            joint_position=physics.joint_position[0].copy(),
            joint_velocity=physics.joint_velocity[0].copy(),
            gripper_width=float(physics.gripper_width[0]),
            objects={
                CUBE: Pose(
                    position=physics.cube_position[0].copy(),
                    quaternion=physics.cube_quaternion[0].copy(),
                    velocity=physics.cube_velocity[0].copy(),
                    angular_velocity=physics.cube_angular_velocity[0].copy(),
                )
            },
        )

    def command(self, target: JointTarget) -> None:
        """Follows one set-point for one servo period.

        Raises:
            ArmError: the target is not finite.
            SimulationDivergedError: the simulation has diverged.
        """
        numbers = target.position.tolist() + target.velocity.tolist()
        if not math.isfinite(sum(numbers)):  # inf - inf is NaN
            raise ArmError("the set-point is not finite")
        width = 0.0 if target.grasp else target.gripper_width
        before = self._table.physics.time_s
        self._table.physics_step(target.position[None], target.velocity[None], width)
        # The time of an unstable simulation does not increase: MuJoCo sets it to zero, and the arm
        # to the model's initial pose. The error stays until a reset of the scene, because
        # continuing would drive the arm from one pose to the other.
        self._diverged = self._diverged or self._table.physics.time_s <= before
        self._raise_if_diverged()

    def recover(self) -> None:
        """Has no effect: the simulation has no robot faults, and only a reset ends divergence."""

    def _raise_if_diverged(self) -> None:
        if self._diverged:
            raise SimulationDivergedError("the simulation diverged; reset the scene")

    def reset(self, seed: int | None = None) -> None:
        """Begins at a new random start; a mass or friction that was set stays."""
        if seed is not None:
            self._table.rng = np.random.default_rng(seed)
        self._table.reset()
        self._diverged = False
        self._table.set_context(mass=self._mass, friction=self._friction)

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Changes the cube's mass [kg] or the cube-table friction at once, and for later episodes.

        Raises:
            ValueError: a value is not positive and finite.
        """
        for name, value in (("mass", mass), ("friction", friction)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        self._mass = self._mass if mass is None else mass
        self._friction = self._friction if friction is None else friction
        self._table.set_context(mass=mass, friction=friction)

    @property
    def context(self) -> Mapping[str, float]:
        """True cube mass [kg] and cube-table friction."""
        return {"mass": float(self._table.mass[0]), "friction": float(self._table.friction[0])}

    def contact_force(self) -> Array:
        """Returns the sum of all contact forces on the arm ``(3,)``, world frame [N]."""
        return self._table.physics.contact_force()[0]

    def close(self) -> None:
        """Frees the physics engine."""
        self._table.physics.close()


class MujocoArm(TabletopArm):
    """The arm of training, which is served by default."""

    engine = "mujoco"


class BulletArm(TabletopArm):
    """The same arm in another physics engine, with panda-gym's links and shapes."""

    engine = "bullet"
