"""skill-ros2 and another ROS program, as processes in one environment of ROS."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = "from skill_runtime.cli import entry; entry.ros2()"

PEER = Path(__file__).with_name("peer_program.py")
CRISP = Path(__file__).with_name("crisp_program.py")

DEADLINE_S = 60.0

POSE, JOINTS = "geometry_msgs.msg.PoseStamped", "sensor_msgs.msg.JointState"
POINT, NUMBERS = "geometry_msgs.msg.PointStamped", "std_msgs.msg.Float64MultiArray"
DIAGNOSTICS = "diagnostic_msgs.msg.DiagnosticArray"


class RosPeer:
    """A ROS program in a process; each method is one of ``peer_program.Peer``."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PEER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def ask(self, do: str, **arguments: Any) -> Any:  # noqa: ANN401  any JSON
        """Performs one command, and returns its result."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def messages(self, topic: str) -> list[dict[str, Any]]:
        """Returns the messages since the last question."""
        return self.ask("messages", topic=topic)

    def message(
        self, topic: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Returns the first new message that meets the condition; fails the test after a while."""
        ends, last = time.monotonic() + DEADLINE_S, None
        while time.monotonic() < ends:
            for last in self.messages(topic):
                if wanted(last):
                    return last
            time.sleep(0.02)
        raise AssertionError(f"{topic} never as wanted; the last message was {last}")

    def call(self, service: str) -> dict[str, Any]:
        """Calls a service of type Trigger."""
        return self.ask("call", service=service)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def running_node(
    environment: dict[str, str], log: Path, *arguments: str
) -> Generator[subprocess.Popen[bytes]]:
    """Runs skill-ros2 with these arguments; its output goes to a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def pose(
    x: float, y: float, z: float, frame: str = "world", down: tuple[float, ...] = (0, 1, 0, 0)
) -> dict[str, Any]:
    """Returns the fields of a PoseStamped; the quaternion has w first."""
    turn = dict(zip("wxyz", map(float, down), strict=True))
    return {
        "header": {"frame_id": frame},
        "pose": {"position": {"x": x, "y": y, "z": z}, "orientation": turn},
    }


def statuses(message: dict[str, Any]) -> dict[str, tuple[int, str, dict[str, str]]]:
    """Returns level, message and values of each status of a DiagnosticArray, by its short name."""
    return {
        status["name"].removeprefix("skill_ros2: "): (
            status["level"],
            status["message"],
            {value["key"]: value["value"] for value in status["values"]},
        )
        for status in message["status"]
    }
