"""Asks a control box every question, and returns the answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed_version

from skill_robots.franka.handshake import server_version
from skill_runtime.doctor.control_box.client import PROTOCOLS, ControlBoxError, RobotClient
from skill_runtime.doctor.control_box.gripper import GRIPPER_TESTS
from skill_runtime.doctor.control_box.moving_tests import MOVING_TESTS
from skill_runtime.doctor.control_box.resting_tests import RESTING_TESTS
from skill_runtime.doctor.control_box.robot_test import Bench, Entry, RobotTest, run_tests
from skill_runtime.realtime.scheduling import configure_thread

FORMAT = 1
"""Version of the file."""


@dataclass(frozen=True, kw_only=True)
class RobotReport:
    """The answers of one control box."""

    version: int
    """Version of its protocol."""
    seconds_to_connect: float
    """From Connect with its own version to the reply [s]."""
    entries: Sequence[Entry]


def selected_tests(*, move: bool) -> tuple[RobotTest, ...]:
    """Returns the tests to run, those without motion first."""
    return RESTING_TESTS + GRIPPER_TESTS + (MOVING_TESTS if move else ())


def examine_robot(
    host: str,
    *,
    seconds: float,
    move: bool,
    cpu: int | None = None,
    on_start: Callable[[int], object],
    on_entry: Callable[[Entry], object],
) -> RobotReport:
    """Connects and runs the tests.

    Args:
        host: address of the control box.
        seconds: duration of the measurement of states [s].
        move: also run the tests with motions.
        cpu: the only processor to run on; None for any.
        on_start: called with the version of the robot's protocol.
        on_entry: called with each record.

    Raises:
        ArmError: no control box answers, or not with a version that is known here.
    """
    version = server_version(host)
    on_start(version)
    protocol = PROTOCOLS.get(version)
    if protocol is None:
        known = ", ".join(map(str, sorted(PROTOCOLS)))
        raise ControlBoxError(
            f"the robot at {host} has protocol version {version}; this program knows "
            f"{known}. Please report the version"
        )
    with RobotClient(host) as client:
        connected = client.connect(protocol.version)
        if connected.status != 0:
            raise ControlBoxError(
                f"the robot refuses its own version {protocol.version} with status "
                f"{connected.status}"
            )
        if move or cpu is not None:
            configure_thread(cpu=cpu, realtime=move)
        bench = Bench(host=host, client=client, protocol=protocol, seconds=seconds)
        entries = run_tests(bench, selected_tests(move=move), on_entry)
    return RobotReport(version=version, seconds_to_connect=connected.seconds, entries=entries)


def as_json(report: RobotReport) -> dict[str, object]:
    """Returns the report as a JSON object. It has no address and no name of the robot."""
    return {
        "format": FORMAT,
        "program": f"skill-serve {installed_version('skill-serve')}",
        "protocol_version": report.version,
        "seconds_to_connect": round(report.seconds_to_connect, 4),
        "tests": [asdict(entry) for entry in report.entries],
    }
