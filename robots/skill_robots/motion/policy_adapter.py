"""PolicyAdapter: observations from measurements, and set-points from actions, for one arm.

The adapter is the served counterpart of ``Tabletop.step`` and is built from the same parts, so that
a policy meets the same plant in serving as in training.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmSpec, ArmState, JointTarget, ObjectUnseenError, Pose
from skill_robots.motion.action import ActionConfig, ActionDecoder, EndEffectors, end_effector_state
from skill_robots.motion.drives.choice import displacement_scale, make_arm_drive
from skill_robots.motion.drives.drive import JointGoal, Situation
from skill_robots.motion.gripper import UNCHANGED, GripperCommand, gripper_part, make_drive
from skill_robots.motion.policy_support import check_supported
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper, ShaperConfig
from skill_robots.observation import WorldState, observe, observed_objects
from skill_robots.rotations import canonical_sign


class PolicyAdapter:
    """Observations, joint goals and shaped set-points of one arm.

    Args:
        spec: the arm.
        manifest: of the policy; gives the observation fields, the action parts and the plant.
        servo_period_s: time between two set-points [s].
        follows_width: whether the arm's gripper follows a width in every servo period, as a
            simulated one does; False for one that carries out one motion at a time.

    Attributes:
        names: observation fields of the policy, in order.
        objects: names of the objects that the policy observes.
        actions: scale and bounds of the policy's actions.
        shaping: gains of the set-point shaper.

    Raises:
        UnsupportedPolicyError: the robot lacks an observation field or an action of the policy, or
            the manifest contradicts the robot (``policy_support``).
    """

    def __init__(
        self,
        spec: ArmSpec,
        manifest: PolicyManifest,
        servo_period_s: float,
        *,
        follows_width: bool = True,
    ) -> None:
        check_supported(spec, manifest)
        self.names = manifest.observation_names
        self.objects = observed_objects(self.names)
        self.actions = ActionConfig(
            displacement=displacement_scale(manifest, ActionConfig.displacement),
            max_setpoint_error=manifest.arm_plant.max_setpoint_error_m,
            workspace_low=manifest.arm_plant.workspace_low_m,
            workspace_high=manifest.arm_plant.workspace_high_m,
            origin=manifest.arm_plant.displacement_origin,
        )
        self._spec = spec
        part = gripper_part(manifest)
        names = [each.name for each in manifest.action]
        before = [] if part is None else manifest.action[: names.index(part.name)]
        self._gripper_entry = sum(each.size for each in before)
        self._action_size = manifest.action_size
        self._gripper = make_drive(part, spec, servo_period_s, follows=follows_width)
        self._base = np.array(self.actions.base_position)
        self._decoder = ActionDecoder(self.actions, spec)
        self._drive = make_arm_drive(manifest, self._decoder)
        self.shaping = ShaperConfig(limit_share=manifest.arm_plant.velocity_limit_share)
        self._shaper = SetpointShaper(spec, servo_period_s, self.shaping)
        self._setpoint = Setpoint(np.zeros((1, spec.dof)))
        self._goal = JointGoal(position=np.zeros((1, spec.dof)))
        self._holding = True
        self._located: tuple[ArmState, EndEffectors] | None = None
        self.command_gripper(None, grasp=False)

    def reset(self, state: ArmState) -> None:
        """Puts the set-point on the measured joints, at rest, and frees the gripper."""
        self._setpoint = Setpoint(state.joint_position[None].copy())
        self._holding = True
        self._located = None
        self.command_gripper(None, grasp=False)
        if self._gripper is not None:
            self._gripper.reset(state.gripper_width)

    @property
    def setpoint(self) -> Array:
        """The current shaped joint set-point, ``(dof,)`` [rad]."""
        return self._setpoint.position[0]

    @property
    def setpoint_velocity(self) -> Array:
        """Its velocity, ``(dof,)`` [rad/s]."""
        return self._setpoint.velocity[0]

    def world(self, state: ArmState) -> WorldState:
        """Returns the measured world as a batch of one, with the objects that the policy observes.

        Raises:
            ObjectUnseenError: an object that the policy observes is not reported.
        """
        ends = self.end_effectors(state)
        return WorldState(
            joint_position=state.joint_position[None],
            joint_velocity=state.joint_velocity[None],
            end_effector_position=ends.measured,
            end_effector_velocity=ends.measured_velocity,
            setpoint_position=ends.setpoint,
            setpoint_velocity=ends.setpoint_velocity,
            gripper_width=np.array([[state.gripper_width]]),
            objects={name: _pose_of(name, state) for name in self.objects},
            kinematics=self._spec.kinematics,
        )

    def end_effectors(self, state: ArmState) -> EndEffectors:
        """Returns the end effectors of the measured joints and of the set-point."""
        if self._located is None or self._located[0] is not state:
            ends = end_effector_state(
                self._spec,
                state.joint_position[None],
                state.joint_velocity[None],
                self._setpoint.position,
                self._setpoint.velocity,
                self._base,
            )
            self._located = (state, ends)
        return self._located[1]

    def measured_end_effector(self, state: ArmState) -> tuple[Array, Array]:
        """Returns measured position [m] and velocity [m/s] of the end effector, ``(3,)``, world."""
        point, velocity = self._spec.kinematics.forward_point_with_velocity(
            state.joint_position.tolist(), state.joint_velocity.tolist()
        )
        return self._base + point, np.array(velocity)

    def observation(self, state: ArmState) -> Array:
        """Returns the policy's raw observation ``(O,)``.

        Raises:
            ObjectUnseenError: an object that the policy observes is not reported.
        """
        return observe(self.names, self.world(state))[0]

    def applied_action(self, action: Array, state: ArmState) -> Array | None:
        """Returns the executed part of ``action`` ``(A,)``, or None if all of it is executed.

        While a command controls the gripper, the policy's action on it has no effect; its place
        takes the action that names the present width.
        """
        if self._gripper is None or self._policy_has_gripper:
            return None
        applied = np.array(action, np.float64)
        applied[self._gripper_entry] = self._gripper.applied(state.gripper_width)
        return applied

    def resting_action(self, state: ArmState) -> Array:
        """Returns the action ``(A,)`` in [-1, 1] by which the arm stays, and the gripper, too."""
        action = np.zeros(self._action_size)
        self._drive.write_resting(action, self._situation(state))
        if self._gripper is not None:
            action[self._gripper_entry] = self._gripper.applied(state.gripper_width)
        return action

    def apply_action(self, action: Array, state: ArmState) -> None:
        """Sets the joint goal, and drives the gripper, by a policy's action ``(A,)`` in [-1, 1].

        A gripper that a command controls (:meth:`command_gripper`) is not changed.
        """
        action = np.asarray(action, np.float64)
        self._holding = False
        self._goal = self._drive.goal(action, self._situation(state))
        if self._gripper is not None and self._policy_has_gripper:
            self._gripper.act(float(action[self._gripper_entry]), state.gripper_width)

    def _situation(self, state: ArmState) -> Situation:
        return Situation(
            joint_position=state.joint_position[None],
            setpoint=self._setpoint.position,
            ends=self.end_effectors(state),
        )

    def apply_joint_goal(self, joint_position: Array, state: ArmState) -> None:
        """Sets the joint goal itself, ``(dof,)`` [rad]."""
        self._hold_gripper(state)
        self._holding = False
        self._goal = JointGoal(position=np.array(joint_position, np.float64)[None])

    def apply_end_effector_goal(self, position: Array, state: ArmState) -> None:
        """Moves the goal one control step towards ``position`` ``(3,)``, world frame [m].

        If called in every servo period, the goal stays one step ahead of the set-point, which then
        moves at the shaper's speed for that distance.
        """
        goal = np.asarray(position, np.float64)[None]
        self._hold_gripper(state)
        self._holding = False
        towards = self._decoder.step_towards(
            goal, self._setpoint.position, self.end_effectors(state)
        )
        self._goal = JointGoal(position=towards)

    def command_gripper(self, width: float | None, *, grasp: bool) -> None:
        """Sets the gripper width [m]; None without ``grasp`` returns the gripper to the policy."""
        self._gripper_command = GripperCommand(width, grasp)
        if self._gripper is not None:
            self._gripper.interrupt(self._gripper_command)

    @property
    def _policy_has_gripper(self) -> bool:
        return self._gripper_command == UNCHANGED

    def hold(self, state: ArmState) -> None:
        """Brakes as fast as the shaper allows, and holds that position; the gripper stays."""
        self._hold_gripper(state)
        self._holding = True

    def _hold_gripper(self, state: ArmState) -> None:
        """Ends a motion of the gripper that the policy began."""
        if self._gripper is not None:
            self._gripper.hold(state.gripper_width)

    def sync_to(self, target: JointTarget) -> None:
        """Continues from ``target``, which the governor sent instead of the last set-point."""
        self._setpoint.position = target.position[None].copy()
        self._setpoint.velocity = target.velocity[None].copy()
        self._setpoint.acceleration = target.acceleration[None].copy()
        self._located = None

    def step(self) -> JointTarget:
        """Returns the shaped set-point for the coming servo period."""
        if self._holding:
            self._shaper.brake(self._setpoint)
        elif self._goal.velocity is not None:
            self._shaper.follow(self._setpoint, self._goal.velocity)
        elif self._goal.position is not None:
            self._shaper.step(self._setpoint, self._goal.position)
        self._located = None
        drive = self._gripper if self._policy_has_gripper else None
        width, grasp = self._gripper_command if drive is None else drive.step()
        return JointTarget(
            position=self._setpoint.position[0],
            velocity=self._setpoint.velocity[0],
            acceleration=self._setpoint.acceleration[0],
            gripper_width=width,
            grasp=grasp,
        )


def _pose_of(name: str, state: ArmState) -> Pose:
    """Returns the pose of an object as a batch of one."""
    pose = state.objects.get(name)
    if pose is None:
        seen = ", ".join(state.objects) or "none"
        raise ObjectUnseenError(
            f"the policy needs the pose of {name!r}, but the objects seen are: {seen}"
        )
    return Pose(
        position=pose.position[None],
        quaternion=canonical_sign(pose.quaternion[None]),
        velocity=pose.velocity[None],
        angular_velocity=pose.angular_velocity[None],
    )
