"""A control box in real time whose cube a benchmark places and sees, in a process of its own.

A client of a control box neither sees the cube nor moves it. The benchmark needs both, so that an
episode begins like those of the simulations, and its result is the true one. Both sides share
memory: the box writes the truth of each millisecond, the benchmark writes the next placement.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from struct import Struct
from typing import NamedTuple

import numpy as np

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_proto.shared_memory.seqlock import Seqlock
from skill_robots.arm import Pose
from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.loop import RealTimeLoop
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.specs import PANDA
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread

BYTES = 1024
"""Length of each of the two records' memories."""

START_S = 20.0
"""Longest wait for the box [s]."""

_TRUTH = Struct("<qq3d4d3d3d3dd")
_PLACEMENT = Struct("<q5d")


class Truth(NamedTuple):
    """The scene at one instant."""

    placement: int
    """Number of the newest placement that was carried out."""
    reflexes: int
    """Times that the robot has stopped by itself."""
    cube: Pose
    force: tuple[float, float, float]
    """External force that the robot estimates, in its base frame [N]."""
    slip_s: float
    """Real time that the box has lost [s]."""


class BoxProcess:
    """A box that runs until :meth:`close`.

    Args:
        robot: the robot.
        address: loopback address.
    """

    def __init__(self, robot: FrankaRobot, address: str) -> None:
        self._memory = create_memory(2 * BYTES)
        memory = map_memory(self._memory)
        self._truth, self._placements = Seqlock(memory[:BYTES]), Seqlock(memory[BYTES:])
        self._number = 0
        self._address = address
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, robot, address, str(self._memory)],
            pass_fds=(self._memory,),
        )
        ends = time.monotonic() + START_S
        while self._truth.version == 0:
            if self._process.poll() is not None or time.monotonic() > ends:
                self.close()
                raise SystemExit(f"the control box of {robot} on {address} does not start")
            time.sleep(0.02)

    def truth(self) -> Truth:
        """Returns the newest truth.

        Raises:
            SystemExit: the box has ended while it wrote.
        """
        while (record := self._truth.read()) is None:
            self._check_alive()
        number, reflexes, *numbers, slip_s = _TRUTH.unpack(record)
        values = np.array(numbers)
        cube = Pose(
            position=values[:3],
            quaternion=values[3:7],
            velocity=values[7:10],
            angular_velocity=values[10:13],
        )
        return Truth(number, reflexes, cube, tuple(values[13:16].tolist()), slip_s)

    def place(self, x: float, y: float, yaw: float, mass: float, friction: float) -> None:
        """Puts a cube of this mass [kg] and friction on the table; returns when it is there.

        Raises:
            SystemExit: the box has ended.
        """
        self._number += 1
        self._placements.write(_PLACEMENT.pack(self._number, x, y, yaw, mass, friction))
        while self.truth().placement != self._number:
            self._check_alive()
            time.sleep(0.001)

    def _check_alive(self) -> None:
        if (code := self._process.poll()) is not None:
            raise SystemExit(f"the control box on {self._address} has ended with code {code}")

    def close(self) -> None:
        """Ends the box."""
        self._process.terminate()
        self._process.wait()
        os.close(self._memory)


class _Sharing:
    """Writes the truth and reads placements, between two cycles of the box."""

    def __init__(self, box: ControlBox, loop: RealTimeLoop, memory: memoryview) -> None:
        self._box, self._loop = box, loop
        self._truth, self._placements = Seqlock(memory[:BYTES]), Seqlock(memory[BYTES:])
        self._seen = 0
        self._number = 0

    def run(self) -> None:
        """Does the work of one cycle."""
        plant, state = self._box.robot.plant, self._box.robot.state
        version = self._placements.version
        if version != self._seen and (record := self._placements.read()) is not None:
            self._seen = version
            self._number, x, y, yaw, mass, friction = _PLACEMENT.unpack(record)
            plant.set_context(mass, friction)
            plant.place_cube(x, y, yaw)
        pose = plant.cube_pose()
        assert pose is not None  # the scene is the tabletop
        numbers = (pose.position, pose.quaternion, pose.velocity, pose.angular_velocity)
        self._truth.write(
            _TRUTH.pack(
                self._number,
                sum(self._box.reflexes.values()),
                *np.concatenate(numbers).tolist(),
                *state.o_f_ext_hat_k[:3].tolist(),
                self._loop.deadlines.slip_s,
            )
        )


def main(robot: FrankaRobot, address: str, descriptor: int) -> None:
    """Runs the box until SIGTERM."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = robot_config(robot, start=tuple(PANDA.neutral.tolist()))
    box = ControlBox(config, address)
    configure_thread(realtime=True)
    loop = RealTimeLoop(box)
    sharing = _Sharing(box, loop, map_memory(descriptor))
    with DeferredGc() as collector:

        def in_slack(now: float, slack_s: float) -> None:
            sharing.run()
            collector.collect_in_slack(now, slack_s)

        loop.run(lambda: bool(ended), in_slack)
    box.close()


if __name__ == "__main__":
    _, _robot, _address, _descriptor = sys.argv
    main("fr3" if _robot == "fr3" else "fer", _address, int(_descriptor))
