"""Stubs of what skill_runtime.ros2 uses of ROS 2, so that it is checked where ROS is absent.

Sources: the API documentation of rclpy, and the message definitions of ROS 2 (Kilted).
"""

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

def init(
    *, args: Sequence[str] | None = None, signal_handler_options: SignalHandlerOptions | None = None
) -> object: ...
def create_node(node_name: str) -> Node: ...
def try_shutdown() -> None: ...
