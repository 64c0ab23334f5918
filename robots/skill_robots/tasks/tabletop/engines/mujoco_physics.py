"""The tabletop on MuJoCo, the engine of training: n scenes in one batch."""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch

from skill_proto.arrays import Array, Ids
from skill_robots.franka.model import FINGER_JOINTS
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE_SIZE
from skill_robots.observation import rotate
from skill_robots.tasks.tabletop.engines.physics import GripperWidth
from skill_robots.tasks.tabletop.model import CUBE_TABLE_PAIR, tabletop_model


class MujocoPhysics:
    """n scenes of the model of ``tabletop.model``; implements ``TabletopPhysics``.

    Args:
        n: number of scenes.
        physics_step_s: physics step, also the servo period [s].
        base: position of the arm's base in the world frame [m].
        threads: physics threads.
        scene: the model with further bodies; None takes that of ``tabletop.model``.

    Attributes:
        n: number of scenes.
        model: the compiled model.
        joint_position, joint_velocity, cube_position, cube_quaternion, cube_velocity: live views.
    """

    def __init__(
        self,
        n: int,
        physics_step_s: float,
        base: tuple[float, float, float],
        threads: int = 1,
        scene: mujoco.MjModel | None = None,
    ) -> None:
        self.n = n
        self.model = model = tabletop_model(physics_step_s, base) if scene is None else scene
        self._batch = batch = Batch(model, n, nthread=threads, persistent=True)
        self._qpos, self._qvel = batch.bind("qpos"), batch.bind("qvel")
        self._ctrl = batch.bind("ctrl")
        self._finger_gear = batch.bind("eq_active")
        self._pair_friction = batch.expand("pair_friction")
        self._body_mass = batch.expand("body_mass")
        self._body_inertia = batch.expand("body_inertia")
        self._gain, self._bias = batch.expand("actuator_gainprm"), batch.expand("actuator_biasprm")
        self._pair = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_PAIR, CUBE_TABLE_PAIR)
        self._cube = model.body("cube").id
        self._unit_inertia = model.body_inertia[self._cube] / model.body_mass[self._cube]
        self._finger_q = int(model.joint(FINGER_JOINTS[0]).qposadr[0])
        self._hand = model.actuator("hand").id
        self._feed_forward = np.zeros((n, 7))
        # Views of the bound memory, so that a servo period makes none.
        self._cube_q = q = int(model.joint("cube").qposadr[0])
        self._cube_v = v = int(model.joint("cube").dofadr[0])
        self.joint_position: Array = self._qpos[:, :7]
        self.joint_velocity: Array = self._qvel[:, :7]
        self.cube_position: Array = self._qpos[:, q : q + 3]
        self.cube_quaternion: Array = self._qpos[:, q + 3 : q + 7]
        self.cube_velocity: Array = self._qvel[:, v : v + 3]
        self._cube_spin = self._qvel[:, v + 3 : v + 6]
        self._joint_ctrl = self._ctrl[:, :7]
        self._first_time = batch.bind("time")[:1]

    @property
    def time_s(self) -> float:
        """Time of the first scene [s]; MuJoCo resets an unstable simulation to time zero."""
        return self._first_time.item()

    @property
    def gripper_width(self) -> Array:
        """``(n,)`` [m]."""
        return 2.0 * self._qpos[:, self._finger_q]

    @property
    def cube_angular_velocity(self) -> Array:
        """``(n, 3)`` [rad/s]; a free joint's own is in the frame of the body."""
        return rotate(self.cube_quaternion, self._cube_spin)

    def positions(self) -> Array:
        """Returns ``qpos`` ``(n, nq)``, a live view."""
        return self._qpos

    def contact_force(self) -> Array:
        """Returns the contact forces on the arm ``(n, 3)``, from the torques of constraints [N].

        The arm's joints have no other active constraint than its contacts, except at the ends of
        their ranges. The first call returns zeros: MuJoCo begins to copy the torques then.
        """
        torque = self._batch.bind("qfrc_constraint")[:, :7, None]
        _, jacobian = PANDA.kinematics.forward_with_jacobian(self.joint_position)
        # Least squares of J^T wrench = torque.
        wrench = np.linalg.solve(jacobian @ jacobian.transpose(0, 2, 1), jacobian @ torque)
        return wrench[:, :3, 0]

    def reset(
        self,
        ids: Ids,
        joints: Array,
        cube: Array,
        yaw: Array,
        height: Array | None = None,
        gripper_width: Array | None = None,
    ) -> None:
        """Puts arms and cubes at rest; see ``TabletopPhysics``."""
        self._batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self._qpos[ids, :7] = joints
        q = self._cube_q
        self._qpos[ids, q : q + 2] = cube
        self._qpos[ids, q + 2] = CUBE_SIZE / 2 if height is None else height
        self._qpos[ids, q + 3 : q + 7] = _yaw_quaternion(yaw)
        self._ctrl[ids, :7] = joints
        if gripper_width is not None:
            finger = self._finger_q
            self._qpos[ids, finger : finger + 2] = gripper_width[:, None] / 2
            self._ctrl[ids, self._hand] = gripper_width / 2
            self._finger_gear[ids] = 1.0

    def set_context(self, ids: Ids, mass: Array, friction: Array) -> None:
        """Sets mass [kg] and cube-table friction ``(k,)``."""
        self._pair_friction[ids, self._pair, :2] = friction[:, None]
        self._body_mass[ids, self._cube] = mass
        self._body_inertia[ids, self._cube] = mass[:, None] * self._unit_inertia
        self._batch.set_const(ids)

    def set_impedance(self, ids: Ids, stiffness: Array, damping: Array) -> None:
        """Sets stiffness and damping of the position actuators ``(k, 7)``."""
        self._gain[ids, :7, 0] = stiffness
        self._bias[ids, :7, 1] = -stiffness
        self._bias[ids, :7, 2] = -damping
        self._feed_forward[ids] = damping / stiffness

    def step(self, position: Array, velocity: Array, gripper_width: GripperWidth) -> None:
        """Runs one physics step towards a set-point ``(n, 7)``: the simulated arm's servo.

        The position actuator's force is ``K (u - q) - D q'``; with ``u = q_set + (D / K) v_set``
        this is joint impedance with velocity feed-forward, ``K (q_set - q) + D (v_set - q')``.
        """
        np.multiply(self._feed_forward, velocity, out=self._joint_ctrl)
        self._joint_ctrl += position
        if gripper_width is not None:
            self._ctrl[:, self._hand] = gripper_width / 2
            self._finger_gear[:] = 1.0  # inactive until the first use of the hand: see model.py
        self._batch.step(nstep=1)

    def push_cube(self, velocity: Array) -> None:
        """Sets the horizontal velocity of the cubes [m/s]."""
        v = self._cube_v
        self._qvel[:, v : v + 2] = velocity

    def close(self) -> None:
        """Has no effect: the batch frees itself."""


def _yaw_quaternion(yaw: Array) -> Array:
    """Returns the quaternions ``(n, 4)``, w first, of rotations about z."""
    zero = np.zeros_like(yaw)
    return np.stack([np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)], axis=1)
