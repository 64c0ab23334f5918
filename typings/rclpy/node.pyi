from collections.abc import Callable
from typing import TypeVar

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from std_srvs.srv import Trigger

M = TypeVar("M")

class Logger:
    def info(self, message: str) -> bool: ...
    def warning(self, message: str) -> bool: ...

class Parameter:
    @property
    def value(self) -> object: ...

class Subscription:
    @property
    def topic_name(self) -> str: ...

class Node:
    def get_logger(self) -> Logger: ...
    def get_fully_qualified_name(self) -> str: ...
    def get_clock(self) -> Clock: ...
    def declare_parameter(
        self, name: str, value: object, descriptor: ParameterDescriptor | None = None
    ) -> Parameter: ...
    def get_parameter(self, name: str) -> Parameter: ...
    def create_publisher(
        self, msg_type: type[M], topic: str, qos_profile: QoSProfile | int
    ) -> Publisher[M]: ...
    def create_subscription(
        self,
        msg_type: type[M],
        topic: str,
        callback: Callable[[M], None],
        qos_profile: QoSProfile | int,
    ) -> Subscription: ...
    def count_publishers(self, topic_name: str) -> int: ...
    def create_service(
        self,
        srv_type: type[Trigger],
        srv_name: str,
        callback: Callable[[Trigger.Request, Trigger.Response], Trigger.Response],
        *,
        callback_group: CallbackGroup | None = None,
    ) -> object: ...
    def create_timer(
        self,
        timer_period_sec: float,
        callback: Callable[[], None],
        callback_group: CallbackGroup | None = None,
        clock: Clock | None = None,
    ) -> object: ...
    def destroy_node(self) -> None: ...
