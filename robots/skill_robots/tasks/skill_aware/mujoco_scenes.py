"""The scenes of the skill-aware benchmark on batched MuJoCo: a twin of panda-gym's scenes.

The scenes copy the robot of the benchmark, not the served plant. A target is the *measured* end
effector plus the action, so a blocked arm does not build up force; there is no set-point shaper;
the motors are stiff up to their force limits. ``benchmarks/skill_aware/scripts.py`` measures the
difference from PyBullet.
"""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import WorldState, observe, rotate
from skill_robots.rotations import canonical_sign
from skill_robots.tasks.scene_arguments import check_scenes, checked_action
from skill_robots.tasks.skill_aware.bullet_kinematics import (
    joint_targets,
    locate,
    placed_joints,
)
from skill_robots.tasks.skill_aware.mujoco_model import (
    BASE_POSITION,
    CUBE_TABLE_PAIR,
    FINGER_CUBE_PAIRS,
    FINGER_TABLE_FRICTION,
    FINGER_TABLE_PAIRS,
    JOINT_FORCE,
    MOTOR_DAMPING,
    MOTOR_RATE,
    PHYSICS_STEP_S,
    grasp_model,
    soft_contact,
)
from skill_robots.tasks.skill_aware.scenes import (
    ACTION_SIZE,
    CONTROL_RATE_HZ,
    CUBE_REST_HEIGHT_M,
    DISPLACEMENT_M,
    FRICTION_LIMIT,
    GRIPPER_WIDTH_STEP_M,
    OBSERVATION,
    Contacts,
    Starts,
    cube_table_friction,
)

SUBSTEPS = round(1.0 / (CONTROL_RATE_HZ * PHYSICS_STEP_S))
"""Physics steps per control step."""

GRIPPER_WIDTH_MAX_M = 0.08
"""Largest gripper width [m]; Bullet clips the targets of the finger motors to it."""


def finger_table_friction(label: Array) -> Array:
    """Returns the effective finger-table coefficient of friction labels."""
    return np.minimum(FINGER_TABLE_FRICTION * label, FRICTION_LIMIT)


class MujocoScenes:
    """``n`` scenes, stepped together on ``threads`` threads.

    Args:
        n: number of scenes.
        threads: physics threads.
        scene: the model with further bodies; None takes that of ``mujoco_model``.

    Attributes:
        model: the model, before friction and mass of each scene are set.
        batch: the simulations, for measurements.

    Raises:
        WorldError: there is not one scene.
    """

    def __init__(self, n: int, threads: int = 1, scene: mujoco.MjModel | None = None) -> None:
        check_scenes(n)
        self._n = n
        self.model = grasp_model() if scene is None else scene
        self.batch = Batch(self.model, n, nthread=threads, persistent=True)
        self._base = np.array(BASE_POSITION)
        self._goal = np.zeros((n, 2))
        self._located: tuple[Array, Array] | None = None
        self._bind()
        middle = Starts(cube=np.zeros((n, 2)), goal=np.zeros((n, 2)))
        self.reset(middle, np.ones(n), np.ones(n))

    def _bind(self) -> None:
        batch, model = self.batch, self.model
        self._qpos, self._qvel = batch.bind("qpos"), batch.bind("qvel")
        self._ctrl, self._bias = batch.bind("ctrl"), batch.bind("qfrc_bias")
        self._constraint = batch.bind("qfrc_constraint")
        self._touch = batch.bind("sensordata")
        self._pair_friction = batch.expand("pair_friction")
        self._pair_solref = batch.expand("pair_solref")
        self._body_mass = batch.expand("body_mass")
        self._body_inertia = batch.expand("body_inertia")
        self._table_cube = model.pair(CUBE_TABLE_PAIR).id
        self._table_fingers = [model.pair(name).id for name in FINGER_TABLE_PAIRS]
        self._finger_cube = [model.pair(name).id for name in FINGER_CUBE_PAIRS]
        self._cube = model.body("cube").id
        self._cube_q = int(model.joint("cube").qposadr[0])
        self._cube_v = int(model.joint("cube").dofadr[0])
        self._unit_inertia = model.body_inertia[self._cube] / model.body_mass[self._cube]

    @property
    def n(self) -> int:
        """Number of scenes."""
        return self._n

    @property
    def goal(self) -> Array:
        """``(n, 2)`` [m]; a copy."""
        return self._goal.copy()

    @property
    def cube_position(self) -> Array:
        """``(n, 3)`` [m]; a copy."""
        return self._qpos[:, self._cube_q : self._cube_q + 3].copy()

    @property
    def contacts(self) -> Contacts:
        """The current contacts of the cubes."""
        touching = self._touch.reshape(self._n, -1) > 0
        return Contacts(table=touching[:, 0], fingers=touching[:, 1:3])

    # Episodes -----------------------------------------------------------------------------------

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Starts an episode in every scene; friction (label) and mass [kg] are ``(n,)``."""
        self.batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        q = self._cube_q
        self._qpos[:, :7] = placed_joints(starts.hand, self._base, n=self._n)
        if starts.width is not None:
            self._qpos[:, 7:9] = starts.width[:, None] / 2.0
        self._qpos[:, q : q + 2] = starts.cube
        self._qpos[:, q + 2] = CUBE_REST_HEIGHT_M
        self._goal[:] = starts.goal
        self.set_context(friction, mass)
        self.batch.forward()
        self._located = None

    def set_context(self, friction: Array, mass: Array) -> None:
        """Sets friction (label) and mass [kg], each ``(n,)``, also during an episode."""
        label = np.asarray(friction, dtype=np.float64)
        self._pair_friction[:, self._table_cube, :2] = cube_table_friction(label)[:, None]
        self._pair_friction[:, self._table_fingers, :2] = finger_table_friction(label)[
            :, None, None
        ]
        self._pair_solref[:, self._finger_cube] = soft_contact(mass)[:, None]
        self._body_mass[:, self._cube] = mass
        self._body_inertia[:, self._cube] = np.asarray(mass)[:, None] * self._unit_inertia
        self.batch.set_const()

    # Time ---------------------------------------------------------------------------------------

    def step(self, action: Array) -> None:
        """Runs one control step with actions ``(n, 4)``, clipped to [-1, 1].

        Raises:
            WorldError: the actions have another shape, or are not finite.
        """
        clipped = np.clip(checked_action(action, self._n, ACTION_SIZE), -1.0, 1.0)
        hand = self._end_effector[0] + DISPLACEMENT_M * clipped[:, :3]
        hand[:, 2] = np.maximum(hand[:, 2], 0.0)
        joints = joint_targets(self._qpos[:, :7], hand, self._base)
        # Bullet's motors are constraints and bear a load without position error: feed it forward.
        load = self._bias[:, :7] - self._constraint[:, :7]
        load = np.clip(load, -JOINT_FORCE, JOINT_FORCE) / (MOTOR_RATE * MOTOR_DAMPING)
        self._ctrl[:, :7] = joints + load
        width = self._width + GRIPPER_WIDTH_STEP_M * clipped[:, 3]
        self._ctrl[:, 7:9] = np.clip(width, 0.0, GRIPPER_WIDTH_MAX_M)[:, None] / 2
        self.batch.step(nstep=SUBSTEPS, stage=mujoco.mjtStage.mjSTAGE_VEL.value)
        self._located = None

    # Observation ----------------------------------------------------------------------------------

    def observe(self) -> Array:
        """Returns the fields of ``OBSERVATION`` ``(n, 23)``, raw SI units."""
        q, v = self._cube_q, self._cube_v
        quaternion = self._qpos[:, q + 3 : q + 7]
        position, velocity = self._end_effector
        unused = np.zeros((self._n, 3))
        world = WorldState(
            joint_position=self._qpos[:, :7],
            joint_velocity=self._qvel[:, :7],
            end_effector_position=position,
            end_effector_velocity=velocity,
            setpoint_position=unused,
            setpoint_velocity=unused,
            gripper_width=self._width[:, None],
            objects={
                CUBE: Pose(
                    position=self._qpos[:, q : q + 3],
                    quaternion=canonical_sign(quaternion),
                    velocity=self._qvel[:, v : v + 3],
                    # A free joint's angular velocity is in the body's own frame.
                    angular_velocity=rotate(quaternion, self._qvel[:, v + 3 : v + 6]),
                )
            },
        )
        return observe(OBSERVATION, world)

    @property
    def _width(self) -> Array:
        return self._qpos[:, 7] + self._qpos[:, 8]

    @property
    def _end_effector(self) -> tuple[Array, Array]:
        """Position [m] and velocity [m/s] of the end effectors, ``(n, 3)``; cached for one step."""
        if self._located is None:
            here, jacobian = locate(self._qpos[:, :7], self._base)
            velocity = (jacobian[:, :3] @ self._qvel[:, :7, None])[:, :, 0]
            # PyBullet reports the position of a link before the last physics step. The next target
            # starts there, which costs a moving hand a twentieth of its speed.
            self._located = here.position - PHYSICS_STEP_S * velocity, velocity
        return self._located

    def close(self) -> None:
        """Does nothing: the batch is freed with this object."""
