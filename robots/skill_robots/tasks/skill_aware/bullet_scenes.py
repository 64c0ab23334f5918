"""The scenes of the skill-aware benchmark on PyBullet: panda-gym's own arm, table and cube.

panda-gym (Gallouedec et al., "panda-gym: Open-source goal-conditioned environments for robotic
learning", 2021) builds each scene, with the changes of SaMI: goals on the table, a spinning
friction of the table of 0.001, and friction and mass set in every episode. The control loop is that
of panda-gym, call by call, without its other computations, so a scene steps about as fast as Bullet
allows.
"""

from __future__ import annotations

import numpy as np
import pybullet
from panda_gym.envs.robots.panda import Panda
from panda_gym.envs.tasks.pick_and_place import PickAndPlace

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import WorldState, observe
from skill_robots.rotations import canonical_sign
from skill_robots.tasks.bullet_simulation import BulletSimulation
from skill_robots.tasks.scene_arguments import check_scenes, checked_action
from skill_robots.tasks.skill_aware.bullet_kinematics import placed_joints
from skill_robots.tasks.skill_aware.scenes import (
    ACTION_SIZE,
    AREA_M,
    CUBE_REST_HEIGHT_M,
    DISPLACEMENT_M,
    GRIPPER_WIDTH_STEP_M,
    OBSERVATION,
    Contacts,
    Starts,
)

SUBSTEPS = 20
"""Physics steps per control step."""
PHYSICS_STEP_S = 0.002
"""Length of a physics step [s]."""
SPINNING_FRICTION = 0.001
"""Spinning friction of the table, as in SaMI's environment."""

_BASE = (-0.6, 0.0, 0.0)
_HAND_DOWN = (1.0, 0.0, 0.0, 0.0)  # x, y, z, w
_STATE_SIZE = 20


class _Scene:
    """One arm, one table, one cube, in a separate Bullet client."""

    def __init__(self) -> None:
        self.simulation = BulletSimulation(PHYSICS_STEP_S, SUBSTEPS)
        robot = Panda(self.simulation, base_position=np.array(_BASE))
        PickAndPlace(
            self.simulation, goal_xy_range=2 * AREA_M, goal_z_range=0, obj_xy_range=2 * AREA_M
        )
        self.client = self.simulation.client
        self.arm, self.cube, self.table = (
            self.simulation.body(name) for name in ("panda", "object", "table")
        )
        self._hand: int = robot.ee_link
        self.fingers: list[int] = robot.fingers_indices.tolist()
        self._joints: list[int] = robot.joint_indices.tolist()
        self._forces: list[float] = robot.joint_forces.tolist()
        pybullet.changeDynamics(
            self.table, -1, spinningFriction=SPINNING_FRICTION, physicsClientId=self.client
        )
        robot.reset()
        self._start = pybullet.saveState(physicsClientId=self.client)

    def reset(self, cube: Array, joints: Array, width: float) -> None:
        """Puts arm and fingers in their places, and the cube at rest.

        Args:
            cube: place of the cube on the table, ``(2,)`` [m].
            joints: joint positions ``(7,)`` [rad].
            width: opening of the gripper [m].
        """
        pybullet.restoreState(self._start, physicsClientId=self.client)
        places = [*joints.tolist(), width / 2.0, width / 2.0]
        for index, position in zip(self._joints, places, strict=True):
            pybullet.resetJointState(self.arm, index, position, physicsClientId=self.client)
        # Bullet keeps the contacts of the last episode until it has seen the bodies apart, so the
        # cube first goes up.
        self._place((0.0, 0.0, 5.0))
        pybullet.performCollisionDetection(physicsClientId=self.client)
        self._place((float(cube[0]), float(cube[1]), CUBE_REST_HEIGHT_M))
        pybullet.resetBaseVelocity(
            self.cube, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), physicsClientId=self.client
        )

    def _place(self, position: tuple[float, float, float]) -> None:
        pybullet.resetBasePositionAndOrientation(
            self.cube, position, (0.0, 0.0, 0.0, 1.0), physicsClientId=self.client
        )

    def set_context(self, friction: float, mass: float) -> None:
        """Sets friction (label) and mass [kg]; Bullet scales the inertia with the mass."""
        pybullet.changeDynamics(
            self.table, -1, lateralFriction=friction, physicsClientId=self.client
        )
        pybullet.changeDynamics(self.cube, -1, mass=mass, physicsClientId=self.client)

    def read(self) -> list[float]:
        """Returns hand position, velocity and width; cube position, x y z w, velocity and spin."""
        client = self.client
        hand = pybullet.getLinkState(
            self.arm, self._hand, computeLinkVelocity=True, physicsClientId=client
        )
        left, right = pybullet.getJointStates(self.arm, self.fingers, physicsClientId=client)
        position, turn = pybullet.getBasePositionAndOrientation(self.cube, physicsClientId=client)
        velocity, spin = pybullet.getBaseVelocity(self.cube, physicsClientId=client)
        return [*hand[0], *hand[6], left[0] + right[0], *position, *turn, *velocity, *spin]

    def step(self, hand: list[float], width: float) -> None:
        """Runs one control step with these targets of hand position [m] and gripper width [m]."""
        client = self.client
        joints = pybullet.calculateInverseKinematics(
            self.arm, self._hand, hand, _HAND_DOWN, physicsClientId=client
        )
        pybullet.setJointMotorControlArray(
            self.arm,
            self._joints,
            pybullet.POSITION_CONTROL,
            targetPositions=[*joints[:7], width / 2, width / 2],
            forces=self._forces,
            physicsClientId=client,
        )
        for _ in range(SUBSTEPS):
            pybullet.stepSimulation(client)

    def touching(self) -> tuple[bool, bool, bool]:
        """Returns whether the cube touches the table, and each finger."""
        points = pybullet.getContactPoints(bodyA=self.cube, physicsClientId=self.client)
        others = {(point[2], point[4]) for point in points}
        left, right = ((self.arm, finger) in others for finger in self.fingers)
        return (self.table, -1) in others, left, right


class BulletScenes:
    """``n`` scenes, each in a separate Bullet client, stepped in sequence.

    Raises:
        WorldError: there is not one scene.
    """

    def __init__(self, n: int) -> None:
        check_scenes(n)
        self._scenes = [_Scene() for _ in range(n)]
        self._state = np.zeros((n, _STATE_SIZE))
        self._goal = np.zeros((n, 2))
        self._read()

    @property
    def n(self) -> int:
        """Number of scenes."""
        return len(self._scenes)

    @property
    def goal(self) -> Array:
        """``(n, 2)`` [m]; a copy."""
        return self._goal.copy()

    @property
    def cube_position(self) -> Array:
        """``(n, 3)`` [m]; a copy."""
        return self._state[:, 7:10].copy()

    @property
    def contacts(self) -> Contacts:
        """The current contacts of the cubes."""
        touching = np.array([scene.touching() for scene in self._scenes], dtype=np.bool_)
        return Contacts(table=touching[:, 0], fingers=touching[:, 1:])

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Starts an episode in every scene; friction (label) and mass [kg] are ``(n,)``."""
        joints = placed_joints(starts.hand, np.array(_BASE), n=self.n)
        width = np.zeros(self.n) if starts.width is None else starts.width
        for row, scene in enumerate(self._scenes):
            scene.reset(starts.cube[row], joints[row], float(width[row]))
        self._goal[:] = starts.goal
        self.set_context(friction, mass)
        self._read()

    def set_context(self, friction: Array, mass: Array) -> None:
        """Sets friction (label) and mass [kg], each ``(n,)``, also during an episode."""
        for scene, label, kilogram in zip(self._scenes, friction, mass, strict=True):
            scene.set_context(float(label), float(kilogram))

    def observe(self) -> Array:
        """Returns the fields of ``OBSERVATION`` ``(n, 23)``, raw SI units."""
        hand, cube = self._state[:, :7], self._state[:, 7:]
        unused = np.zeros((self.n, 3))
        world = WorldState(
            joint_position=np.zeros((self.n, 7)),
            joint_velocity=np.zeros((self.n, 7)),
            end_effector_position=hand[:, :3],
            end_effector_velocity=hand[:, 3:6],
            setpoint_position=unused,
            setpoint_velocity=unused,
            gripper_width=hand[:, 6:7],
            objects={
                CUBE: Pose(
                    position=cube[:, :3],
                    quaternion=canonical_sign(np.roll(cube[:, 3:7], 1, axis=1)),
                    velocity=cube[:, 7:10],
                    angular_velocity=cube[:, 10:13],
                )
            },
        )
        return observe(OBSERVATION, world)

    def step(self, action: Array) -> None:
        """Runs one control step with actions ``(n, 4)``, clipped to [-1, 1].

        Raises:
            WorldError: the actions have another shape, or are not finite.
        """
        clipped = np.clip(checked_action(action, self.n, ACTION_SIZE), -1.0, 1.0)
        hand = self._state[:, :3] + DISPLACEMENT_M * clipped[:, :3]
        hand[:, 2] = np.maximum(hand[:, 2], 0.0)
        width = self._state[:, 6] + GRIPPER_WIDTH_STEP_M * clipped[:, 3]
        for scene, target, opening in zip(self._scenes, hand.tolist(), width.tolist(), strict=True):
            scene.step(target, opening)
        self._read()

    def close(self) -> None:
        """Disconnects the Bullet clients; the scenes cannot be used afterwards."""
        for scene in self._scenes:
            scene.simulation.close()
        self._scenes = []

    def _read(self) -> None:
        for row, scene in enumerate(self._scenes):
            self._state[row] = scene.read()
