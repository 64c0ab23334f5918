"""The node from its start to its end: threads, signals, and the release of the lease."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

from skill_runtime.client import SkillClient
from skill_runtime.ros2.log import Log
from skill_runtime.ros2.node import NAME, Interface, declare_parameters
from skill_runtime.ros2.outputs import Outputs
from skill_runtime.ros2.ros import (
    ExternalShutdownException,
    MultiThreadedExecutor,
    Node,
    SignalHandlerOptions,
    rclpy,
)
from skill_runtime.ros2.status import Status
from skill_runtime.ros2.steering import Steering
from skill_runtime.ros2.watching import Watching

THREADS = 4
"""Callbacks at a time: targets, a stop, another service, the diagnostics."""

JOIN_S = 5.0
"""Longest wait for a thread at the end [s]; each waits at most for one call of a client."""


class RosError(Exception):
    """ROS cannot start, for example because of its arguments."""


def run(ros_arguments: Sequence[str], make_client: Callable[[], SkillClient], address: str) -> None:
    """Runs the node until Ctrl-C, SIGTERM, or the shutdown of ROS.

    Args:
        ros_arguments: Arguments for ROS, which begin with ``--ros-args``; may be empty.
        make_client: Makes a client of the server.
        address: Address of the server, by which the diagnostics name the arm.

    Raises:
        RosError: ROS cannot start.
        ParameterError: A parameter cannot be used.
    """
    try:
        # Signals are handled here: the lease is released before ROS is shut down.
        rclpy.init(args=list(ros_arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise RosError(f"ROS does not start: {error}") from None
    try:
        node = rclpy.create_node(NAME)
        try:
            _run(node, make_client, address)
        finally:
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def _run(node: Node, make_client: Callable[[], SkillClient], address: str) -> None:
    parameters = declare_parameters(node)
    log = Log(node.get_logger())
    status = Status(log.say)
    steering = Steering(make_client, parameters, status)
    watching = Watching(make_client, Outputs(node, parameters), status)
    Interface(node, parameters, steering, status, make_client, watching.stop, log, address)
    executor = MultiThreadedExecutor(num_threads=THREADS)
    executor.add_node(node)
    ending = Ending()
    steer = ending.thread("steering", steering.run)
    watch = ending.thread("watching", watching.run)
    spin = ending.thread("executor", lambda: _spin(executor))
    try:
        for thread in (steer, watch, spin):
            thread.start()
        ending.wait()
    finally:
        steering.end()  # first: it releases the lease
        steer.join(JOIN_S)
        watching.end()
        watch.join(JOIN_S)
        executor.shutdown()
        spin.join(JOIN_S)
    ending.raise_failure()


def _spin(executor: MultiThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


class Ending:
    """The end of the node: a signal, or the end of one of its threads."""

    def __init__(self) -> None:
        # A signal handler may call the queue's put() at any moment, but not an Event's set().
        self._ended: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ended.put(None)

    def wait(self) -> None:
        """Waits for the end."""
        self._ended.get()

    def thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Returns a thread whose end is the end of the node."""

        def run() -> None:
            try:
                work()
            except BaseException as error:
                self._failure = self._failure or error
            finally:
                self._ended.put(None)

        return threading.Thread(target=run, name=name, daemon=True)

    def raise_failure(self) -> None:
        """Raises the error that ended a thread, if there was one."""
        if self._failure is not None:
            raise self._failure
