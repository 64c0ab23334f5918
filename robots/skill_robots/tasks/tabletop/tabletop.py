"""The tabletop task: n Pandas, each of which pushes or lifts one cube.

Each episode draws mass, friction and, if configured, stiffness, latency and sensor noise: domain
randomisation (Tobin et al., "Domain Randomization for Transferring Deep Neural Networks from
Simulation to the Real World", IROS 2017).

Training steps many scenes together; the served simulated arm is a batch of one. One control step
is 40 ms, which is eight physics steps of 5 ms, and the set-point is shaped at every physics step.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_robots.arm import Pose
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, EndEffectors, end_effector_state
from skill_robots.motion.gripper import WidthSetpoints
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper
from skill_robots.objects import CUBE
from skill_robots.observation import (
    GRIPPER_OBSERVATION,
    PUSH_OBSERVATION,
    WorldState,
    observe,
)
from skill_robots.rotations import canonical_sign
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.scene_arguments import checked_action, ids_to_reset
from skill_robots.tasks.tabletop.engines.make import make_physics
from skill_robots.tasks.tabletop.engines.physics import GripperWidth, TabletopPhysics
from skill_robots.tasks.tabletop.sensor_noise import SensorNoise
from skill_robots.tasks.tabletop.starts import StartKind, Starts, add_gripper, draw_starts

Interval = tuple[float, float]

CONTROL_PERIOD_S = 0.04
"""Time between two actions of a policy [s]."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TabletopConfig:
    """The domain randomisation of the tabletop, and its time steps."""

    mass: Interval = (0.4, 1.6)
    """Range of the cube's mass, drawn log-uniformly per episode [kg]."""
    friction: Interval = (0.2, 0.8)
    """Range of the cube-table friction coefficient, drawn log-uniformly per episode."""
    stiffness_scale: Interval = (1.0, 1.0)
    """Range of a factor on the arm's joint stiffness; damping follows its square root."""
    latency_s: Interval = (0.0, 0.0)
    """Range of the delay between an observation and its action taking effect [s]."""
    sensor_noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Factor on the standard deviations of the sensor noise; 0 gives exact measurements."""
    start: StartKind = "low"
    """low: hand at 6 cm, cube within 10 cm. high: hand at 20 cm, cube within 15 cm. mixed: half of
    the episodes low, a quarter with the hand at any height between and the cube within 15 cm, and a
    quarter with the hand already down beside the cube, so that exploration soon makes contact."""
    beside_share: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    """Share of mixed starts with the hand beside the cube; the other half minus this share are at
    any height."""
    episode_steps: Annotated[int, Field(ge=1)] = 100
    """Control steps in an episode (100 = 4 s)."""
    physics_step_s: Annotated[float, Field(gt=0, le=0.01)] = 0.005
    """Physics step, also the servo period of the simulated arm [s]."""
    gripper: bool = False
    """Whether a policy drives the gripper: a fourth action names its width, the observation has the
    measured width, and an episode starts with any opening. Otherwise the gripper is closed."""
    held_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """With ``gripper``, share of episodes that start with the cube between the fingers: half of
    them with open fingers around it on the table, half held at any height. It is an aid of
    exploration that names the object."""

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Fields of the observation, in order."""
        return GRIPPER_OBSERVATION if self.gripper else PUSH_OBSERVATION


class Tabletop:
    """n independent scenes, stepped together.

    Args:
        config: starts, contexts and time steps.
        n: number of scenes.
        seed: of all random draws; equal on all engines.
        threads: physics threads of MuJoCo.
        engine: the physics engine; policies are trained on MuJoCo.
        physics: n scenes with further bodies; None makes them on ``engine``.

    Attributes:
        n: number of scenes.
        physics: the scenes in their engine.
        setpoint: shaped joint set-point of each scene, ``(n, 7)`` arrays.
        action_size: length of an action; the class has that of a policy without the gripper.
        mass: ``(n,)`` cube mass [kg]; change it through :meth:`set_context`.
        friction: ``(n,)`` cube-table friction coefficient.

    Raises:
        EngineMissingError: the engine is not installed.
    """

    action_size = 3
    control_rate_hz = 1.0 / CONTROL_PERIOD_S

    def __init__(
        self,
        config: TabletopConfig,
        n: int,
        *,
        seed: int = 0,
        threads: int = 1,
        engine: Engine = "mujoco",
        physics: TabletopPhysics | None = None,
    ) -> None:
        self.config = config
        self.n = n
        self.action_size = Tabletop.action_size + int(config.gripper)
        self.rng = np.random.default_rng(seed)
        self.actions = ActionConfig()
        if physics is None:
            step_s, base = config.physics_step_s, self.actions.base_position
            physics = make_physics(engine, n, step_s, base, threads)
        self.physics = physics
        self.substeps = round(CONTROL_PERIOD_S / config.physics_step_s)
        self._decoder = ActionDecoder(self.actions, PANDA)
        self._shaper = SetpointShaper(PANDA, config.physics_step_s)
        self._base = np.array(self.actions.base_position)
        self.setpoint = Setpoint(np.zeros((n, 7)))
        self.mass, self.friction = np.ones(n), np.ones(n)
        self._goal = np.zeros((n, 7))
        self._grippers = WidthSetpoints(n, PANDA, config.physics_step_s) if config.gripper else None
        self._end_effectors: EndEffectors | None = None
        self._noise = SensorNoise(n, config.sensor_noise)
        self._latency = np.zeros(n, dtype=np.int64)
        self.reset()

    # Episodes -----------------------------------------------------------------------------------

    def reset(self, ids: Ids | None = None) -> None:
        """Starts an episode in the scenes ``ids``, with a new start and a new context."""
        ids = ids_to_reset(ids, self.n)
        config = self.config
        starts = draw_starts(len(ids), self.rng, self.actions, config.start, config.beside_share)
        grip: Array | None = None
        if self._grippers is not None:
            starts, grip = add_gripper(
                starts,
                self.rng,
                self.actions,
                width_max=PANDA.gripper_width_max,
                held_share=config.held_share,
            )
        self.begin(ids, starts, grip)

    def begin(self, ids: Ids, starts: Starts, grip: Array | None = None) -> None:
        """Starts an episode from given starts in the scenes ``ids``, with a new context.

        Args:
            ids: ``(k,)`` scenes.
            starts: places of hands and cubes, and openings of the grippers.
            grip: ``(k,)`` set-points of the openings [m]; None without ``TabletopConfig.gripper``.

        Raises:
            ValueError: there is a gripper without ``grip``, or the reverse.
        """
        if (self._grippers is None) != (grip is None):
            raise ValueError("grip is given if and only if the task has the gripper")
        if self._grippers is not None and grip is not None:
            self._grippers.reset(ids, grip)
        joints = inverse_kinematics(PANDA, starts.hand - self._base)
        self.physics.reset(ids, joints, starts.cube, starts.yaw, starts.height, starts.width)
        for array, value in (
            (self.setpoint.position, joints),
            (self.setpoint.velocity, 0.0),
            (self.setpoint.acceleration, 0.0),
            (self._goal, joints),
        ):
            array[ids] = value
        self._draw_context(ids)
        self._noise.reset(ids, self.rng)
        self._end_effectors = None

    def _draw_context(self, ids: Ids) -> None:
        config, n = self.config, len(ids)
        self._write_context(
            ids, self._log_uniform(config.mass, n), self._log_uniform(config.friction, n)
        )
        scale = self._log_uniform(config.stiffness_scale, n)[:, None]
        self.physics.set_impedance(ids, PANDA.stiffness * scale, PANDA.damping * np.sqrt(scale))
        delay = self.rng.uniform(*config.latency_s, n) / config.physics_step_s
        self._latency[ids] = np.minimum(np.rint(delay).astype(np.int64), self.substeps - 1)

    def _log_uniform(self, interval: Interval, n: int) -> Array:
        return np.exp(self.rng.uniform(np.log(interval[0]), np.log(interval[1]), n))

    def set_context(
        self, *, mass: Array | float | None = None, friction: Array | float | None = None
    ) -> None:
        """Sets the cubes' mass [kg] or friction immediately, also during an episode."""
        everyone = np.arange(self.n)
        self._write_context(
            everyone,
            np.broadcast_to(self.mass if mass is None else np.asarray(mass, float), (self.n,)),
            np.broadcast_to(
                self.friction if friction is None else np.asarray(friction, float), (self.n,)
            ),
        )

    def _write_context(self, ids: Ids, mass: Array, friction: Array) -> None:
        self.mass[ids], self.friction[ids] = mass, friction
        self.physics.set_context(ids, mass, friction)

    # Time ---------------------------------------------------------------------------------------

    def step(self, action: Array) -> None:
        """Runs one control step with ``action`` ``(n, 3)`` in [-1, 1].

        With the gripper it is ``(n, 4)``; the last entry names the width (``motion.gripper``).

        Raises:
            WorldError: the actions have another shape, or are not finite.
        """
        action = checked_action(action, self.n, self.action_size)
        grippers = self._grippers
        move = action if grippers is None else action[:, :-1]
        goal = self._decoder.displace(move, self.setpoint.position, self.end_effectors)
        if grippers is not None:
            grippers.act(action[:, -1])
        for k in range(self.substeps):
            late = k < self._latency
            active = np.where(late[:, None], self._goal, goal) if late.any() else goal
            self._shaper.step(self.setpoint, active)
            width = None if grippers is None else grippers.step(late)
            self.physics_step(self.setpoint.position, self.setpoint.velocity, width)
        self._goal = goal

    def physics_step(
        self, position: Array, velocity: Array, gripper_width: GripperWidth = None
    ) -> None:
        """Runs one servo period towards a shaped set-point ``(n, 7)``, and a width [m]."""
        self.physics.step(position, velocity, gripper_width)
        self._end_effectors = None

    def push_cube(self, velocity: Array) -> None:
        """Sets the horizontal velocity ``(2,)`` of every cube [m/s], to measure friction."""
        self.physics.push_cube(velocity)

    # Observation ----------------------------------------------------------------------------------

    def observe(self, names: tuple[str, ...] | None = None) -> Array:
        """Returns the observation ``(n, O)``, with the configured sensor noise.

        Args:
            names: fields, in order; None: those of the task.
        """
        return observe(self.config.observation_names if names is None else names, self.world())

    def world(self) -> WorldState:
        """Returns the measured state of every scene, with the configured sensor noise."""
        position, quaternion, velocity, angular_velocity = self.cube_pose
        ends = self.end_effectors
        state = WorldState(
            joint_position=self.joint_position.copy(),
            joint_velocity=self.joint_velocity.copy(),
            end_effector_position=ends.measured,
            end_effector_velocity=ends.measured_velocity,
            setpoint_position=ends.setpoint,
            setpoint_velocity=ends.setpoint_velocity,
            gripper_width=self.gripper_width[:, None],
            objects={
                CUBE: Pose(
                    position=position,
                    quaternion=canonical_sign(quaternion),
                    velocity=velocity,
                    angular_velocity=angular_velocity,
                )
            },
            kinematics=PANDA.kinematics,
        )
        return self._noise.add(state, self.rng)

    @property
    def time_s(self) -> float:
        """Simulated time of the first scene [s]."""
        return self.physics.time_s

    @property
    def joint_position(self) -> Array:
        """``(n, 7)`` exact [rad]."""
        return self.physics.joint_position

    @property
    def joint_velocity(self) -> Array:
        """``(n, 7)`` exact [rad/s]."""
        return self.physics.joint_velocity

    @property
    def gripper_width(self) -> Array:
        """``(n,)`` distance between the fingers [m]."""
        return self.physics.gripper_width

    @property
    def gripper_setpoint(self) -> Array:
        """``(n,)`` width that the gripper approaches; zeros without ``gripper`` [m]."""
        return np.zeros(self.n) if self._grippers is None else self._grippers.width.copy()

    @property
    def end_effectors(self) -> EndEffectors:
        """End effectors, measured and of the set-points; cached until the next physics step."""
        if self._end_effectors is None:
            self._end_effectors = end_effector_state(
                PANDA,
                self.joint_position,
                self.joint_velocity,
                self.setpoint.position,
                self.setpoint.velocity,
                self._base,
            )
        return self._end_effectors

    @property
    def end_effector_position(self) -> Array:
        """``(n, 3)`` exact, world frame [m]."""
        return self.end_effectors.measured

    @property
    def cube_position(self) -> Array:
        """``(n, 3)`` exact, world frame [m]; a copy."""
        return self.physics.cube_position.copy()

    @property
    def cube_pose(self) -> tuple[Array, Array, Array, Array]:
        """Position, quaternion (w first), velocity and angular velocity, world frame; copies."""
        physics = self.physics
        return (
            physics.cube_position.copy(),
            physics.cube_quaternion.copy(),
            physics.cube_velocity.copy(),
            physics.cube_angular_velocity.copy(),
        )

    @property
    def cube_speed(self) -> Array:
        """``(n,)`` horizontal speed of the cube [m/s]."""
        velocity = self.physics.cube_velocity
        return np.hypot(velocity[:, 0], velocity[:, 1])
