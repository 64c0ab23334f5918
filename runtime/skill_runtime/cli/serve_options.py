"""The command line of skill-serve, and what of it cannot be done.

Nothing heavy is imported: '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from skill_runtime.console.flags import UsageError, check_cpu, check_number, check_object


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line."""

    model: Path
    """The policy file, e.g. models/csf_panda.onnx."""
    port: int = 5555
    """Port for commands; telemetry takes the next one, stop the one after."""
    commands: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Address for commands instead, e.g. tcp://127.0.0.1:7000 or ipc:///run/arm."""
    telemetry: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Address for telemetry instead."""
    stop: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Address for stop instead."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the policy runs; never falls back from one to the other."""
    mass: Annotated[float | None, arg(metavar="KG")] = None
    """Mass of the simulated cube [kg]; otherwise drawn anew for each episode, from the range that
    the policy was trained on."""
    friction: Annotated[float | None, arg(metavar="MU")] = None
    """Effective coefficient between cube and table, half of a skill-aware benchmark label;
    otherwise drawn anew."""
    seed: int = 0
    """Of the simulated starts and of the show."""
    demo: bool = True
    """While nobody has taken the lease, show one skill (or goal) after the other."""
    stopped: bool = False
    """Begin stopped: nothing moves before somebody has sent 'clear'; for servers that are started
    again by a supervisor, see docs/realtime.md."""
    stop_after: float = 60.0
    """An arm whose lease has ended holds for this long, then it is stopped [s]; inf never."""
    track: Annotated[tuple[str, ...] | None, arg(metavar="OBJECT ...")] = None
    """Objects whose poses come from outside, e.g. cube; the arm's own view of them is not used."""
    tracker_timeout: float = 0.2
    """The policy is not run on a tracked pose older than this [s]."""
    view: bool = False
    """Open MuJoCo's viewer, in a process of its own."""
    servo_rate: float = 200.0
    """Set-points per second of the simulated arm, a multiple of the policy's rate [Hz]."""
    realtime: bool = False
    """Ask the system for real-time scheduling and locked memory; says so where it refuses."""
    spin_us: float = 0.0
    """Keep the processor busy for this long before each tick, against late wake-ups [us]."""
    cpu: Annotated[int | None, arg(metavar="N")] = None
    """Keep the loop, and nothing else of this program, on processor N."""


def check(arguments: Arguments) -> None:
    """Refuses numbers that cannot be served.

    Raises:
        UsageError: names the flag, what it takes, and what was given.
    """
    check_number("port", arguments.port, 1, 65533)
    check_object(arguments.mass, arguments.friction)
    check_number("seed", arguments.seed, 0, 2**32 - 1)
    if not math.isinf(arguments.stop_after):
        check_number("stop-after", arguments.stop_after, 0.1, 86400, unit="s")
    if arguments.track is not None and not all(arguments.track or ("",)):
        raise UsageError(
            "--track takes the names of the objects whose poses come from outside, "
            "e.g. --track cube; name one, or leave the flag out to use what the arm sees"
        )
    check_number("tracker-timeout", arguments.tracker_timeout, 0.01, 10, unit="s")
    check_number("servo-rate", arguments.servo_rate, 100, 2000, unit="Hz")
    check_number("spin-us", arguments.spin_us, 0, 1000, unit="us")
    check_cpu(arguments.cpu)
