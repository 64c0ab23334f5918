"""Publishers of the arm's state: joints, end effector, objects, and TF where it is installed.

Every publisher of states is reliable with a queue of one message: a subscriber of either
reliability receives them, and a slow one the newest.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from skill_proto.messages import Telemetry, Welcome
from skill_robots.franka.kinematics import FrankaKinematics
from skill_robots.motion.action import ActionConfig
from skill_robots.rotations import quaternion_of
from skill_runtime.ros2.parameters import Ros2Parameters
from skill_runtime.ros2.ros import (
    DurabilityPolicy,
    HistoryPolicy,
    JointState,
    Node,
    PoseStamped,
    Publisher,
    QoSProfile,
    ReliabilityPolicy,
    Time,
    TransformStamped,
    find_tf_message,
)

NEWEST = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)

LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""A subscriber that comes later receives the last message, as TF expects of fixed frames."""

TF = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)

END_EFFECTOR_FRAME = "skill_end_effector"
"""Not the name of a link: robot_state_publisher publishes those, from ``joint_states``."""

UPRIGHT = (1.0, 0.0, 0.0, 0.0)


class Pose(NamedTuple):
    """A pose in the world frame."""

    position: tuple[float, ...]
    """``(3,)`` [m]."""
    quaternion: tuple[float, ...]
    """``(4,)``, w first."""
    age_s: float = 0.0


class Outputs:
    """Publishes telemetry.

    Args:
        node: The node.
        parameters: Parameters of the node.
    """

    def __init__(self, node: Node, parameters: Ros2Parameters) -> None:
        self._node = node
        self._parameters = parameters
        self._joint_names: list[str] = []
        self._kinematics = FrankaKinematics()
        self._joints = node.create_publisher(JointState, "joint_states", NEWEST)
        self._poses: dict[str, Publisher[PoseStamped]] = {}
        self._pose_publisher("current_pose")
        self._send_tf = self._tf("/tf", TF)
        self._send_fixed_tf = self._tf("/tf_static", LATCHED)

    def describe(self, welcome: Welcome) -> None:
        """Publishes what does not change while a server runs: the frame of the arm's base."""
        self._joint_names = list(welcome.joint_names)
        base = Pose(ActionConfig.base_position, UPRIGHT)
        self._send_fixed_tf({f"{welcome.robot}_link0": base})

    def publish(self, state: Telemetry) -> None:
        """Publishes a state; a part with a number that is not finite is left out."""
        position, velocity = finite(state.joint_position), finite(state.joint_velocity)
        poses: dict[str, Pose] = {}
        if position is not None and velocity is not None:
            message = JointState(name=self._joint_names, position=position, velocity=velocity)
            message.header.stamp = self._stamp()
            self._joints.publish(message)
            hand = finite(state.end_effector_position)
            if hand is not None:
                poses[END_EFFECTOR_FRAME] = Pose(hand, self._orientation(position))
                self._publish_pose("current_pose", poses[END_EFFECTOR_FRAME])
        for name, seen in state.objects.items():
            position, quaternion = finite(seen.position), finite(seen.quaternion)
            if position is not None and quaternion is not None:
                poses[name] = Pose(position, quaternion, seen.age_s or 0.0)
                self._publish_pose(f"objects/{topic_name(name)}", poses[name])
        self._send_tf(poses)

    def _orientation(self, joint_position: Sequence[float]) -> tuple[float, ...]:
        """Returns the quaternion of the end effector; base and world have the same axes."""
        rotation = self._kinematics.forward(np.array([joint_position])).rotation
        return tuple(float(entry) for entry in quaternion_of(rotation)[0])

    def _publish_pose(self, topic: str, pose: Pose) -> None:
        message = PoseStamped()
        message.header.frame_id = self._parameters.frame_id
        message.header.stamp = self._stamp(pose.age_s)
        at, turn = message.pose.position, message.pose.orientation
        at.x, at.y, at.z = pose.position
        turn.w, turn.x, turn.y, turn.z = pose.quaternion
        self._pose_publisher(topic).publish(message)

    def _pose_publisher(self, topic: str) -> Publisher[PoseStamped]:
        if topic not in self._poses:
            self._poses[topic] = self._node.create_publisher(PoseStamped, topic, NEWEST)
        return self._poses[topic]

    def _tf(self, topic: str, qos: QoSProfile) -> Callable[[dict[str, Pose]], None]:
        """Returns a function that publishes frames by name; without tf2_msgs it does nothing."""
        kind = find_tf_message()
        if kind is None or not self._parameters.publish_tf:
            return lambda _: None
        publisher = self._node.create_publisher(kind, topic, qos)
        return lambda poses: publisher.publish(
            kind(transforms=[self._transform(name, pose) for name, pose in poses.items()])
        )

    def _transform(self, name: str, pose: Pose) -> TransformStamped:
        message = TransformStamped()
        message.header.frame_id = self._parameters.frame_id
        message.header.stamp = self._stamp(pose.age_s)
        message.child_frame_id = f"{self._parameters.tf_prefix}{name}"
        at, turn = message.transform.translation, message.transform.rotation
        at.x, at.y, at.z = pose.position
        turn.w, turn.x, turn.y, turn.z = pose.quaternion
        return message

    def _stamp(self, age_s: float = 0.0) -> Time:
        now_ns = self._node.get_clock().now().nanoseconds
        seconds, rest = divmod(max(0, now_ns - round(1e9 * age_s)), 1_000_000_000)
        return Time(sec=seconds, nanosec=rest)


def finite(values: Sequence[float | None]) -> tuple[float, ...] | None:
    """Returns the values if all are finite numbers, else None."""
    known = tuple(value for value in values if value is not None and math.isfinite(value))
    return known if len(known) == len(values) else None


def topic_name(name: str) -> str:
    """Returns the name of an object as one token of a topic's name in ROS."""
    token = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return token if token[:1].isalpha() else f"object_{token}"
