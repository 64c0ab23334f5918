"""Another ROS program, at the command of a test: one JSON object a line in, and one out.

It runs in a process of its own, since a test's process has no ROS.
"""

# ruff: noqa: ANN401  messages of ROS have no types here

# pyright: reportMissingModuleSource=false

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile

CALL_S = 30.0


class Peer:
    """A node with publishers, subscriptions and clients that the commands ask for."""

    def __init__(self) -> None:
        rclpy.init()
        self.node: Any = rclpy.create_node("peer")
        self.publishers: dict[str, Any] = {}
        self.rivals: list[Any] = []
        self.clients: dict[str, Any] = {}
        self.received: dict[str, list[Any]] = {}
        self.streams: dict[str, tuple[dict[str, Any], float]] = {}
        self.executor: Any = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        for work in (self.executor.spin, self._publish_streams):
            threading.Thread(target=work, daemon=True).start()

    def subscribe(self, topic: str, kind: str, depth: int = 10, latched: bool = False) -> None:
        """Keeps the messages of a topic."""
        self.received[topic] = []
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        self.node.create_subscription(
            kind_of(kind),
            topic,
            self.received[topic].append,
            QoSProfile(depth=depth, durability=durability),
        )

    def messages(self, topic: str) -> list[Any]:
        """Returns the messages since the last question."""
        got = self.received[topic]
        count = len(got)
        messages, got[:count] = got[:count], []
        return [to_fields(message) for message in messages]

    def publish(self, topic: str, kind: str, fields: dict[str, Any], age_s: float = 0.0) -> None:
        """Publishes a message whose stamp, if it has one, is this old."""
        if topic not in self.publishers:
            self.publishers[topic] = self.node.create_publisher(kind_of(kind), topic, 10)
        message = kind_of(kind)()
        set_fields(message, fields)
        if hasattr(message, "header"):
            stamp_ns = self.node.get_clock().now().nanoseconds - round(1e9 * age_s)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
        self.publishers[topic].publish(message)

    def rival(self, topic: str, kind: str) -> None:
        """Adds a publisher that sends nothing, in place of another program."""
        self.rivals.append(self.node.create_publisher(kind_of(kind), topic, 10))

    def stream(self, rate_hz: float, **message: Any) -> None:
        """Publishes again and again, until :meth:`quiet`."""
        self.streams[message["topic"]] = message, 1.0 / rate_hz

    def quiet(self) -> None:
        """Ends all streams."""
        self.streams.clear()
        while self.rivals:
            self.node.destroy_publisher(self.rivals.pop())

    def call(self, service: str) -> dict[str, Any]:
        """Calls a service of type Trigger; ``seconds`` is the duration of the call itself."""
        kind = kind_of("std_srvs.srv.Trigger")
        if service not in self.clients:
            self.clients[service] = self.node.create_client(kind, service)
        if not self.clients[service].wait_for_service(CALL_S):
            return {"success": False, "message": "there is no such service", "seconds": 0.0}
        began = time.monotonic()
        reply = self.clients[service].call(kind.Request())
        seconds = time.monotonic() - began
        return {"success": reply.success, "message": reply.message, "seconds": seconds}

    def subscribers(self, topic: str) -> int:
        """Returns the number of subscribers of a topic."""
        return self.node.count_subscribers(topic)

    def _publish_streams(self) -> None:
        due: dict[str, float] = {}
        while True:
            now = time.monotonic()
            for topic, (message, period_s) in list(self.streams.items()):
                if now >= due.get(topic, 0.0):
                    due[topic] = now + period_s
                    self.publish(**message)
            time.sleep(0.002)


def kind_of(name: str) -> Any:
    """Returns the class of a message by its dotted name."""
    module, _, kind = name.rpartition(".")
    return getattr(importlib.import_module(module), kind)


def set_fields(message: Any, fields: dict[str, Any]) -> None:
    """Sets fields of a message, also nested ones."""
    for name, value in fields.items():
        if isinstance(value, dict):
            set_fields(getattr(message, name), value)
        else:
            setattr(message, name, value)


def to_fields(message: Any) -> Any:
    """Returns a message as JSON has it."""
    if hasattr(message, "get_fields_and_field_types"):
        names = message.get_fields_and_field_types()
        return {name: to_fields(getattr(message, name)) for name in names}
    if isinstance(message, bytes):
        return message[0]
    if isinstance(message, (str, bool, int, float)):
        return message
    return [to_fields(entry) for entry in message]


def main() -> None:
    """Performs one command a line, and prints its result."""
    peer = Peer()
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(peer, command.pop("do"))(**command)
        print(json.dumps(result), flush=True)
    peer.executor.shutdown()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
