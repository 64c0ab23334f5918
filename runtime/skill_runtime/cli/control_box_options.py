"""Command-line options of skill-control-box and their validation.

Imports no heavy package, so that '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from skill_proto.bounds import FRICTION, MASS_KG
from skill_runtime.console.flags import UsageError, check_cpu, check_number
from skill_runtime.console.logs import LogLevel
from skill_runtime.console.output_file import check_writable


@dataclass(frozen=True, kw_only=True)
class ControlBoxOptions:
    """The command line."""

    robot: Literal["fer", "fr3"]
    """Arm and protocol: fer is the Panda (version 5), fr3 the Franka Research 3 (version 10)."""
    address: Annotated[str, arg(metavar="127.X.Y.Z")] = "127.0.0.1"
    """Loopback address; ports 1337 and 1338 are fixed in the clients, so that each box on this
    machine needs an address of its own."""
    scene: Literal["tabletop", "none"] = "tabletop"
    """The table with a cube in front of the arm, or the arm alone."""
    mass: Annotated[float, arg(metavar="KG")] = 0.8
    """Mass of the cube [kg]."""
    friction: Annotated[float, arg(metavar="MU")] = 0.4
    """Friction coefficient of cube and table."""
    start: Literal["ready", "low"] = "ready"
    """Pose at the start: that of libfranka's examples, or low over the table as in training."""
    seconds: Annotated[
        float | None, arg(metavar="S", help_behavior_hint="(default: until Ctrl-C)")
    ] = None
    """End after this time [s]."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write a report on timing, answers and reflexes to this file at the end."""
    realtime: bool = True
    """Request real-time scheduling and locked memory; a refusal is reported, not fatal."""
    cpu: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Pin the box to processor N."""
    log_level: LogLevel = "info"
    """Least severe messages that are printed."""


def check_options(arguments: ControlBoxOptions) -> None:
    """Refuses values that cannot be simulated.

    Raises:
        UsageError: a value is out of range; the text names flag, range and value.
    """
    if not _is_loopback(arguments.address):
        raise UsageError(
            f"--address takes a loopback address from 127.0.0.1 to 127.255.255.254, got "
            f"{arguments.address!r}; the protocol has no authentication, so that the box serves "
            "this machine only"
        )
    if arguments.scene == "none":
        defaults = ControlBoxOptions(robot=arguments.robot)
        if (arguments.mass, arguments.friction) != (defaults.mass, defaults.friction):
            raise UsageError(
                "--mass and --friction are of the cube, and --scene none has no cube; "
                "omit them, or choose --scene tabletop"
            )
    check_number("mass", arguments.mass, *MASS_KG, unit="kg")
    check_number("friction", arguments.friction, *FRICTION)
    check_number("seconds", arguments.seconds, 0.1, 86400, unit="s")
    check_cpu(arguments.cpu)
    if arguments.json is not None:
        check_writable(arguments.json)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return parsed.is_loopback and str(parsed) not in ("127.0.0.0", "127.255.255.255")
