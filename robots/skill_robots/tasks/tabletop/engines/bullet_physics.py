"""The tabletop on PyBullet: panda-gym's robot under the joint impedance of the trained plant.

The links, their masses and their shapes are those of panda-gym, from ``pybullet_data``; contacts
are Bullet's. Start, cube, friction, impedance, rotor inertia and joint damping are those of the
plant (docs/plant.md). A policy that works on both engines does not rely on the errors of one.
"""

from __future__ import annotations

import math

import numpy as np
import pybullet
from panda_gym.envs.robots.panda import Panda

from skill_proto.arrays import Array, Ids
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE_SIZE
from skill_robots.tasks.bullet_simulation import BulletSimulation
from skill_robots.tasks.tabletop.engines.physics import GripperWidth

LONGEST_SUBSTEP_S = 0.001
"""A physics step is at most this long [s]: the impedance is an explicit torque, computed anew in
every step, as a real arm computes it at 1 kHz."""

ROTOR_INERTIA = 0.1
"""Inertia of each joint's motor, seen behind its gears [kg m^2]; ``armature`` of panda.xml. Bullet
has no such inertia of a joint, so the link has it, as a flat disc on the joint's axis."""

JOINT_DAMPING = 1.0
"""Viscous friction of each joint [N m s/rad], as in panda.xml."""

HAND_FRICTION = 0.5
"""Friction of hand and cube. Bullet multiplies the coefficients of two bodies; the cube has 1, so
that the coefficient of the other body is the effective one."""

FINGER_FORCE = 70.0
"""Largest force of a finger [N], as in panda.xml."""

MAX_JOINT_SPEED = 50.0
"""A joint that is faster has become unstable [rad/s]; the arm's own limit is 2.6 rad/s."""

_ROTOR = (ROTOR_INERTIA / 2, ROTOR_INERTIA / 2, ROTOR_INERTIA)
_ARM_JOINTS = list(range(7))
_HALF_TABLE = (3.0, 3.0, 0.2)
_PARTS = (7, 7, 1, 3, 4, 3, 3)
"""Sizes of the parts of :meth:`_Scene.read`."""


class _Scene:
    """One arm, one table, one cube, in a separate physics server."""

    def __init__(self, step_s: float, base: tuple[float, float, float]) -> None:
        self.simulation = BulletSimulation(step_s, 1)
        self._client = client = self.simulation.client
        robot = Panda(self.simulation, base_position=np.array(base))
        self._arm = self.simulation.body("panda")
        self._fingers: list[int] = robot.fingers_indices.tolist()
        self._movable = [*_ARM_JOINTS, *self._fingers]
        self._table = self._box(_HALF_TABLE, 0.0, -_HALF_TABLE[2])
        half = CUBE_SIZE / 2
        self._cube = self._box((half, half, half), 1.0, half)
        self._prepare_arm()
        for body, link, friction in (
            (self._cube, -1, 1.0),
            *((self._arm, link, HAND_FRICTION) for link in range(7, 12)),
        ):
            pybullet.changeDynamics(
                body, link, lateralFriction=friction, spinningFriction=0.0, physicsClientId=client
            )
        pybullet.changeDynamics(
            self._cube, -1, linearDamping=0.0, angularDamping=0.0, physicsClientId=client
        )
        self._impedance: list[tuple[float, float, float]] = []
        self._width = 0.0

    def _box(self, half: tuple[float, float, float], mass: float, height: float) -> int:
        shape = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half, physicsClientId=self._client
        )
        body: int = pybullet.createMultiBody(
            mass, shape, basePosition=(0.0, 0.0, height), physicsClientId=self._client
        )
        return body

    def _prepare_arm(self) -> None:
        """Adds the motors' inertia and damping, and switches Bullet's own motors off."""
        client = self._client
        for link in range(-1, pybullet.getNumJoints(self._arm, physicsClientId=client)):
            pybullet.changeDynamics(
                self._arm, link, linearDamping=0.0, angularDamping=0.0, physicsClientId=client
            )
        for link in _ARM_JOINTS:
            moments = pybullet.getDynamicsInfo(self._arm, link, physicsClientId=client)[2]
            pybullet.changeDynamics(
                self._arm,
                link,
                localInertiaDiagonal=tuple(np.add(moments, _ROTOR)),
                jointDamping=JOINT_DAMPING,
                physicsClientId=client,
            )
        pybullet.setJointMotorControlArray(
            self._arm,
            _ARM_JOINTS,
            pybullet.VELOCITY_CONTROL,
            forces=[0.0] * 7,
            physicsClientId=client,
        )

    def reset(self, joints: Array, cube: Array, yaw: float, height: float, width: float) -> None:
        """Puts the arm at ``(7,)``, its gripper at a width, and the cube at ``(2,)``, at rest."""
        client, half = self._client, width / 2
        for joint, position in zip(self._movable, [*joints.tolist(), half, half], strict=True):
            pybullet.resetJointState(self._arm, joint, position, 0.0, physicsClientId=client)
        self._width = width
        # Bullet keeps the contacts of the last episode until it has seen the bodies apart.
        for x, y, z in ((0.0, 0.0, 5.0), (float(cube[0]), float(cube[1]), height)):
            turn = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
            pybullet.resetBasePositionAndOrientation(
                self._cube, (x, y, z), turn, physicsClientId=client
            )
            pybullet.performCollisionDetection(physicsClientId=client)
        self.push_cube((0.0, 0.0))

    def push_cube(self, velocity: tuple[float, float]) -> None:
        """Sets the cube's horizontal velocity [m/s]."""
        pybullet.resetBaseVelocity(
            self._cube, (*velocity, 0.0), (0.0, 0.0, 0.0), physicsClientId=self._client
        )

    def set_context(self, mass: float, friction: float) -> None:
        """Sets mass [kg] and friction; Bullet scales the inertia with the mass."""
        pybullet.changeDynamics(self._cube, -1, mass=mass, physicsClientId=self._client)
        pybullet.changeDynamics(
            self._table, -1, lateralFriction=friction, physicsClientId=self._client
        )

    def set_impedance(self, stiffness: Array, damping: Array) -> None:
        """Sets stiffness and damping of the joints ``(7,)``."""
        self._impedance = list(
            zip(stiffness.tolist(), damping.tolist(), PANDA.torque_limit.tolist(), strict=True)
        )

    def step(
        self, position: list[float], velocity: list[float], width: float | None, substeps: int
    ) -> None:
        """Follows one set-point for a servo period."""
        client, arm = self._client, self._arm
        self._width = self._width if width is None else width
        pybullet.setJointMotorControlArray(
            arm,
            self._fingers,
            pybullet.POSITION_CONTROL,
            targetPositions=[self._width / 2] * 2,
            forces=[FINGER_FORCE] * 2,
            physicsClientId=client,
        )
        gravity = self._gravity()  # it hardly changes within a servo period
        for _ in range(substeps):
            states = pybullet.getJointStates(arm, self._movable, physicsClientId=client)
            torques = [
                min(max(k * (q_set - state[0]) + d * (v_set - state[1]), -limit), limit) + load
                for (k, d, limit), q_set, v_set, state, load in zip(
                    self._impedance, position, velocity, states, gravity, strict=False
                )
            ]
            pybullet.setJointMotorControlArray(
                arm, _ARM_JOINTS, pybullet.TORQUE_CONTROL, forces=torques, physicsClientId=client
            )
            pybullet.stepSimulation(client)

    def _gravity(self) -> list[float]:
        """Returns the torques that hold the arm against gravity, ``(9,)`` [N m]."""
        client = self._client
        states = pybullet.getJointStates(self._arm, self._movable, physicsClientId=client)
        position, rest = [state[0] for state in states], [0.0] * 9
        torques: tuple[float, ...] = pybullet.calculateInverseDynamics(
            self._arm, position, rest, rest, physicsClientId=client
        )
        return list(torques)

    def read(self) -> list[float]:
        """Returns joints and their velocities, gripper width, and pose and velocities of the cube.

        The quaternion has w first.
        """
        client = self._client
        states = pybullet.getJointStates(self._arm, self._movable, physicsClientId=client)
        position, turn = pybullet.getBasePositionAndOrientation(self._cube, physicsClientId=client)
        velocity, spin = pybullet.getBaseVelocity(self._cube, physicsClientId=client)
        arm, (left, right) = states[:7], states[7:]
        joints = [*(state[0] for state in arm), *(state[1] for state in arm)]
        cube = [*position, turn[3], *turn[:3], *velocity, *spin]
        return [*joints, left[0] + right[0], *cube]

    def contact_force(self) -> Array:
        """Returns the sum of all contact forces on the arm ``(3,)`` [N]."""
        total = np.zeros(3)
        for point in pybullet.getContactPoints(bodyA=self._arm, physicsClientId=self._client):
            for size, direction in ((9, 7), (10, 11), (12, 13)):  # normal, two of friction
                total += point[size] * np.array(point[direction])
        return total


class BulletPhysics:
    """n scenes, each in a physics server of its own; implements ``TabletopPhysics``.

    Args:
        n: number of scenes.
        servo_period_s: time between two set-points [s]; it has as many physics steps as it needs.
        base: position of the arm's base in the world frame [m].
    """

    def __init__(self, n: int, servo_period_s: float, base: tuple[float, float, float]) -> None:
        self._period_s = servo_period_s
        self._substeps = math.ceil(servo_period_s / LONGEST_SUBSTEP_S - 1e-9)
        self._scenes = [_Scene(servo_period_s / self._substeps, base) for _ in range(n)]
        self.time_s = 0.0
        self._is_unstable = False
        self._state = np.zeros((n, sum(_PARTS)))
        parts = np.split(self._state, np.cumsum(_PARTS)[:-1], axis=1)  # views
        self.joint_position, self.joint_velocity = parts[0], parts[1]
        self.gripper_width: Array = parts[2][:, 0]
        self.cube_position, self.cube_quaternion = parts[3], parts[4]
        self.cube_velocity, self.cube_angular_velocity = parts[5], parts[6]

    def contact_force(self) -> Array:
        """Returns the sum of all contact forces on the arm ``(n, 3)`` [N]."""
        return np.array([scene.contact_force() for scene in self._scenes])

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
        heights = np.full(len(ids), CUBE_SIZE / 2) if height is None else height
        widths = np.zeros(len(ids)) if gripper_width is None else gripper_width
        for row, scene in enumerate(ids.tolist()):
            self._scenes[scene].reset(
                joints[row], cube[row], float(yaw[row]), float(heights[row]), float(widths[row])
            )
        if 0 in ids:
            self.time_s, self._is_unstable = 0.0, False
        self._read()

    def set_context(self, ids: Ids, mass: Array, friction: Array) -> None:
        """Sets mass [kg] and cube-table friction ``(k,)``."""
        for scene, kilogram, mu in zip(ids.tolist(), mass.tolist(), friction.tolist(), strict=True):
            self._scenes[scene].set_context(kilogram, mu)

    def set_impedance(self, ids: Ids, stiffness: Array, damping: Array) -> None:
        """Sets stiffness and damping of the joints ``(k, 7)``."""
        for row, scene in enumerate(ids.tolist()):
            self._scenes[scene].set_impedance(stiffness[row], damping[row])

    def step(self, position: Array, velocity: Array, gripper_width: GripperWidth) -> None:
        """Follows a set-point ``(n, 7)`` for one servo period, by joint impedance."""
        n = len(self._scenes)
        widths: list[float | None] = [None] * n
        if gripper_width is not None:
            widths = np.broadcast_to(gripper_width, (n,)).tolist()
        for scene, q, v, width in zip(
            self._scenes, position.tolist(), velocity.tolist(), widths, strict=True
        ):
            scene.step(q, v, width, self._substeps)
        self._read()
        fastest = float(np.abs(self.joint_velocity[0]).max())
        self._is_unstable = self._is_unstable or not fastest < MAX_JOINT_SPEED  # also for NaN
        if not self._is_unstable:
            self.time_s += self._period_s

    def push_cube(self, velocity: Array) -> None:
        """Sets the horizontal velocity of the cubes, ``(2,)`` or ``(n, 2)`` [m/s]."""
        pushes = np.broadcast_to(velocity, (len(self._scenes), 2)).tolist()
        for scene, (x, y) in zip(self._scenes, pushes, strict=True):
            scene.push_cube((x, y))
        self._read()

    def close(self) -> None:
        """Disconnects the physics servers; the scenes cannot be used afterwards."""
        for scene in self._scenes:
            scene.simulation.close()
        self._scenes = []

    def _read(self) -> None:
        for row, scene in enumerate(self._scenes):
            self._state[row] = scene.read()
