"""PolicyDriver: for one arm, from a measurement to an observation, from an action to targets.

It is the served counterpart of the tabletop's own step and built from the same parts, so that a
policy meets the same plant in serving as in training. It does not know who commands or why.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmSpec, ArmState, JointTarget, ObjectUnseenError, Pose
from skill_robots.franka import kinematics
from skill_robots.motion.action import ActionConfig, ActionDecoder, EndEffectors, end_effector_state
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper, ShaperConfig
from skill_robots.objects import CUBE
from skill_robots.observation import FIELDS, WorldState, canonical_sign, observe

SKILL_AWARE_TASK = "skill_aware"
"""What a manifest's ``plant.task`` calls the skill-aware benchmark."""

_ACTION_PARTS = [("end_effector_displacement", 3), ("gripper_width_displacement", 1)]


class UnsupportedPolicyError(ValueError):
    """A policy asks for observation fields or actions that this robot does not have."""


class PolicyAdapter:
    """Observations, joint goals and shaped set-points of one arm.

    Args:
        spec: the arm's published limits.
        manifest: the policy's, for its observation fields and action parts.
        servo_period_s: time between two set-points [s].

    Raises:
        UnsupportedPolicyError: the policy asks for what this robot does not have.
    """

    def __init__(self, spec: ArmSpec, manifest: PolicyManifest, servo_period_s: float) -> None:
        _check_supported(manifest)
        self.names = manifest.observation_names
        self.actions = ActionConfig(
            displacement=manifest.action[0].scale,
            max_setpoint_error=manifest.plant.max_setpoint_error_m,
            workspace_low=manifest.plant.workspace_low_m,
            workspace_high=manifest.plant.workspace_high_m,
            origin="measured" if manifest.plant.task == SKILL_AWARE_TASK else "setpoint",
        )
        self._hand_step = manifest.action[1].scale if len(manifest.action) > 1 else 0.0
        self._gripper_width_max = spec.gripper_width_max
        self._base = np.array(self.actions.base_position)
        self._decoder = ActionDecoder(self.actions, spec)
        self.shaping = ShaperConfig(limit_share=manifest.plant.velocity_limit_share)
        self._shaper = SetpointShaper(spec, servo_period_s, self.shaping)
        self._setpoint = Setpoint(np.zeros((1, spec.dof)))
        self._goal = np.zeros((1, spec.dof))
        self._holding = True
        self._located: tuple[ArmState, EndEffectors] | None = None
        self.command_gripper(None, grasp=False)

    def reset(self, state: ArmState) -> None:
        """Puts the set-point on the measured joints, at rest, and lets go of the hand."""
        self._setpoint = Setpoint(state.joint_position[None].copy())
        self._holding = True
        self._located = None
        self.command_gripper(None, grasp=False)

    @property
    def setpoint(self) -> Array:
        """The current shaped joint set-point, ``(dof,)`` [rad]."""
        return self._setpoint.position[0]

    @property
    def setpoint_velocity(self) -> Array:
        """Its velocity, ``(dof,)`` [rad/s]."""
        return self._setpoint.velocity[0]

    def world(self, state: ArmState) -> WorldState:
        """The measured world as a batch of one.

        Raises:
            ObjectUnseenError: nothing reports the pose of the cube.
        """
        cube = _pose_of_cube(state)
        hands = self.hands(state)
        return WorldState(
            joint_position=state.joint_position[None],
            joint_velocity=state.joint_velocity[None],
            end_effector_position=hands.measured,
            end_effector_velocity=hands.measured_velocity,
            setpoint_position=hands.setpoint,
            setpoint_velocity=hands.setpoint_velocity,
            gripper_width=np.array([[state.gripper_width]]),
            cube_position=cube.position[None],
            cube_quaternion=canonical_sign(cube.quaternion[None]),
            cube_velocity=cube.velocity[None],
            cube_angular_velocity=cube.angular_velocity[None],
        )

    def hands(self, state: ArmState) -> EndEffectors:
        """Where the measured hand and that of the set-point are."""
        if self._located is None or self._located[0] is not state:
            hands = end_effector_state(
                state.joint_position[None],
                state.joint_velocity[None],
                self._setpoint.position,
                self._setpoint.velocity,
                self._base,
            )
            self._located = (state, hands)
        return self._located[1]

    def measured_end_effector(self, state: ArmState) -> tuple[Array, Array]:
        """Measured position [m] and velocity [m/s] of the end effector, ``(3,)``, world frame."""
        point, velocity = kinematics.moving_point(
            state.joint_position.tolist(), state.joint_velocity.tolist()
        )
        return self._base + point, np.array(velocity)

    def observation(self, state: ArmState) -> Array:
        """The policy's raw observation ``(O,)``.

        Raises:
            ArmError: nothing reports the pose of the cube.
        """
        return observe(self.names, self.world(state))[0]

    def done(self, action: Array) -> Array | None:
        """What was done where a policy said ``action`` ``(A,)``; None where that is what was done.

        A hand that somebody else commands stays where it is told to be, whatever the policy says.
        """
        if not self._hand_step or self._hand_is_the_policys:
            return None
        return np.concatenate([action[:3], np.zeros(len(action) - 3)])

    def apply_action(self, action: Array, state: ArmState) -> None:
        """Sets the joint goal, and the hand's width, from a policy's action ``(A,)`` in [-1, 1].

        The hand is left to whoever commanded it (:meth:`command_gripper`).
        """
        action = np.asarray(action, np.float64)
        self._holding = False
        self._goal = self._decoder.displace(
            action[None, :3], self._setpoint.position, self.hands(state)
        )
        if self._hand_step and self._hand_is_the_policys:
            width = state.gripper_width + self._hand_step * float(action[3])
            self._gripper_width = min(max(width, 0.0), self._gripper_width_max)

    def apply_joint_goal(self, joint_position: Array) -> None:
        """Sets the joint goal itself, ``(dof,)`` [rad]."""
        self._holding = False
        self._goal = np.array(joint_position, np.float64)[None]

    def apply_end_effector_goal(self, position: Array, state: ArmState) -> None:
        """Moves the goal one control step towards ``position`` ``(3,)``, world frame [m].

        The step is how far the goal lies ahead of the set-point, not how far the set-point gets:
        called at every servo period this leads it on at the shaper's speed for that distance.
        """
        goal = np.asarray(position, np.float64)[None]
        self._holding = False
        self._goal = self._decoder.reach(goal, self._setpoint.position, self.hands(state))

    def command_gripper(self, width: float | None, *, grasp: bool) -> None:
        """Sets the hand's opening [m]; None leaves it to the policy, or as it is."""
        self._gripper_width, self._grasp = width, grasp
        self._hand_is_the_policys = width is None and not grasp

    def hold(self) -> None:
        """Comes to rest as fast as the shaper brakes, and stays there."""
        self._holding = True

    def resume(self, target: JointTarget) -> None:
        """Goes on from ``target``, which the governor sent in place of the last set-point."""
        self._setpoint.position = target.position[None].copy()
        self._setpoint.velocity = target.velocity[None].copy()
        self._setpoint.acceleration = target.acceleration[None].copy()
        self._located = None

    def step(self) -> JointTarget:
        """The shaped set-point for the coming servo period."""
        if self._holding:
            self._shaper.brake(self._setpoint)
        else:
            self._shaper.step(self._setpoint, self._goal)
        self._located = None
        return JointTarget(
            position=self._setpoint.position[0],
            velocity=self._setpoint.velocity[0],
            acceleration=self._setpoint.acceleration[0],
            gripper_width=self._gripper_width,
            grasp=self._grasp,
        )


def _pose_of_cube(state: ArmState) -> Pose:
    cube = state.objects.get(CUBE)
    if cube is None:
        seen = ", ".join(state.objects) or "none"
        raise ObjectUnseenError(
            f"the policy needs the pose of {CUBE!r}, but the objects seen are: {seen}"
        )
    return cube


def _check_supported(manifest: PolicyManifest) -> None:
    unknown = [
        field.name
        for field in manifest.observation
        if field.name not in FIELDS or FIELDS[field.name].size != field.size
    ]
    if unknown:
        raise UnsupportedPolicyError(
            f"the policy wants observation fields that this robot does not have in that size: "
            f"{', '.join(unknown)}; it has {', '.join(FIELDS)}"
        )
    parts = [(part.name, part.size) for part in manifest.action]
    if parts not in (_ACTION_PARTS[:1], _ACTION_PARTS):
        raise UnsupportedPolicyError(
            f"the policy's action is {parts}; this robot takes {_ACTION_PARTS[:1]} or "
            f"{_ACTION_PARTS}"
        )
