"""skill-ros2: how well the hand follows a ROS program, and how soon it stops and holds.

    python -m benchmarks.serving.ros2

Server, node and ROS programs are processes of their own, on this machine alone. The circle is drawn
by the Robot class of crisp_py. Needs ROS 2: the wheels of `make install-dev`, or one in the shell.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.fuzz.served import KeyedServer
from benchmarks.serving.ros2.environment import NoRosError, ros_environment
from benchmarks.serving.ros2.processes import CRISP, JOINTS, POSE, RosPeer, pose, running_node
from skill_proto.messages import Telemetry
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.console.flags import UsageError

Sample = Sequence[float]
"""Time [s], target (3) [m], end effector (3) [m]."""

WAIT_S = 120.0
"""Longest wait for an expected state [s]."""

SILENCE_S = 1.0
"""Default of the parameter ``silence_s`` [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A circle, stops and silences through ROS 2."""

    radius: PositiveFloat = 0.06
    """Radius of the circle [m]."""
    period: PositiveFloat = 6.0
    """Time of one turn [s]."""
    turns: PositiveInt = 4
    """Turns."""
    repetitions: PositiveInt = 20
    """Stops, and silences."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    json: Path | None = None
    """File for the result."""


def main(config: Config) -> None:
    """Measures, and prints a table."""
    try:
        measure(config)
    except NoRosError as error:
        raise UsageError(f"benchmarks.serving.ros2: {error}") from None


def measure(config: Config) -> None:
    """Measures, prints a table, and writes the file.

    Raises:
        NoRosError: There is no ROS.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = stack.enter_context(ros_environment(folder))
        server = stack.enter_context(KeyedServer(config.model, folder, keyed=False))
        address = server.addresses.commands
        stack.enter_context(running_node(environment, folder / "node.log", "--address", address))
        peer = RosPeer(environment)
        stack.callback(peer.close)
        client = stack.enter_context(server.client())
        rate_hz = _rate_hz(peer)
        samples = _circle(environment, config)
        stops_s = [_stop_s(peer, client) for _ in range(config.repetitions)]
        silences = [_silence_s(peer, client) for _ in range(config.repetitions)]
    lag_s, largest_m = follow(samples)
    path_m = max(abs(math.hypot(one[4], one[5]) - config.radius) for one in samples)
    holds_s, releases_s = zip(*silences, strict=True)
    print_table(
        ("", "value"),
        [
            ("joint_states", f"{rate_hz:.0f} Hz"),
            ("largest distance of the hand from the circle", f"{1e3 * path_m:.1f} mm"),
            ("delay of the hand behind the target", f"{1e3 * lag_s:.0f} ms"),
            ("largest distance from the target of that time", f"{1e3 * largest_m:.1f} mm"),
            ("stop, until the server has confirmed it (median, largest)", _times(stops_s)),
            ("last target to hold (median, largest)", _times(holds_s)),
            ("last target to release (median, largest)", _times(releases_s)),
        ],
    )
    result = {
        "radius_m": config.radius,
        "period_s": config.period,
        "rate_hz": rate_hz,
        "path_m": path_m,
        "lag_s": lag_s,
        "largest_m": largest_m,
        "stops_s": stops_s,
        "holds_s": holds_s,
        "releases_s": releases_s,
    }
    write_json(config.json, result)


def follow(samples: Sequence[Sample]) -> tuple[float, float]:
    """Returns the delay with the least mean distance [s], and the largest distance at it [m].

    Args:
        samples: In the order of time, at equal intervals on average.
    """
    step_s = (samples[-1][0] - samples[0][0]) / (len(samples) - 1)
    most = round(0.5 / step_s)

    def distances(delay: int) -> list[float]:
        return [
            math.dist(late[4:7], early[1:4])
            for late, early in zip(samples[most:], samples[most - delay :], strict=False)
        ]

    best = min(range(most), key=lambda delay: statistics.fmean(distances(delay)))
    return best * step_s, max(distances(best))


def _rate_hz(peer: RosPeer, seconds: float = 5.0) -> float:
    peer.ask("subscribe", topic="joint_states", kind=JOINTS)
    _wait(lambda: bool(peer.messages("joint_states")))
    began = time.monotonic()
    time.sleep(seconds)
    return len(peer.messages("joint_states")) / (time.monotonic() - began)


def _circle(environment: dict[str, str], config: Config) -> list[Sample]:
    seconds = config.period * config.turns
    done = subprocess.run(
        [sys.executable, str(CRISP), "circle", *map(str, (config.radius, config.period, seconds))],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, list[Sample]] = json.loads(done.stdout)
    return found["samples"]


def _stop_s(peer: RosPeer, client: SkillClient) -> float:
    """Returns the duration of the call of the service [s], for an arm that moves."""
    _stream(peer, client)
    reply = peer.call("stop")
    peer.ask("quiet")
    _wait(lambda: _cleared(peer))
    return reply["seconds"]


def _silence_s(peer: RosPeer, client: SkillClient) -> tuple[float, float]:
    """Returns the times from the last target to hold, and to the release of the lease [s]."""
    _stream(peer, client)
    peer.ask("quiet")
    began = time.monotonic()
    _state_when(client, lambda state: state.mode == "hold")
    held_s = time.monotonic() - began
    _state_when(client, lambda state: state.lease_holder is None)
    return held_s, time.monotonic() - began


def _stream(peer: RosPeer, client: SkillClient) -> None:
    """Sends targets until the arm moves."""
    _state_when(client, lambda state: state.lease_holder is None)
    time.sleep(SILENCE_S)  # the node obeys the next stream
    side = math.copysign(0.08, -(client.state().end_effector_position[1] or -1.0))
    message: dict[str, Any] = {"topic": "target_pose", "kind": POSE}
    peer.ask("stream", rate_hz=50.0, fields=pose(0.0, side, 0.2), **message)
    _state_when(
        client,
        lambda state: state.mode == "servo" and abs(state.end_effector_velocity[1] or 0.0) > 0.05,
    )


def _cleared(peer: RosPeer) -> bool:
    """Ends a stop; refused while the arm still moves."""
    return bool(peer.call("clear")["success"])


def _state_when(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    for state in client.telemetry():
        if wanted(state):
            return
        if time.monotonic() > ends:
            raise ClientError(f"never as expected; the last state was {state}")


def _wait(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("ROS does not answer; is the node's log of use?")
        time.sleep(0.02)


def _times(times: Sequence[float]) -> str:
    return f"{1e3 * statistics.median(times):.0f}, {1e3 * max(times):.0f} ms"


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.ros2", description=__doc__)
