"""The simulated control box as a process, with a second channel for its cube.

    python -m benchmarks.arms.driver.box SETTINGS

The box is that of skill-control-box. In place of a camera it sends what an observer sees, and in
place of a hand that puts the cube back it takes a new place, mass and friction. Both cross a Unix
socket, which a cut network leaves alone. ``SETTINGS`` is JSON; :func:`running_box` starts the
program.
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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.loop import RealTimeLoop
from skill_robots.franka.errors import ERROR_NAMES
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import PANDA
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread

Robot = Literal["fer", "fr3"]

CAMERA_CYCLES = 10
"""Cycles between two views of a camera: 100 a second."""

REPORT, TRACE = "report.json", "trace.npy"

COLUMNS = 17
"""Of the trace: time, mode, errors, positions and velocities of the joints."""

MAX_FORCE_N = 999
"""Larger forces count as this [N]."""

READY_S = 30.0
"""Longest wait for the first pose [s]."""

_SIGHT = struct.Struct("<23d")
_SCENE = struct.Struct("<5d")
_EYE, _BOX = "eye", "box"
"""Names of the two sockets."""


class Sight(NamedTuple):
    """View of an observer."""

    cube: Pose
    """World frame; not a number without a cube."""
    force: Array
    """External force at the end effector, as the robot reports it ``(3,)`` [N]."""
    velocity: Array
    """Of the joints ``(7,)`` [rad/s]."""


class Trace:
    """Every millisecond of a robot.

    Args:
        rows: ``(n, COLUMNS)``.

    Attributes:
        time_s: of the machine's monotonic clock, ``(n,)`` [s].
        mode: of the robot, ``(n,)``.
        velocity: of the joints, ``(n, 7)`` [rad/s].
    """

    def __init__(self, rows: Array) -> None:
        self.time_s, self.mode, self._errors = rows[:, 0], rows[:, 1].astype(int), rows[:, 2]
        self.velocity = rows[:, 10:17]

    def errors(self, row: int) -> tuple[str, ...]:
        """Returns the robot's errors in a millisecond."""
        mask = int(self._errors[row])
        return tuple(name for bit, name in enumerate(ERROR_NAMES) if mask >> bit & 1)


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
        self, process: subprocess.Popen[bytes], robot: Robot, address: str, folder: Path
    ) -> None:
        self.process = process
        self.robot: Robot = robot
        self.address = address
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / _EYE))
        self._socket.settimeout(1.0)

    def place(self, scene: Scene) -> None:
        """Puts the cube at a place, at rest."""
        numbers = (scene.x, scene.y, scene.yaw, scene.mass, scene.friction)
        self._socket.sendto(_SCENE.pack(*numbers), str(self._folder / _BOX))

    def sight(self) -> Sight | None:
        """Returns the newest view; waits up to 1 s for one. None if the box is silent."""
        data = b""
        try:
            data = self._socket.recv(512)
            self._socket.setblocking(False)
            while True:
                data = self._socket.recv(512)
        except (BlockingIOError, TimeoutError):
            pass
        finally:
            self._socket.settimeout(1.0)
        return _sight_of(np.array(_SIGHT.unpack(data))) if data else None

    def trace(self) -> Trace:
        """Returns every millisecond of a box that has ended, one that was killed aside."""
        return Trace(np.load(self._folder / TRACE))

    def end(self) -> dict[str, object]:
        """Ends the box and returns its report; an empty one if it was killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(10.0)
        report = self._folder / REPORT
        return json.loads(report.read_text()) if report.exists() else {}


def _sight_of(numbers: Array) -> Sight:
    cube = Pose(
        position=numbers[:3],
        quaternion=numbers[3:7],
        velocity=numbers[7:10],
        angular_velocity=numbers[10:13],
    )
    return Sight(cube, numbers[13:16], numbers[16:23])


@contextmanager
def running_box(
    robot: Robot,
    address: str,
    *,
    low: bool = True,
    scene: Scene | None = None,
    trace_s: float = 0.0,
) -> Generator[BoxProcess]:
    """Runs a box.

    Args:
        robot: its type.
        address: loopback address.
        low: start low over the table, as in training; else at libfranka's usual pose.
        scene: the cube; None for the arm alone.
        trace_s: longest time of which every millisecond is kept [s].
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {
            "robot": robot,
            "address": address,
            "low": low,
            "cube": scene is not None,
            "folder": name,
            "trace_s": trace_s,
        }
        command = [sys.executable, "-m", "benchmarks.arms.driver.box", json.dumps(settings)]
        box = BoxProcess(subprocess.Popen(command), robot, address, folder)
        try:
            _wait_until_it_runs(box)
            if scene is not None:
                box.place(scene)
            yield box
        finally:
            box.end()


def _wait_until_it_runs(box: BoxProcess) -> None:
    ends = time.monotonic() + READY_S
    while box.process.poll() is None and time.monotonic() < ends:
        if box.sight() is not None:
            return
    raise RuntimeError("the control box does not start; see its messages")


# The process ----------------------------------------------------------------------------------


class Channel:
    """Sends views of the scene, carries out new scenes, and keeps the trace."""

    def __init__(self, box: ControlBox, folder: Path, trace_s: float) -> None:
        self._box = box
        self._eye = str(folder / _EYE)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / _BOX))
        self._socket.setblocking(False)
        self._cycle = 0
        self._trace = np.empty((round(trace_s * 1e3), COLUMNS))
        self._rows = 0
        self._forces = [0] * (MAX_FORCE_N + 1)
        self._torques = np.zeros(7)

    def step(self) -> None:
        """Runs once a cycle."""
        self._cycle += 1
        state = self._box.robot.state
        if state.robot_mode == RobotMode.MOVE:
            force = float(np.abs(state.o_f_ext_hat_k[:3]).max())
            self._forces[min(int(force), MAX_FORCE_N)] += 1
            np.maximum(self._torques, np.abs(state.tau_ext_hat_filtered), out=self._torques)
        if self._rows < len(self._trace):
            self._keep(self._trace[self._rows])
        if self._cycle % CAMERA_CYCLES:
            return
        with suppress(BlockingIOError):
            x, y, yaw, mass, friction = _SCENE.unpack(self._socket.recv(64))
            plant = self._box.robot.plant
            plant.set_context(mass, friction)
            plant.place_cube(x, y, yaw)
        with suppress(OSError):  # the observer is slow, or has gone
            self._socket.sendto(self._view(), self._eye)

    def save(self, file: Path) -> None:
        """Writes the trace."""
        np.save(file, self._trace[: self._rows])

    def forces(self) -> dict[str, object]:
        """Returns the external forces of all motions, which a threshold is compared with."""
        shares = np.cumsum(self._forces) / max(sum(self._forces), 1)
        return {
            "force_p99_n": int(np.searchsorted(shares, 0.99)) + 1,
            "force_p999_n": int(np.searchsorted(shares, 0.999)) + 1,
            "force_max_n": max((n for n, count in enumerate(self._forces) if count), default=0) + 1,
            "torque_max_nm": self._torques.round(1).tolist(),
        }

    def _keep(self, row: Array) -> None:
        state = self._box.robot.state
        row[0] = time.monotonic()
        row[1], row[2] = state.robot_mode, state.errors
        row[3:10], row[10:17] = state.q, state.dq
        self._rows += 1

    def _view(self) -> bytes:
        cube, state = self._box.robot.plant.cube_pose(), self._box.robot.state
        seen = (nan,) * 13
        if cube is not None:
            seen = (*cube.position, *cube.quaternion, *cube.velocity, *cube.angular_velocity)
        return _SIGHT.pack(*seen, *state.o_f_ext_hat_k[:3], *state.dq)


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
    folder = Path(settings["folder"])
    loop, channel = RealTimeLoop(box), Channel(box, folder, settings["trace_s"])
    with DeferredGc() as collector:

        def in_slack(now: float, slack_s: float) -> None:
            channel.step()
            collector.collect_in_slack(now, slack_s)

        loop.run(lambda: bool(ended), in_slack)
    box.close()
    channel.save(folder / TRACE)
    (folder / REPORT).write_text(json.dumps({**loop.report(), **channel.forces()}))


if __name__ == "__main__":
    main()
