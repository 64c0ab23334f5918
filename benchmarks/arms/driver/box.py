"""The simulated control box as a process, with a second channel for its cube.

    python -m benchmarks.arms.driver.box SETTINGS

The box is that of skill-control-box. In place of a camera it sends the cube's pose by UDP, and in
place of a hand that puts the cube back it takes a new place, mass and friction. ``SETTINGS`` is
JSON; :class:`BoxProcess` starts the program and talks to it.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.loop import RealTimeLoop
from skill_robots.franka.specs import PANDA
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread

Robot = Literal["fer", "fr3"]

POSE_CYCLES = 10
"""Cycles between two poses: 100 poses a second."""

READY_S = 30.0
"""Longest wait for the first pose [s]."""

_POSE = struct.Struct("<17d")
_SCENE = struct.Struct("<5d")


class Sight(NamedTuple):
    """One view of the scene."""

    cube: Pose
    """World frame."""
    force: Array
    """External force at the end effector, as the robot reports it ``(3,)`` [N]."""
    time_s: float
    """The robot's time."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Place of the cube in the world frame, and its context."""

    x: float
    """[m]."""
    y: float
    """[m]."""
    yaw: float = 0.0
    """[rad]."""
    mass: float = 0.8
    """[kg]."""
    friction: float = 0.4
    """Of cube and table."""


class BoxProcess:
    """A box that runs; made by :func:`running_box`.

    Attributes:
        process: the process.
        robot: its type.
        address: its IP address.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        robot: Robot,
        address: str,
        report_file: Path,
        port: int,
    ) -> None:
        self.process = process
        self.robot: Robot = robot
        self.address = address
        self._report_file = report_file
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(1.0)

    def place(self, scene: Scene) -> None:
        """Puts the cube at a place, at rest."""
        numbers = (scene.x, scene.y, scene.yaw, scene.mass, scene.friction)
        self._socket.send(_SCENE.pack(*numbers))

    def sight(self) -> Sight | None:
        """Returns the newest view; waits for one if there is none. None if the box is silent."""
        data = b""
        try:
            data = self._socket.recv(256)
            self._socket.setblocking(False)
            while True:
                data = self._socket.recv(256)
        except (BlockingIOError, TimeoutError, ConnectionRefusedError):
            pass
        finally:
            self._socket.settimeout(1.0)
        if not data:
            return None
        numbers = np.array(_POSE.unpack(data))
        cube = Pose(
            position=numbers[:3],
            quaternion=numbers[3:7],
            velocity=numbers[7:10],
            angular_velocity=numbers[10:13],
        )
        return Sight(cube, numbers[13:16], float(numbers[16]))

    def end(self) -> dict[str, object]:
        """Ends the box and returns its report; an empty one if it was killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(10.0)
        text = self._report_file.read_text() if self._report_file.exists() else "{}"
        return json.loads(text)


@contextmanager
def running_box(
    robot: Robot, address: str, *, low: bool = True, scene: Scene | None = None
) -> Generator[BoxProcess]:
    """Runs a box.

    Args:
        robot: its type.
        address: loopback address.
        low: start low over the table, as in training; else at libfranka's usual pose.
        scene: the cube; None for the arm alone.
    """
    with tempfile.TemporaryDirectory() as folder, _free_port() as port:
        report = Path(folder) / "report.json"
        settings = {
            "robot": robot,
            "address": address,
            "low": low,
            "cube": scene is not None,
            "port": port,
            "report": str(report),
        }
        command = [sys.executable, "-m", "benchmarks.arms.driver.box", json.dumps(settings)]
        process = subprocess.Popen(command)
        box = BoxProcess(process, robot, address, report, port)
        try:
            if scene is not None:
                _place_first(box, scene)
            yield box
        finally:
            box.end()


def _place_first(box: BoxProcess, scene: Scene) -> None:
    """Waits until the box listens."""
    ends = time.monotonic() + READY_S
    while box.process.poll() is None and time.monotonic() < ends:
        try:
            box.place(scene)
        except ConnectionRefusedError:
            time.sleep(0.1)
            continue
        if box.sight() is not None:
            return
    raise RuntimeError("the control box does not start; see its messages")


@contextmanager
def _free_port() -> Generator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield port


# The process ----------------------------------------------------------------------------------


class Channel:
    """Sends views of the scene, and carries out new scenes."""

    def __init__(self, box: ControlBox, port: int) -> None:
        self._box = box
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._watcher: tuple[str, int] | None = None
        self._cycle = 0

    def step(self) -> None:
        """Runs once a cycle."""
        self._cycle += 1
        if self._cycle % POSE_CYCLES:
            return
        try:
            data, self._watcher = self._socket.recvfrom(256)
        except OSError:  # no message, or the watcher has gone
            pass
        else:
            x, y, yaw, mass, friction = _SCENE.unpack(data)
            plant = self._box.robot.plant
            plant.set_context(mass, friction)
            plant.place_cube(x, y, yaw)
        if self._watcher is not None:
            self._send(self._watcher)

    def _send(self, watcher: tuple[str, int]) -> None:
        cube, state = self._box.robot.plant.cube_pose(), self._box.robot.state
        if cube is None:
            return
        self._socket.sendto(
            _POSE.pack(
                *cube.position,
                *cube.quaternion,
                *cube.velocity,
                *cube.angular_velocity,
                *state.o_f_ext_hat_k[:3],
                state.message_id * 1e-3,
            ),
            watcher,
        )


def main() -> None:
    """Runs a box until SIGTERM, and writes its report."""
    settings = json.loads(sys.argv[1])
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    changes: dict[str, object] = {"scene": "tabletop" if settings["cube"] else "none"}
    if settings["low"]:
        changes["start"] = tuple(PANDA.neutral.tolist())
    box = ControlBox(robot_config(settings["robot"], **changes), settings["address"])
    configure_thread(realtime=True)
    loop, channel = RealTimeLoop(box), Channel(box, settings["port"])
    with DeferredGc() as collector:

        def in_slack(now: float, slack_s: float) -> None:
            channel.step()
            collector.collect_in_slack(now, slack_s)

        loop.run(lambda: bool(ended), in_slack)
    box.close()
    Path(settings["report"]).write_text(json.dumps(loop.report()))


if __name__ == "__main__":
    main()
