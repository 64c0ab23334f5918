"""A control box in real time, in a process of its own, whose cube a benchmark places and sees.

A client of a control box neither sees the cube nor moves it. A benchmark needs both, so that an
episode begins like those of the simulations, and so that its tracker and its result are exact. Both
sides share memory, which a cut network leaves alone: the box writes the truth, the benchmark writes
the next placement. :class:`BoxProcess` starts this module as a program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_proto.shared_memory.seqlock import Seqlock
from skill_robots.arm import Pose
from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.loop import RealTimeLoop
from skill_robots.franka.errors import ERROR_NAMES
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import PANDA
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread

MAX_SLIP_S = 0.02
"""A box that lost more real time than this makes a run inconclusive [s]."""

BYTES = 1024
"""Length of each of the two records' memories."""

START_S, END_S = 30.0, 10.0
"""Longest wait for the box, and for its end [s]."""

SILENT_S, POLL_S = 1.0, 0.001
"""A box is silent after this time without a new truth, and the interval of the checks [s]."""

COLUMNS = 17
"""Of the trace: time, mode, errors, positions and velocities of the joints."""

MAX_FORCE_N = 999
"""Larger forces count as this [N]."""

_REPORT, _TRACE = "report.json", "trace.npy"
_TRUTH = Struct("<q24d")
_PLACEMENT = Struct("<q5d")


class Truth(NamedTuple):
    """The scene at one instant."""

    placement: int
    """Number of the newest placement that was carried out."""
    cube: Pose
    """World frame; not a number without a cube."""
    force: tuple[float, float, float]
    """External force that the robot estimates, in its base frame [N]."""
    velocity: Array
    """Of the joints ``(7,)`` [rad/s]."""
    slip_s: float
    """Real time that the box has lost [s]."""


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
class _Settings:
    """Arguments of the program, passed as JSON; those of :class:`BoxProcess`."""

    robot: FrankaRobot
    address: str
    cube: bool
    low: bool
    truth_cycles: int
    trace_s: float
    parent: int
    """Process id of the benchmark."""
    descriptor: int
    """Of the shared memory."""
    folder: str
    """For report and trace."""


class BoxProcess:
    """A box that runs until :meth:`close` or the end of a ``with`` block.

    Args:
        robot: the robot.
        address: loopback address.
        cube: whether there is a cube; else the arm is alone.
        low: start low over the table, as in training; else at libfranka's usual pose.
        truth_cycles: cycles between two records of the truth.
        trace_s: longest time of which every millisecond is kept [s].

    Attributes:
        process: the process.
        address: loopback address.

    Raises:
        SystemExit: the box does not start.
    """

    def __init__(
        self,
        robot: FrankaRobot,
        address: str,
        *,
        cube: bool = True,
        low: bool = True,
        truth_cycles: int = 1,
        trace_s: float = 0.0,
    ) -> None:
        self.address = address
        self._folder = TemporaryDirectory()
        self._memory = create_memory(2 * BYTES)
        self._truth, self._placements = _records(self._memory)
        self._number = 0
        settings = _Settings(
            robot=robot,
            address=address,
            cube=cube,
            low=low,
            truth_cycles=truth_cycles,
            trace_s=trace_s,
            parent=os.getpid(),
            descriptor=self._memory,
            folder=self._folder.name,
        )
        command = [sys.executable, "-m", __name__, json.dumps(asdict(settings))]
        self.process = subprocess.Popen(command, pass_fds=(self._memory,))
        ends = time.monotonic() + START_S
        while self._truth.version == 0:
            if self.process.poll() is not None or time.monotonic() > ends:
                self.close()
                raise SystemExit(f"the control box of {robot} on {address} does not start")
            time.sleep(0.02)

    def __enter__(self) -> BoxProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def truth(self) -> Truth:
        """Returns the newest truth.

        Raises:
            SystemExit: the box has ended while it wrote.
        """
        while (record := self._truth.read()) is None:
            self._check_alive()
        number, *numbers = _TRUTH.unpack(record)
        values = np.array(numbers)
        cube = Pose(
            position=values[:3],
            quaternion=values[3:7],
            velocity=values[7:10],
            angular_velocity=values[10:13],
        )
        return Truth(number, cube, tuple(values[13:16].tolist()), values[16:23], numbers[23])

    def next_truth(self) -> Truth | None:
        """Waits for the next truth and returns it; None if the box is silent."""
        version, ends = self._truth.version, time.monotonic() + SILENT_S
        while self._truth.version == version:
            if time.monotonic() > ends:
                return None
            time.sleep(POLL_S)
        return self.truth()

    def place(self, x: float, y: float, yaw: float, mass: float, friction: float) -> None:
        """Puts a cube of this mass [kg] and friction on the table; returns when it is there.

        Raises:
            SystemExit: the box has ended.
        """
        self._number += 1
        self._placements.write(_PLACEMENT.pack(self._number, x, y, yaw, mass, friction))
        while self.truth().placement != self._number:
            self._check_alive()
            time.sleep(POLL_S)

    def _check_alive(self) -> None:
        if (code := self.process.poll()) is not None:
            raise SystemExit(f"the control box on {self.address} has ended with code {code}")

    def end(self) -> dict[str, object]:
        """Ends the box and returns its report; an empty one if it was killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(END_S)
        report = Path(self._folder.name) / _REPORT
        return json.loads(report.read_text()) if report.exists() else {}

    def trace(self) -> Trace:
        """Returns every millisecond of a box that has ended, one that was killed aside."""
        return Trace(np.load(Path(self._folder.name) / _TRACE))

    def close(self) -> None:
        """Ends the box and forgets its report and trace."""
        try:
            self.end()
        finally:
            os.close(self._memory)
            self._folder.cleanup()


def _records(descriptor: int) -> tuple[Seqlock, Seqlock]:
    """Returns the records of the truth and of the placements."""
    memory = map_memory(descriptor)
    return Seqlock(memory[:BYTES]), Seqlock(memory[BYTES:])


# The program ----------------------------------------------------------------------------------


class _Sharing:
    """Writes the truth, carries out placements and keeps the trace, between two cycles."""

    def __init__(self, box: ControlBox, loop: RealTimeLoop, settings: _Settings) -> None:
        self._box, self._loop = box, loop
        self._truth, self._placements = _records(settings.descriptor)
        self._truth_cycles = settings.truth_cycles
        self._cycle = self._seen = self._number = 0
        self._trace = np.empty((round(settings.trace_s * 1e3), COLUMNS))
        self._rows = 0
        self._forces = [0] * (MAX_FORCE_N + 1)
        self._torques = np.zeros(7)

    def step(self) -> None:
        """Does the work of one cycle."""
        self._cycle += 1
        state = self._box.robot.state
        if state.robot_mode == RobotMode.MOVE:
            force = float(np.abs(state.o_f_ext_hat_k[:3]).max())
            self._forces[min(int(force), MAX_FORCE_N)] += 1
            np.maximum(self._torques, np.abs(state.tau_ext_hat_filtered), out=self._torques)
        if self._rows < len(self._trace):
            self._keep(self._trace[self._rows])
        if self._cycle % self._truth_cycles == 0:
            self._carry_out()
            self._truth.write(self._record())

    def _keep(self, row: Array) -> None:
        state = self._box.robot.state
        row[0] = time.monotonic()
        row[1], row[2] = state.robot_mode, state.errors
        row[3:10], row[10:17] = state.q, state.dq
        self._rows += 1

    def _carry_out(self) -> None:
        """Carries out a new placement."""
        plant, version = self._box.robot.plant, self._placements.version
        if version != self._seen and (record := self._placements.read()) is not None:
            self._seen = version
            self._number, x, y, yaw, mass, friction = _PLACEMENT.unpack(record)
            plant.set_context(mass, friction)
            plant.place_cube(x, y, yaw)

    def _record(self) -> bytes:
        cube, state = self._box.robot.plant.cube_pose(), self._box.robot.state
        seen = (nan,) * 13
        if cube is not None:
            seen = (*cube.position, *cube.quaternion, *cube.velocity, *cube.angular_velocity)
        slip_s = self._loop.deadlines.slip_s
        return _TRUTH.pack(self._number, *seen, *state.o_f_ext_hat_k[:3], *state.dq, slip_s)

    def save(self, folder: Path) -> None:
        """Writes trace and report."""
        np.save(folder / _TRACE, self._trace[: self._rows])
        (folder / _REPORT).write_text(json.dumps({**self._loop.report(), **self._force_figures()}))

    def _force_figures(self) -> dict[str, object]:
        """Returns the external forces of all motions, which a threshold is compared with."""
        shares = np.cumsum(self._forces) / max(sum(self._forces), 1)
        return {
            "force_p99_n": int(np.searchsorted(shares, 0.99)) + 1,
            "force_p999_n": int(np.searchsorted(shares, 0.999)) + 1,
            "force_max_n": max((n for n, count in enumerate(self._forces) if count), default=0) + 1,
            "torque_max_nm": self._torques.round(1).tolist(),
        }


def main(settings: _Settings) -> None:
    """Runs the box until SIGTERM or the end of its parent, and writes its report."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    changes: dict[str, object] = {"scene": "tabletop" if settings.cube else "none"}
    if settings.low:
        changes["start"] = tuple(PANDA.neutral.tolist())
    box = ControlBox(robot_config(settings.robot, **changes), settings.address)
    configure_thread(realtime=True)
    loop = RealTimeLoop(box)
    sharing = _Sharing(box, loop, settings)
    with DeferredGc() as collector:

        def in_slack(now: float, slack_s: float) -> None:
            sharing.step()
            collector.collect_in_slack(now, slack_s)

        # A benchmark that is killed must not leave a box on its address.
        loop.run(lambda: bool(ended) or os.getppid() != settings.parent, in_slack)
    box.close()
    sharing.save(Path(settings.folder))


if __name__ == "__main__":
    main(_Settings(**json.loads(sys.argv[1])))
