"""All names that come from ROS, in one place; rclpy comes with ROS and is not on every machine.

``typings/`` has stubs of exactly these, so that types are checked where ROS is not installed.
"""

# pyright: reportMissingModuleSource=false

from __future__ import annotations

from typing import TYPE_CHECKING

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PointStamped, PoseStamped, TransformStamped
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

if TYPE_CHECKING:
    from tf2_msgs.msg import TFMessage


def find_tf_message() -> type[TFMessage] | None:
    """Returns the message of TF; None without tf2_msgs, which the wheels on PyPI lack."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


__all__ = [
    "Clock",
    "ClockType",
    "DiagnosticArray",
    "DiagnosticStatus",
    "DurabilityPolicy",
    "ExternalShutdownException",
    "Float64MultiArray",
    "HistoryPolicy",
    "JointState",
    "KeyValue",
    "MultiThreadedExecutor",
    "MutuallyExclusiveCallbackGroup",
    "Node",
    "ParameterDescriptor",
    "ParameterException",
    "PointStamped",
    "PoseStamped",
    "Publisher",
    "QoSProfile",
    "ReliabilityPolicy",
    "SignalHandlerOptions",
    "Time",
    "TransformStamped",
    "Trigger",
    "find_tf_message",
    "rclpy",
]
