"""The command line of skill-serve, and the checks of its values.

The imports are light, so that '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, arg

from skill_proto.bounds import SERVO_RATE_HZ
from skill_proto.files.shipped_models import DEFAULT_MODEL, shipped_models
from skill_proto.ports import COMMAND_PORT, MAX_PORT, STOP_PORT_OFFSET
from skill_runtime.cli.subscribers.web_options import PageOptions
from skill_runtime.console.flags import (
    ModelFlag,
    UsageError,
    check_cpu,
    check_number,
    check_object,
    model_file,
)
from skill_runtime.console.logs import LogLevel

LEAST_SPEED = 0.01
"""Least share of the arm's velocity limits."""

REAL_SPEED = 0.8
"""Share of the velocity limits for a real arm. A compliant arm overshoots a fast set-point: with
the whole limits a joint moves at up to 1.2 times its limit, and a Franka robot then stops itself;
at 0.8 it stays below (``python -m benchmarks.arms.overshoot``)."""

MAX_FORCE_N, MAX_TORQUE_NM = 500.0, 87.0
"""Largest collision thresholds; 87 N m is the torque of the large joints."""

DRIVERS = ("franky", "panda_py")
"""Modules that connect to a Franka arm. The robot's version decides which of them is needed."""


@dataclass(frozen=True, kw_only=True)
class ArmOptions:
    """The arm: a simulation, or a Franka Panda (FER) or Franka Research 3."""

    arm: Literal["mujoco", "bullet", "franka"] = "mujoco"
    """mujoco: the simulation of training. bullet: panda-gym's robot on PyBullet. franka: a real
    arm, see docs/deployment.md."""
    address: Annotated[str | None, arg(metavar="HOST", help_behavior_hint="")] = None
    """Address of the real arm's control box, e.g. 172.16.0.2."""
    speed: Annotated[
        float | None, arg(metavar="SHARE", help_behavior_hint="(default: 1; franka: 0.8)")
    ] = None
    """Share of the arm's velocity limits that set-points may use, 0.01 to 1; 0.2 for a first
    motion."""

    @property
    def share(self) -> float:
        """The share of the velocity limits in force."""
        if self.speed is not None:
            return self.speed
        return REAL_SPEED if self.arm == "franka" else 1.0


@dataclass(frozen=True, kw_only=True)
class FrankaOptions:
    """Start of a real Franka arm, see docs/deployment.md."""

    recover: bool = False
    """Clear errors of an earlier run, a contact too. Look at the robot first."""
    home_gripper: bool = False
    """Home the gripper: its fingers close and open. Needed once after each start of the robot."""
    gripper: bool = True
    """Whether the robot has a Franka Hand."""
    collision_force: Annotated[
        float | None, arg(metavar="N", help_behavior_hint="(default: see the banner)")
    ] = None
    """External force along x, y or z at which the robot stops itself [N]."""
    collision_torque: Annotated[
        float | None, arg(metavar="NM", help_behavior_hint="(default: see the banner)")
    ] = None
    """External torque in joints 1 to 4 at which the robot stops itself [N m]."""


@dataclass(frozen=True, kw_only=True)
class AddressOptions:
    """Without keys, addresses are on this machine: loopback TCP, or Unix-domain sockets."""

    host: Annotated[str | None, arg(metavar="HOST", help_behavior_hint="(default: 127.0.0.1)")] = (
        None
    )
    """Address of this machine to serve on, e.g. 192.168.1.5, or 0.0.0.0 for all of its networks.
    Any but 127.0.0.1 needs keys."""
    keys: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help_behavior_hint="(default: none on 127.0.0.1, else ~/.config/skill-serve)",
        ),
    ] = None
    """Admit only clients whose keys are in FOLDER/authorized_keys, and encrypt; `skill-keys` makes
    the files."""
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
    """Start and object of a simulated episode; `skill-control scene` changes the object later."""

    mass: Annotated[
        float | None, arg(metavar="KG", help_behavior_hint="(default: random, as trained)")
    ] = None
    """Mass of the cube [kg]."""
    friction: Annotated[
        float | None, arg(metavar="MU", help_behavior_hint="(default: random, as trained)")
    ] = None
    """Effective friction coefficient of cube and table; half of a skill-aware benchmark label."""
    seed: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: 0)")] = None
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
class MotionOptions:
    """Motion without a command, and of a policy that leaves its training."""

    demo: bool = True
    """Run one skill or goal after the other until a client acquires the lease."""
    stopped: bool = False
    """Start in mode `stopped`; `skill-control clear` enables motion. Use it under systemd."""
    stop_after: float = 60.0
    """Stop the arm this long after the lease has ended [s]; inf: never."""
    outside: Annotated[
        Literal["hold", "warn", "go-on"] | None, arg(help_behavior_hint="(default: warn)")
    ] = None
    """If the context of a policy with an encoder leaves that of its training. warn: log line and
    event. hold: the arm holds until `skill-control clear`. See docs/context.md."""


@dataclass(frozen=True, kw_only=True)
class TrackingOptions:
    """Poses of objects from cameras or another tracker, see docs/tracker.md."""

    track: Annotated[tuple[str, ...] | None, arg(metavar="OBJECT ...", help_behavior_hint="")] = (
        None
    )
    """Objects whose poses an external tracker sends, e.g. cube; the arm's own are ignored. A real
    arm measures no object, so it always tracks those that the policy observes."""
    tracker_timeout: float = 0.2
    """Fault if a tracked pose is older than this [s]."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The command line."""

    model: Annotated[
        ModelFlag | None,
        arg(metavar="MODEL", help_behavior_hint=f"(default: {DEFAULT_MODEL}; franka: none)"),
    ] = None
    """Policy file, or the name of a model that comes with skill-serve."""
    list_models: Annotated[FlagCreatePairsOff[bool], arg(help_behavior_hint="")] = False
    """List the models that come with skill-serve, and end."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the policy; there is no fallback from one to the other."""
    log_level: LogLevel = "info"
    """Least severe messages that are printed."""
    view: bool = False
    """Open MuJoCo's viewer, in a process of its own. Without a screen: the page of --web."""
    service_only: FlagCreatePairsOff[bool] = False
    """Serve policies to robots that other programs control, without an arm; see
    `skill-serve --service-only --help`."""
    arm: OmitArgPrefixes[ArmOptions] = ArmOptions()
    franka: OmitArgPrefixes[FrankaOptions] = FrankaOptions()
    scene: OmitArgPrefixes[SceneOptions] = SceneOptions()
    motion: OmitArgPrefixes[MotionOptions] = MotionOptions()
    tracking: OmitArgPrefixes[TrackingOptions] = TrackingOptions()
    timing: OmitArgPrefixes[TimingOptions] = TimingOptions()
    page: OmitArgPrefixes[PageOptions] = field(default_factory=PageOptions)
    addresses: OmitArgPrefixes[AddressOptions] = AddressOptions()


def check_options(arguments: ServeOptions) -> None:
    """Refuses values that cannot be served.

    Raises:
        UsageError: a value is out of range, or no model has the given name; the text names flag,
            range and value, or the models.
    """
    scene, timing, tracking = arguments.scene, arguments.timing, arguments.tracking
    _check_model(arguments)
    _check_arm(arguments.arm, scene)
    _check_franka(arguments.arm, arguments.franka)
    check_number("port", arguments.addresses.port, 1, MAX_PORT - STOP_PORT_OFFSET)
    check_object(scene.mass, scene.friction)
    check_number("seed", scene.seed, 0, 2**32 - 1)
    if not math.isinf(arguments.motion.stop_after):
        check_number("stop-after", arguments.motion.stop_after, 0.1, 86400, unit="s")
    if tracking.track is not None and not all(tracking.track or ("",)):
        raise UsageError(
            "--track takes the names of the objects whose poses an external tracker sends, "
            "e.g. --track cube; name one, or omit the flag to use the arm's own poses"
        )
    check_number("tracker-timeout", tracking.tracker_timeout, 0.01, 10, unit="s")
    check_number("servo-rate", timing.servo_rate, *SERVO_RATE_HZ, unit="Hz")
    check_number("spin-us", timing.spin_us, 0, 1000, unit="us")
    check_cpu(timing.cpu)


def _check_model(arguments: ServeOptions) -> None:
    """Refuses an unknown name, and a real arm without a named policy."""
    if arguments.model is not None:
        model_file(arguments.model)
    elif arguments.arm.arm == "franka":
        raise UsageError(
            "--arm franka needs a policy, since none moves a real arm by default; give --model "
            f"with a file or a name: {', '.join(shipped_models())}"
        )


def _check_arm(options: ArmOptions, scene: SceneOptions) -> None:
    check_number("speed", options.speed, LEAST_SPEED, 1.0)
    if options.arm != "franka":
        if options.address is not None:
            raise UsageError(
                f"--address is the address of a real arm, and --arm {options.arm} is a simulation; "
                "give --arm franka, or omit --address (--port and --commands are the addresses of "
                "this server)"
            )
        if options.arm == "bullet":
            _check_bullet()
        return
    if not options.address:
        raise UsageError(
            "--arm franka needs the address of the robot's control box; give it with --address, "
            "e.g. --address 172.16.0.2"
        )
    given = [
        f"--{name}" for name in ("mass", "friction", "seed") if getattr(scene, name) is not None
    ]
    if given:
        raise UsageError(
            f"{', '.join(given)}: for a simulated arm only, --arm franka is a real one; omit it"
        )
    if not any(map(_is_installed, DRIVERS)):
        raise UsageError(
            "--arm franka needs a driver, and neither franky-control nor panda-python is "
            "installed; install both with: pip install 'skill-serve[franka]'"
        )


def _check_franka(arm: ArmOptions, options: FrankaOptions) -> None:
    check_number("collision-force", options.collision_force, 1, MAX_FORCE_N, unit="N")
    check_number("collision-torque", options.collision_torque, 1, MAX_TORQUE_NM, unit="N m")
    if arm.arm != "franka" and options != FrankaOptions():
        raise UsageError(
            "--recover, --home-gripper, --no-gripper, --collision-force and --collision-torque are "
            "for a real arm; give --arm franka, or omit them"
        )


def _check_bullet() -> None:
    for module in ("pybullet", "panda_gym"):
        if not _is_installed(module):
            raise UsageError(
                f"--arm bullet needs {module}, which is not installed; install it with: "
                "pip install 'skill-serve[bullet]' (Python 3.11), or take --arm mujoco"
            )


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
