"""The skill-aware benchmark on batched MuJoCo: the twin of panda-gym's scenes.

A twin of the benchmark's robot, not of the plant that our policies are served on: it acts as
panda-gym does. A target is the *measured* end effector plus the action, so that a blocked arm sags
instead of building up force against a leash; no shaper smooths it; the motors are stiff up to their
limits. How it differs from PyBullet is measured by ``benchmarks/skill_aware/scripts.py``.
"""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch

from skill_proto.arrays import Array
from skill_robots.observation import WorldState, canonical_sign, observe, rotate
from skill_robots.tasks.skill_aware.bullet_kinematics import joint_targets, locate
from skill_robots.tasks.skill_aware.mujoco_model import (
    BASE_POSITION,
    CUBE_TABLE_PAIR,
    FINGER_CUBE_PAIRS,
    FINGER_TABLE_FRICTION,
    FINGER_TABLE_PAIRS,
    JOINT_FORCE,
    MOTOR_DAMPING,
    MOTOR_RATE,
    NEUTRAL_JOINTS,
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
"""Stops of the fingers, to which Bullet confines the targets of its motors [m]."""


def finger_table_friction(label: Array) -> Array:
    """Effective finger-table coefficient of a friction label."""
    return np.minimum(FINGER_TABLE_FRICTION * label, FRICTION_LIMIT)


class MujocoScenes:
    """``n`` scenes, stepped together on ``threads`` threads.

    Attributes:
        model: the scene, before friction and mass are set for each.
        batch: the simulations, for those who measure them.
    """

    def __init__(self, n: int, threads: int = 1) -> None:
        if n < 1:
            raise ValueError(f"at least one scene is needed, not {n}")
        self._n = n
        self.model = grasp_model()
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
        """What touches the cubes now."""
        touching = self._touch.reshape(self._n, -1) > 0
        return Contacts(table=touching[:, 0], fingers=touching[:, 1:3])

    # Episodes -----------------------------------------------------------------------------------

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Begins an episode in every scene; friction (label) and mass [kg] are ``(n,)``."""
        self.batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        q = self._cube_q
        self._qpos[:, :7] = NEUTRAL_JOINTS
        self._qpos[:, q : q + 2] = starts.cube
        self._qpos[:, q + 2] = CUBE_REST_HEIGHT_M
        self._goal[:] = starts.goal
        self.set_context(friction, mass)
        self.batch.forward()
        self._located = None

    def set_context(self, friction: Array, mass: Array) -> None:
        """Changes friction (label) and mass [kg], each ``(n,)``, at once, in mid-episode."""
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
        """One control step with ``(n, 4)`` actions in [-1, 1] (clipped)."""
        if action.shape != (self._n, ACTION_SIZE):
            raise ValueError(f"actions are ({self._n}, {ACTION_SIZE}), not {action.shape}")
        clipped = np.clip(action, -1.0, 1.0)
        hand = self._hand[0] + DISPLACEMENT_M * clipped[:, :3]
        hand[:, 2] = np.maximum(hand[:, 2], 0.0)
        joints = joint_targets(self._qpos[:, :7], hand, self._base)
        # Bullet's motors, being constraints, need no error to bear a load: it is fed forward.
        load = self._bias[:, :7] - self._constraint[:, :7]
        load = np.clip(load, -JOINT_FORCE, JOINT_FORCE) / (MOTOR_RATE * MOTOR_DAMPING)
        self._ctrl[:, :7] = joints + load
        width = self._width + GRIPPER_WIDTH_STEP_M * clipped[:, 3]
        self._ctrl[:, 7:9] = np.clip(width, 0.0, GRIPPER_WIDTH_MAX_M)[:, None] / 2
        self.batch.step(nstep=SUBSTEPS, stage=mujoco.mjtStage.mjSTAGE_VEL.value)
        self._located = None

    # What can be seen -----------------------------------------------------------------------------

    def observe(self) -> Array:
        """``(n, 23)``: the fields of ``OBSERVATION``, raw SI units."""
        q, v = self._cube_q, self._cube_v
        quaternion = self._qpos[:, q + 3 : q + 7]
        position, velocity = self._hand
        unused = np.zeros((self._n, 3))
        world = WorldState(
            joint_position=self._qpos[:, :7],
            joint_velocity=self._qvel[:, :7],
            end_effector_position=position,
            end_effector_velocity=velocity,
            setpoint_position=unused,
            setpoint_velocity=unused,
            gripper_width=self._width[:, None],
            cube_position=self._qpos[:, q : q + 3],
            cube_quaternion=canonical_sign(quaternion),
            cube_velocity=self._qvel[:, v : v + 3],
            # A free joint's angular velocity is in the body's own frame.
            cube_angular_velocity=rotate(quaternion, self._qvel[:, v + 3 : v + 6]),
        )
        return observe(OBSERVATION, world)

    @property
    def _width(self) -> Array:
        return self._qpos[:, 7] + self._qpos[:, 8]

    @property
    def _hand(self) -> tuple[Array, Array]:
        """Position [m] and velocity [m/s] of the hands, ``(n, 3)``; kept until the next step."""
        if self._located is None:
            here, jacobian = locate(self._qpos[:, :7], self._base)
            velocity = (jacobian[:, :3] @ self._qvel[:, :7, None])[:, :, 0]
            # PyBullet tells of a link where it was before the last physics step. The next target is
            # counted from there, so that it costs a moving hand a twentieth of its speed.
            self._located = here.position - PHYSICS_STEP_S * velocity, velocity
        return self._located

    def close(self) -> None:
        """Nothing to free: the batch goes with the object."""
