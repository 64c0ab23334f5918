"""The command line of skill-serve, and the checks of its values.

The imports are light, so that '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, arg

from skill_proto.bounds import SERVO_RATE_HZ
from skill_proto.ports import COMMAND_PORT, MAX_PORT, STOP_PORT_OFFSET
from skill_runtime.console.flags import UsageError, check_cpu, check_number, check_object
from skill_runtime.console.logs import LogLevel


@dataclass(frozen=True, kw_only=True)
class AddressOptions:
    """Addresses are on this machine: TCP on the loopback interface, or Unix-domain sockets."""

    port: int = COMMAND_PORT
    """Port for commands; telemetry uses the next port, stop the one after it."""
    commands: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Replaces the address for commands, e.g. tcp://127.0.0.1:7000 or ipc:///run/arm."""
    telemetry: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Replaces the address for telemetry."""
    stop: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Replaces the address for stop."""


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """Start and object of each episode; `skill-control scene` changes the object while serving."""

    mass: Annotated[
        float | None, arg(metavar="KG", help_behavior_hint="(default: random, as trained)")
    ] = None
    """Mass of the cube [kg]."""
    friction: Annotated[
        float | None, arg(metavar="MU", help_behavior_hint="(default: random, as trained)")
    ] = None
    """Effective friction coefficient of cube and table; half of a skill-aware benchmark label."""
    seed: int = 0
    """Seed of the start positions, of mass and friction, and of the demo."""


@dataclass(frozen=True, kw_only=True)
class TimingOptions:
    """docs/realtime.md explains these settings; `skill-doctor` advises on them."""

    servo_rate: float = 200.0
    """Set-points per second, a multiple of the policy's rate [Hz]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory; a refusal is reported, not fatal."""
    spin_us: float = 0.0
    """Busy-wait this long before each tick, against late wake-ups [us]."""
    cpu: Annotated[int | None, arg(metavar="N", help_behavior_hint="")] = None
    """Pin the control loop, and no other thread of this program, to processor N."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The command line."""

    model: Annotated[Path, arg(metavar="FILE")]
    """Policy file, e.g. models/csf_panda.onnx."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the policy; there is no fallback from one to the other."""
    demo: bool = True
    """Run one skill or goal after the other until a client acquires the lease."""
    stopped: bool = False
    """Start in mode `stopped`; `skill-control clear` enables motion. Use it under systemd."""
    stop_after: float = 60.0
    """Stop the arm this long after the lease has ended [s]; inf: never."""
    track: Annotated[tuple[str, ...] | None, arg(metavar="OBJECT ...", help_behavior_hint="")] = (
        None
    )
    """Objects whose poses an external tracker sends, e.g. cube; the arm's own are ignored."""
    tracker_timeout: float = 0.2
    """Fault if a tracked pose is older than this [s]."""
    log_level: LogLevel = "info"
    """Least severe messages that are printed."""
    view: bool = False
    """Open MuJoCo's viewer, in a process of its own."""
    addresses: OmitArgPrefixes[AddressOptions] = AddressOptions()
    scene: OmitArgPrefixes[SceneOptions] = SceneOptions()
    timing: OmitArgPrefixes[TimingOptions] = TimingOptions()


def check_options(arguments: ServeOptions) -> None:
    """Refuses values that cannot be served.

    Raises:
        UsageError: a value is out of range; the text names flag, range and value.
    """
    scene, timing = arguments.scene, arguments.timing
    check_number("port", arguments.addresses.port, 1, MAX_PORT - STOP_PORT_OFFSET)
    check_object(scene.mass, scene.friction)
    check_number("seed", scene.seed, 0, 2**32 - 1)
    if not math.isinf(arguments.stop_after):
        check_number("stop-after", arguments.stop_after, 0.1, 86400, unit="s")
    if arguments.track is not None and not all(arguments.track or ("",)):
        raise UsageError(
            "--track takes the names of the objects whose poses an external tracker sends, "
            "e.g. --track cube; name one, or omit the flag to use the arm's own poses"
        )
    check_number("tracker-timeout", arguments.tracker_timeout, 0.01, 10, unit="s")
    check_number("servo-rate", timing.servo_rate, *SERVO_RATE_HZ, unit="Hz")
    check_number("spin-us", timing.spin_us, 0, 1000, unit="us")
    check_cpu(timing.cpu)
