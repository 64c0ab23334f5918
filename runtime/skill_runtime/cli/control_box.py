"""skill-control-box: a simulated Franka robot that unmodified libfranka clients connect to."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import tyro

from skill_robots.control_box.deadlines import PERIOD_S
from skill_runtime.cli.control_box_options import ControlBoxOptions, check_options
from skill_runtime.console.exit_codes import OK, USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.program import VERSION_HINT, print_error, run_program

if TYPE_CHECKING:
    from skill_robots.control_box.box import ControlBox, Snapshot
    from skill_robots.control_box.config import RobotConfig
    from skill_robots.control_box.loop import RealTimeLoop
    from skill_runtime.console.output_process import OutputProcess

# Other imports are local: '--help' and a mistyped flag answer at once.

STATUS_PERIOD_S = 1.0
"""Time between two status lines [s]; the real-time factor is of this time."""

_DESCRIPTION = (
    "Simulate a Franka robot with its control box: libfranka, franky, panda-py and skill-serve "
    "--arm franka connect to it as to a robot. SIGUSR1 presses the user stop, SIGUSR2 releases it "
    "(kill -USR1 PID; the PID is printed at the start). "
)


class Signals:
    """Signals of the user as flags that the loop reads.

    Attributes:
        ended: Whether Ctrl-C, SIGTERM or SIGHUP has asked for the end.
        user_stop: Whether SIGUSR1 has pressed the user stop, and SIGUSR2 not released it.
    """

    def __init__(self) -> None:
        self.ended = False
        self.user_stop = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._end)
        signal.signal(signal.SIGUSR1, self._press)
        signal.signal(signal.SIGUSR2, self._press)

    def _end(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.ended = True

    def _press(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.user_stop = number == signal.SIGUSR1


def main() -> None:
    """Runs the box until interrupted, and ends the program with its exit code."""
    arguments = tyro.cli(
        ControlBoxOptions, prog="skill-control-box", description=_DESCRIPTION + VERSION_HINT
    )
    try:
        check_options(arguments)
    except UsageError as error:
        _refuse(error)
    signals = Signals()
    from skill_runtime.console.logs import PACKAGES
    from skill_runtime.console.output_process import OutputProcess

    output = OutputProcess("skill-control-box", arguments.log_level)
    logging.getLogger().addHandler(output)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(output.level)
    try:
        _run(arguments, signals, output)
    finally:
        output.end()
    sys.exit(OK)


def _refuse(error: Exception) -> NoReturn:
    print_error("skill-control-box", error)
    sys.exit(USAGE)


def _run(arguments: ControlBoxOptions, signals: Signals, output: OutputProcess) -> None:
    from skill_robots.control_box.box import ControlBox
    from skill_robots.control_box.loop import RealTimeLoop
    from skill_robots.control_box.wire.request_server import AddressInUseError
    from skill_runtime.console.output_file import write_json
    from skill_runtime.realtime.scheduling import DeferredGc, configure_thread

    try:
        box = ControlBox(robot_configuration(arguments), arguments.address)
    except AddressInUseError as error:
        output.end()
        _refuse(error)
    grants = configure_thread(cpu=arguments.cpu, realtime=arguments.realtime)
    output.say(banner(arguments, [str(grant) for grant in grants]))
    loop = RealTimeLoop(box)
    run = _Run(arguments.seconds, signals, output, box, loop)
    try:
        with DeferredGc() as collector:

            def in_slack(now: float, slack_s: float) -> None:
                run.show_status(now)
                collector.collect_in_slack(now, slack_s)

            loop.run(run.has_ended, in_slack)
    finally:
        box.close()
    report = loop.report()
    output.say(summary(report))
    if arguments.json is not None:
        write_json(arguments.json, report)


class _Run:
    """The end and the status line of one run; both are called once a cycle."""

    def __init__(
        self,
        seconds: float | None,
        signals: Signals,
        output: OutputProcess,
        box: ControlBox,
        loop: RealTimeLoop,
    ) -> None:
        now = time.perf_counter()
        self._ends = None if seconds is None else now + seconds
        self._signals = signals
        self._output = output
        self._box = box
        self._loop = loop
        self._shown_at: float | None = None
        self._states = 0

    def has_ended(self) -> bool:
        """Passes the user stop to the box; returns whether the run has ended."""
        self._box.user_stop = self._signals.user_stop
        return self._signals.ended or (self._ends is not None and time.perf_counter() > self._ends)

    def show_status(self, now: float) -> None:
        """Shows the status line if it is due."""
        states = self._loop.times.states
        if self._shown_at is None:
            self._shown_at, self._states = now, states
        since = now - self._shown_at
        if since < STATUS_PERIOD_S:
            return
        factor = (states - self._states) * PERIOD_S / since
        self._shown_at, self._states = now, states
        self._output.show(status_line(factor, self._loop.deadlines.slip_s, self._box.snapshot()))


def robot_configuration(arguments: ControlBoxOptions) -> RobotConfig:
    """Returns the configuration of the robot."""
    from skill_robots.control_box.config import robot_config

    changes: dict[str, object] = {"scene": arguments.scene}
    if arguments.start == "low":
        from skill_robots.franka.specs import PANDA

        changes["start"] = tuple(PANDA.neutral.tolist())
    return robot_config(
        arguments.robot, mass=arguments.mass, friction=arguments.friction, **changes
    )


def banner(arguments: ControlBoxOptions, remarks: list[str]) -> str:
    """Describes the robot, its address, and the user stop."""
    from skill_robots.control_box.wire import protocol

    version = robot_configuration(arguments).protocol.version
    scene = (
        f"a table with a cube of {arguments.mass:g} kg, friction {arguments.friction:g}"
        if arguments.scene == "tabletop"
        else "the arm alone"
    )
    lines = [
        f"robot      {_NAMES[arguments.robot]}, protocol version {version}, gripper version "
        f"{protocol.GRIPPER_VERSION}",
        f"scene      {scene}",
        f"address    {arguments.address}, ports {protocol.ROBOT_PORT} (robot) and "
        f"{protocol.GRIPPER_PORT} (gripper)",
        f"user stop  kill -USR1 {os.getpid()} presses it, kill -USR2 {os.getpid()} releases it",
    ]
    return "\n".join([*lines, *(f"note       {remark}" for remark in remarks)])


def status_line(realtime_factor: float, slip_s: float, snapshot: Snapshot) -> str:
    """Returns the status: real-time factor, slip, clients, mode, success rate, last reflex."""
    moves = snapshot.mode.startswith("MOVE")
    rate = f"  answered {snapshot.success_rate:.2f}" if moves else ""
    return (
        f"real time {realtime_factor:.3f}  slip {slip_s:.3f} s  "
        f"client {snapshot.client or '-'}  gripper client {snapshot.gripper_client or '-'}  "
        f"{snapshot.mode}{rate}  last reflex {snapshot.last_reflex or '-'}"
    )


def summary(report: Mapping[str, object]) -> str:
    """Returns the figures of a whole run in a few lines."""
    share = report["answered_share"]
    answers = (
        "no motion was commanded"
        if share is None
        else f"{share} of {report['awaited']} states, {report['longest_miss']} missed in a row"
    )
    reflexes = report["reflexes"]
    assert isinstance(reflexes, dict)
    return "\n".join(
        [
            f"real time  {report['realtime_factor']} in {report['wall_s']} s, slip "
            f"{report['slip_s']} s, {report['cpu_share']} of a processor",
            f"gaps       {report['gap_p50_ms']} ms median, {report['gap_p99_ms']} ms p99, "
            f"{report['gap_max_ms']} ms longest",
            f"answers    {answers}",
            *(f"reflex     {names} ({count})" for names, count in reflexes.items()),
        ]
    )


_NAMES = {"fer": "Panda (FER)", "fr3": "Franka Research 3"}

if __name__ == "__main__":
    run_program("skill-control-box", main)
