"""Command-line options of skill-doctor and their validation.

Imports no heavy package, so that '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from skill_proto.files.shipped_models import DEFAULT_MODEL
from skill_runtime.console.flags import ModelFlag, UsageError, check_cpu, check_number, model_file
from skill_runtime.console.logs import LogLevel
from skill_runtime.console.output_file import check_writable

DEFAULT_SPIN_US = 200.0


@dataclass(frozen=True, kw_only=True)
class DoctorOptions:
    """The command-line options."""

    model: Annotated[
        ModelFlag | None,
        arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT_MODEL})"),
    ] = None
    """Policy file to time, or the name of a model that comes with skill-serve; not with --arm."""
    arm: Annotated[str | None, arg(metavar="HOST", help_behavior_hint="")] = None
    """Examine the control box of a Franka robot at this address, instead of this machine."""
    move: bool = False
    """With --arm: also run the tests with motions. The robot holds its pose in all of them but
    one, for 1 s, in which it only compensates its weight: with a wrong end effector or payload in
    Desk the arm sinks. Keep the user stop at hand and stay out of the robot's reach."""
    compare: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """With --arm: also list the differences from the answers in this file, which --json wrote for
    another control box."""
    seconds: float = 5.0
    """Duration of each of the fifteen measurements; with --arm, of one half of the measurement of
    states [s]."""
    spin_us: float = DEFAULT_SPIN_US
    """Busy waiting before each tick, in the measurements with busy waiting [us]; not with
    --arm."""
    cpu: Annotated[int | None, arg(metavar="N", help_behavior_hint="(default: any)")] = None
    """Pin the measured loops, or the examination of --arm, to processor N, as skill-serve --cpu
    does."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write all results to this file as JSON."""
    log_level: LogLevel = "warning"
    """Least severe log records to print, on standard error."""


def check_options(arguments: DoctorOptions) -> None:
    """Checks the ranges of the options.

    Raises:
        UsageError: An option is out of range, or no model has the given name.
    """
    check_number("seconds", arguments.seconds, 0.1, 3600, unit="s")
    check_number("spin-us", arguments.spin_us, 1, 1000, unit="us")
    check_cpu(arguments.cpu)
    if arguments.model is not None:
        model_file(arguments.model)
    for flag, given in (("--move", arguments.move), ("--compare", arguments.compare is not None)):
        if given and arguments.arm is None:
            raise UsageError(f"{flag} needs --arm HOST")
    for flag, given in (
        ("--model", arguments.model is not None),
        ("--spin-us", arguments.spin_us != DEFAULT_SPIN_US),
    ):
        if given and arguments.arm is not None:
            raise UsageError(f"{flag} is for the measurements of this machine; omit it with --arm")
    if arguments.json is not None:
        check_writable(arguments.json)


def model_to_time(arguments: DoctorOptions) -> Path:
    """Returns the policy file to time.

    Raises:
        UsageError: No model has the given name.
    """
    return model_file(arguments.model or DEFAULT_MODEL)
