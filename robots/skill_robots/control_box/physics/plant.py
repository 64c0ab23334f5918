"""Plant: arm, hand, table and cube in MuJoCo, one millisecond at a time.

The motors get torques; gravity on the arm and its hand is compensated as on a real robot. A step
is ``mj_step2`` followed by ``mj_step1``, so that all quantities that depend on position and
velocity belong to the new instant without a further evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.control_box.config import CYCLE_S, RobotConfig
from skill_robots.control_box.physics.scene import (
    END_EFFECTOR_SITE,
    STIFFNESS_SITE,
    box_model,
    set_object,
)
from skill_robots.objects import CUBE_SIZE
from skill_robots.observation import rotate
from skill_robots.rotations import canonical_sign

EXTERNAL_FILTER_S = 0.01
"""Time constant of the low-pass filter on external torques [s]; a guess."""

_FILTER_GAIN = CYCLE_S / EXTERNAL_FILTER_S

_WRENCH_DAMPING = 1e-6
"""On the diagonal of ``J J^T`` when a wrench is estimated; bounds it near singular poses."""

_GRAVITY = 9.81


class Plant:
    """The physics of the control box.

    External torques are those of the simulation's contacts, end stops and :meth:`push`, low-pass
    filtered; a real robot estimates them with a disturbance observer. Their sign is that of
    libfranka: a force of the robot on its environment is positive.

    Args:
        config: the robot.

    Attributes:
        model: the model; frames and the cube's context change it.
        q: measured joint position, ``(7,)``; a view [rad].
        dq: measured joint velocity, ``(7,)``; a view [rad/s].
        position: the same as ``q``, seven floats; a new list in each step.
        velocity: the same as ``dq``, seven floats.
        tau_j: torque at the link side, gravity included, ``(7,)`` [N m].
        tau_ext: external torque, filtered, ``(7,)`` [N m].
        gravity: torque that compensates gravity, ``(7,)``; a view [N m].
        stiffness_rotation: axes of K in O as columns, ``(3, 3)``; a view.
        jacobian: of the stiffness frame K in O, ``(6, 7)``; a view, of the last
            :meth:`update_jacobian`.
    """

    def __init__(self, config: RobotConfig) -> None:
        self.model = model = box_model(config)
        self._data = data = mujoco.MjData(model)
        self._base = np.array(config.base_position)
        data.qpos[:7] = config.start
        data.qpos[7:9] = config.hand_width / 2.0
        self._has_cube = config.scene == "tabletop"
        if self._has_cube:
            cube = int(model.joint("cube").qposadr[0])
            rate = int(model.joint("cube").dofadr[0])
            self._cube, self._cube_rate = data.qpos[cube : cube + 7], data.qvel[rate : rate + 6]
            self._cube[:2] = config.cube_position
        self._bind(data)
        self._load_lever: Array | None = None
        self._load_mass = 0.0
        self._load_torque = np.zeros(7)
        self.tau_j, self.tau_ext = np.zeros(7), np.zeros(7)
        self._rotor_before = model.dof_armature[:7] / CYCLE_S
        self._rotor = self._rotor_before + model.dof_damping[:7]
        self._rotor_torque, self._sum = np.zeros(7), np.zeros(7)
        mujoco.mj_step1(model, data)
        self._measure()

    def _bind(self, data: mujoco.MjData) -> None:
        model = self.model
        self.q, self.dq = data.qpos[:7], data.qvel[:7]
        self._fingers, self._finger_rates = data.qpos[7:9], data.qvel[7:9]
        self._motors = data.ctrl[:7]
        self._hand = int(model.actuator("hand").id)
        self._ctrl = data.ctrl
        self._pushed = data.qfrc_applied[:7]
        self._effort, self.gravity = data.qfrc_actuator[:7], data.qfrc_gravcomp[:7]
        self._contact = data.qfrc_constraint[:7]
        end_effector = model.site(END_EFFECTOR_SITE).id
        self._stiffness = model.site(STIFFNESS_SITE).id
        self._end_effector_position = data.site_xpos[end_effector]
        self._end_effector_axes = data.site_xmat[end_effector].reshape(3, 3).T
        self._stiffness_position = data.site_xpos[self._stiffness]
        self.stiffness_rotation = data.site_xmat[self._stiffness].reshape(3, 3)
        rows = np.zeros((6, model.nv))
        self._translations, self._rotations = rows[:3], rows[3:]
        self.jacobian = rows[:, :7]
        self._last_link = int(model.body("panda_link7").id)
        self._load_rows = np.zeros((3, model.nv))

    # Time ---------------------------------------------------------------------------------------

    def step(self, torque: Sequence[float], hand_force: float) -> None:
        """Advances by one millisecond.

        Args:
            torque: of the motors without gravity, ``(7,)`` [N m]; cut off at the motors' limits.
            hand_force: on the two fingers together, positive opens [N].
        """
        data = self._data
        self._motors[:] = torque
        if self._load_lever is not None:
            self._motors += self._load_torque
        self._ctrl[self._hand] = hand_force
        np.multiply(self._rotor_before, self.dq, out=self._rotor_torque)
        mujoco.mj_step2(self.model, data)
        mujoco.mj_step1(self.model, data)
        self._measure()

    def _measure(self) -> None:
        """Reads the sensors.

        Torque sensors are between gear and link, so they do not see the rotor's inertia ``I`` and
        friction: ``tau_J = tau_motor + gravity - I q'' - d q'``, where ``q''`` is the difference of
        the velocities over dt.
        """
        self.position, self.velocity = self.q.tolist(), self.dq.tolist()
        tau, total = self.tau_j, self._sum
        np.add(self._effort, self.gravity, out=tau)
        tau += self._rotor_torque
        np.multiply(self._rotor, self.dq, out=total)
        tau -= total
        # The filter tau_ext += gain (external - tau_ext) of external = -contact - pushed - load.
        np.add(self._contact, self._pushed, out=total)
        if self._load_lever is not None:
            self._update_load_torque()
            total += self._load_torque
        total += self.tau_ext
        total *= _FILTER_GAIN
        self.tau_ext -= total

    def refresh(self) -> None:
        """Computes the poses of frames that have moved in the model."""
        mujoco.mj_kinematics(self.model, self._data)

    # Frames and forces ----------------------------------------------------------------------------

    @property
    def end_effector_position(self) -> Array:
        """Origin of EE in O, ``(3,)`` [m]."""
        return self._end_effector_position - self._base

    def read_pose(self, axes: Array, origin: Array) -> None:
        """Writes the pose of EE in O.

        Args:
            axes: its axes as rows, ``(3, 3)``.
            origin: ``(3,)`` [m].
        """
        axes[:] = self._end_effector_axes
        np.subtract(self._end_effector_position, self._base, out=origin)

    def update_jacobian(self) -> None:
        """Computes the Jacobian of K."""
        mujoco.mj_jacSite(
            self.model, self._data, self._translations, self._rotations, self._stiffness
        )

    def end_effector_twist(self) -> tuple[float, float, float, float, float, float]:
        """Returns the twist of EE in O, from the Jacobian of K [m/s, rad/s]."""
        u, v, w, p, q, r = self.jacobian.dot(self.dq).tolist()
        x, y, z = (self._end_effector_position - self._stiffness_position).tolist()
        return u + q * z - r * y, v + r * x - p * z, w + p * y - q * x, p, q, r

    def end_effector_speed(self) -> float:
        """Returns the speed of EE [m/s]."""
        return hypot(*self.end_effector_twist()[:3])

    def wrench(self) -> tuple[Array, Array]:
        """Estimates the external wrench at K from the external torques.

        It is the least-squares solution of ``J^T F = tau_ext``.

        Returns:
            The wrench in O and the same in K, ``(6,)`` each [N, N m].
        """
        jacobian = self.jacobian
        gram = jacobian @ jacobian.T
        gram.flat[::7] += _WRENCH_DAMPING
        in_base = np.empty(6)
        in_base[:] = np.linalg.solve(gram, jacobian @ self.tau_ext)
        in_stiffness: Array = np.concatenate(
            [in_base[:3] @ self.stiffness_rotation, in_base[3:] @ self.stiffness_rotation]
        )
        return in_base, in_stiffness

    def set_load(self, mass: float, lever: Array) -> None:
        """Sets the load that the robot compensates; it changes no mass of the simulation.

        Args:
            mass: [kg].
            lever: centre of mass in the frame of the last link, ``(3,)`` [m].
        """
        self._load_mass = mass
        self._load_lever = lever if mass > 0.0 else None
        self._load_torque[:] = 0.0
        if self._load_lever is not None:
            self._update_load_torque()

    def _update_load_torque(self) -> None:
        """Computes the torque that carries the load at rest, ``J^T (0, 0, m g)``."""
        data, link = self._data, self._last_link
        point = data.xpos[link] + data.xmat[link].reshape(3, 3) @ self._load_lever
        mujoco.mj_jac(self.model, data, self._load_rows, None, point, link)
        np.multiply(self._load_rows[2, :7], self._load_mass * _GRAVITY, out=self._load_torque)

    def push(self, torque: Sequence[float]) -> None:
        """Pushes the joints from outside from now on, ``(7,)`` [N m]: an operator's hand."""
        self._pushed[:] = torque

    def inertia(self) -> Array:
        """Returns the mass matrix of the arm, rotors included, ``(7, 7)`` [kg m^2]."""
        full = np.zeros((self.model.nv, self.model.nv))
        mujoco.mj_fullM(self.model, self._data, full)
        return full[:7, :7].copy()

    # Hand and cube --------------------------------------------------------------------------------

    @property
    def finger_width(self) -> float:
        """Distance between the fingers [m]."""
        return float(self._fingers[0] + self._fingers[1])

    @property
    def finger_speed(self) -> float:
        """Its rate of change [m/s]."""
        return float(self._finger_rates[0] + self._finger_rates[1])

    def couple_fingers(self) -> None:
        """Engages the gear between the fingers; closed fingers at rest need none.

        The plant of training leaves it out for the same reason (docs/plant.md).
        """
        self._data.eq_active[self.model.equality("finger_gear").id] = True

    def cube_pose(self) -> Pose | None:
        """Returns the cube's pose in the world frame, None without a tabletop."""
        if not self._has_cube:
            return None
        quaternion = self._cube[None, 3:7].copy()
        return Pose(
            position=self._cube[:3].copy(),
            quaternion=canonical_sign(quaternion)[0],
            velocity=self._cube_rate[:3].copy(),
            # A free joint's angular velocity is in the body's own frame.
            angular_velocity=rotate(quaternion, self._cube_rate[None, 3:6])[0],
        )

    def place_cube(self, x: float, y: float, yaw: float = 0.0) -> None:
        """Puts the cube on the table, at rest, as a person does between two episodes.

        Args:
            x: of its centre, world frame [m].
            y: of its centre, world frame [m].
            yaw: about the vertical [rad].

        Raises:
            ValueError: the scene has no cube.
        """
        self._require_cube()
        self._cube[:] = (x, y, CUBE_SIZE / 2.0, np.cos(yaw / 2.0), 0.0, 0.0, np.sin(yaw / 2.0))
        self._cube_rate[:] = 0.0

    def set_context(self, mass: float, friction: float) -> None:
        """Changes the cube's mass [kg] and its friction on the table at once.

        Raises:
            ValueError: the scene has no cube.
        """
        self._require_cube()
        set_object(self.model, mass, friction)
        mujoco.mj_setConst(self.model, mujoco.MjData(self.model))

    def _require_cube(self) -> None:
        if not self._has_cube:
            raise ValueError("the scene has no cube; choose the scene tabletop")
