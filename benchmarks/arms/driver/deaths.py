"""A process dies or freezes, or the network is cut, while a robot moves at 0.8 rad/s.

    python -m benchmarks.arms.driver.deaths --json FILE

For each robot and event the program starts the simulated control box and skill-serve with a driver
on it, swings one joint, and causes the event at full speed. The box records every millisecond of
the robot: the highest deceleration over 10 ms, the time to rest, and a reflex with its time. The
telemetry of the server has the time of its fault. The network is cut in a network namespace of the
program's own (``unshare --net``, which needs root). A run in which the box lost more than 20 ms of
real time is inconclusive: repeat it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from benchmarks.arms.box_process import MAX_SLIP_S, BoxProcess, Trace
from benchmarks.arms.driver.server import Observer, serving
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_proto.messages import Telemetry
from skill_robots.franka.handshake import ROBOT_PORT
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_runtime.client import ClientError, SkillClient

ADDRESSES: dict[FrankaRobot, str] = {"fer": "127.14.2.5", "fr3": "127.14.2.10"}
SPECS = {"fer": PANDA, "fr3": FR3}

SPEED = 0.8
"""Of the joint at the event [rad/s]."""
TRIGGER = 0.76
"""The event comes when the joint is faster than this [rad/s]."""
SWINGS = {1: (-0.42, 0.42), 4: (-2.02, -1.66)}
"""Positions between which a joint swings [rad], inside the workspace of the policy. Joint 1 has the
largest inertia of all joints, joint 4 one of about 1 kg m2."""
SWING_S = 1.8
"""Time from one to the other [s]."""
REST = 0.01
"""A robot whose joints are slower is at rest, as for skill-serve [rad/s]."""
SLOW = 0.05
"""A robot whose joints are slower has only its compliance to settle [rad/s]."""
WINDOW_S = 0.010
"""Decelerations are means over this time [s]."""
AFTER_S = 2.0
"""Time that is observed after the event [s]."""

Target = Literal["controller", "driver", "box", "network"]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that goes wrong."""

    target: Target
    lasts_s: float | None = None
    """Duration of a freeze or a cut; None for a death."""


EVENTS: dict[str, Event] = {
    "server killed": Event(target="controller"),
    "server frozen 0.3 s": Event(target="controller", lasts_s=0.3),
    "driver killed": Event(target="driver"),
    "driver frozen 15 ms": Event(target="driver", lasts_s=0.015),
    "driver frozen 50 ms": Event(target="driver", lasts_s=0.05),
    "box killed": Event(target="box"),
    "network cut 1 s": Event(target="network", lasts_s=1.0),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    robots: Some[FrankaRobot] = ("fer", "fr3")
    """Which robots: fer through panda-python, fr3 through franky-control."""
    events: Some[str] = tuple(EVENTS)
    """Names of the events."""
    joints: Some[int] = (4, 1)
    """Which joint moves: 4 or 1."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its policy does not run."""
    json: Path | None = None
    """Results as JSON."""


class Swinging(Observer):
    """Swings a joint through the server, and keeps the telemetry."""

    def __init__(self, address: str, joint: int) -> None:
        self.states: list[Telemetry] = []
        self._joint = joint
        super().__init__(address, self.states.append)

    def work(self) -> None:
        """Swings the joint."""
        with SkillClient(self.address, name="swing") as client:
            goal = list(client.state().joint_position)
            while not self.ended.is_set():
                side = int(time.monotonic() / SWING_S) % 2
                goal[self._joint - 1] = SWINGS[self._joint][side]
                try:
                    client.servo_joint([value or 0.0 for value in goal])
                except ClientError:
                    with suppress(ClientError):
                        client.acquire("swing")
                time.sleep(0.05)


def run(robot: FrankaRobot, joint: int, name: str, model: Path) -> dict[str, object]:
    """Causes one event and returns its figures."""
    event = EVENTS[name]
    limit = SPECS[robot].velocity_limit[joint - 1] * ShaperConfig().limit_share
    options = ("--speed", f"{SPEED / limit:.4f}", "--no-demo")
    with BoxProcess(robot, ADDRESSES[robot], cube=False, truth_cycles=10, trace_s=120.0) as box:
        with serving(box, model, servo_rate_hz=200.0, options=options) as (server, address):
            swinging = Swinging(address, joint)
            processes = {**_processes(server.pid), "box": psutil.Process(box.process.pid)}
            _wait_until_fast(box, joint)
            at_s = time.monotonic()
            _cause(event, processes)
            time.sleep(AFTER_S)
            swinging.end()
        report = box.end()
        figures = _figures(box.trace(), at_s) if event.target != "box" else {}
    slip = report.get("slip_s", 0.0)
    assert isinstance(slip, float)
    return {
        "robot": robot,
        "joint": joint,
        "event": name,
        **figures,
        **_fault(swinging.states, at_s),
        "slip_s": slip,
        "conclusive": slip <= MAX_SLIP_S,
    }


def _wait_until_fast(box: BoxProcess, joint: int) -> None:
    """Waits until a joint has its full speed."""
    ends = time.monotonic() + 30.0
    while time.monotonic() < ends:
        truth = box.next_truth()
        if truth is not None and abs(truth.velocity[joint - 1]) > TRIGGER:
            return
    raise RuntimeError("the robot does not move; see the messages")


def _processes(server: int) -> dict[str, psutil.Process]:
    """Returns controller and driver of a server."""
    found: dict[str, psutil.Process] = {}
    for child in psutil.Process(server).children(recursive=True):
        with suppress(psutil.Error):
            words = child.cmdline()
            if "skill_runtime.processes.controller" in words:
                found["controller"] = child
            ports = {link.raddr.port for link in child.net_connections("tcp") if link.raddr}
            if "skill_robots.franka_driver" in words and ROBOT_PORT in ports:
                found["driver"] = child
    return found


def _cause(event: Event, processes: dict[str, psutil.Process]) -> None:
    if event.target == "network":
        _set_network(up=False)
        time.sleep(event.lasts_s or 0.0)
        _set_network(up=True)
        return
    process = processes[event.target]
    if event.lasts_s is None:
        process.send_signal(signal.SIGKILL)
        return
    process.send_signal(signal.SIGSTOP)
    time.sleep(event.lasts_s)
    process.send_signal(signal.SIGCONT)


def _set_network(*, up: bool) -> None:
    """Takes the only network interface of this namespace up or down (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        name = b"lo".ljust(16, b"\0")
        found = fcntl.ioctl(handle, _GET_FLAGS, name + bytes(24))
        flags = struct.unpack_from("<h", found, 16)[0]
        flags = flags | _UP if up else flags & ~_UP
        fcntl.ioctl(handle, _SET_FLAGS, name + struct.pack("<h22x", flags))


_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1


def _figures(trace: Trace, at_s: float) -> dict[str, object]:
    """Returns deceleration, time to rest, and the reflex after an event."""
    first = int(np.searchsorted(trace.time_s, at_s))
    time_s, velocity = trace.time_s[first:], trace.velocity[first:]
    span = round(WINDOW_S * 1e3)
    change = np.abs(velocity[span:] - velocity[:-span]).max(axis=1) / WINDOW_S
    errors = [trace.errors(first + row) for row in range(len(time_s))]
    reflex = next((row for row, names in enumerate(errors) if names), None)
    return {
        "deceleration_max": round(float(change[: round(1e3)].max()), 1),
        "slow_ms": _time_below(SLOW, time_s - at_s, velocity),
        "rest_ms": _time_below(REST, time_s - at_s, velocity),
        "reflex": None if reflex is None else ", ".join(errors[reflex]),
        "reflex_ms": None if reflex is None else round(1e3 * float(time_s[reflex] - at_s), 1),
    }


def _time_below(limit: float, after_s: Array, velocity: Array) -> int | None:
    """Returns the time from which all joints stay slower than a limit for a while [ms].

    Only the first second counts, since a motion may go on afterwards.
    """
    count = int(np.searchsorted(after_s, 1.0))
    fast = np.flatnonzero(np.abs(velocity[:count]).max(axis=1) >= limit)
    if len(fast) == 0 or fast[-1] + 1 >= count:
        return None
    return round(1e3 * float(after_s[fast[-1] + 1]))


def _fault(states: list[Telemetry], at_s: float) -> dict[str, object]:
    """Returns class, time and text of the first fault after an event."""
    offset = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    for state in states:
        after_s = state.time - offset - at_s
        if after_s > 0.0 and state.fault is not None:
            return {
                "fault": state.fault,
                "fault_ms": round(1e3 * after_s, 1),
                "text": state.last_event,
            }
    return {"fault": None, "fault_ms": None, "text": None}


COLUMNS = (
    *("robot", "joint", "event", "deceleration_max", "slow_ms", "rest_ms", "reflex", "reflex_ms"),
    *("fault", "fault_ms", "slip_s"),
)
HEADINGS = (
    *("robot", "joint", "event", "peak rad/s2", f"< {SLOW} rad/s ms", "rest ms", "reflex"),
    "reflex ms",
    *("fault", "fault ms", "slip s"),
)


def main(options: Options) -> None:
    """Runs the benchmark."""
    if "network cut 1 s" in options.events and "SKILL_OWN_NETWORK" not in os.environ:
        _enter_own_network()
    results = [
        run(robot, joint, name, options.model)
        for robot in options.robots
        for joint in options.joints
        for name in options.events
    ]
    rows = [
        ["" if result.get(c) is None else str(result[c]) for c in COLUMNS] for result in results
    ]
    print_table(HEADINGS, rows)
    write_json(options.json, {"events": results})
    if not all(result["conclusive"] for result in results):
        sys.exit("inconclusive: a control box lost more than 20 ms of real time; repeat the run")


def _enter_own_network() -> None:
    """Runs this program again in a network namespace with a loopback interface of its own."""
    script = 'ip link set lo up && exec "$@"'
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-m"]
    environment = {**os.environ, "SKILL_OWN_NETWORK": "1"}
    os.execvpe("unshare", [*command, "benchmarks.arms.driver.deaths", *sys.argv[1:]], environment)


if __name__ == "__main__":
    run_program(main, Options, prog="python -m benchmarks.arms.driver.deaths", description=__doc__)
