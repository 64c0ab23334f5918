"""skill-serve: serves a policy file to a simulated arm."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import tyro

from skill_proto.ports import STOP_PORT_OFFSET, TELEMETRY_PORT_OFFSET, local_address
from skill_runtime.cli.serve_options import ServeOptions, check_options
from skill_runtime.console.exit_codes import FAILED, OK, USAGE
from skill_runtime.console.flags import UsageError

if TYPE_CHECKING:
    from skill_runtime.server.arm_server import ArmServer

# Other imports are local: '--help' and a mistyped flag answer at once.

SECOND_SIGNAL_S = 0.5
"""A second signal this long after the first ends the program at once [s]."""

STATUS_PERIOD_S = 0.2
"""Time between two status lines on a terminal [s]."""

LOG_PERIOD_S = 5.0
"""Time between two status lines if the output is not a terminal [s]."""

STARTING_S = 1.0
"""Longest wait for the system's grants to the loop; then the banner is printed without them [s]."""


class Shutdown:
    """Converts Ctrl-C, SIGTERM and SIGHUP to an event; a second signal ends the program at once.

    Wrappers such as ``timeout`` send the same signal twice in a row, which counts as one.

    Attributes:
        asked: set by the first signal.
        number: number of the first signal; 0 before it.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.number = 0
        self._asked_at = 0.0
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self.asked.is_set():
            self._asked_at = time.monotonic()
            self.number = number
            self.asked.set()
        elif time.monotonic() > self._asked_at + SECOND_SIGNAL_S:
            os._exit(128 + number)


def main() -> None:
    """Serves until interrupted, and ends the program with its exit code."""
    arguments = tyro.cli(
        ServeOptions,
        prog="skill-serve",
        description="Serve a policy file to a simulated arm that clients command over ZeroMQ.",
    )
    try:
        check_options(arguments)
    except UsageError as error:
        _refuse(error)
    shutdown = Shutdown()
    from skill_robots.arm import ArmError
    from skill_robots.motion.policy_adapter import UnsupportedPolicyError
    from skill_runtime.control.policy_runner import RateMismatchError
    from skill_runtime.policy import PolicyFileError
    from skill_runtime.transport.sockets import AddressError

    try:
        server = build_server(arguments)
    except (PolicyFileError, AddressError, RateMismatchError, UnsupportedPolicyError) as error:
        _refuse(error)
    except ArmError as error:
        _refuse(error, FAILED)  # not USAGE: the arm may answer the next time
    if shutdown.asked.is_set():
        server.close()
        sys.exit(128 + shutdown.number)
    sys.exit(run_server(server, arguments, shutdown))


def _refuse(error: Exception, code: int = USAGE) -> NoReturn:
    print(f"skill-serve: {error}", file=sys.stderr)
    sys.exit(code)


def build_server(arguments: ServeOptions) -> ArmServer:
    """Returns a server with these settings; its loop is not started.

    Raises:
        PolicyFileError, AddressError, RateMismatchError, UnsupportedPolicyError, ArmError: the
            server cannot be built; the text names the reason.
    """
    from skill_runtime.authority.authority import IdleTimeout
    from skill_runtime.control.object_tracker import TrackConfig
    from skill_runtime.policy import load_manifest
    from skill_runtime.server.arm_server import ArmServer, ServeConfig
    from skill_runtime.server.backends import mismatches, simulated_arm
    from skill_runtime.server.control_loop import Pace
    from skill_runtime.transport.sockets import Addresses

    addresses, scene, timing = arguments.addresses, arguments.scene, arguments.timing
    port = addresses.port
    config = ServeConfig(
        model=arguments.model,
        device=arguments.device,
        addresses=Addresses(
            commands=addresses.commands or local_address(port),
            telemetry=addresses.telemetry or local_address(port + TELEMETRY_PORT_OFFSET),
            stop=addresses.stop or local_address(port + STOP_PORT_OFFSET),
        ),
        pace=Pace(
            spin_s=timing.spin_us * 1e-6,
            realtime=timing.realtime,
            cpu=timing.cpu,
        ),
        demo=arguments.demo,
        stopped=arguments.stopped,
        seed=scene.seed,
        idle_timeout=IdleTimeout(stop_after_s=arguments.stop_after),
        track=TrackConfig(objects=arguments.track or (), timeout_s=arguments.tracker_timeout),
    )
    manifest = load_manifest(arguments.model)
    arm = simulated_arm(manifest, servo_rate_hz=timing.servo_rate, seed=scene.seed)
    arm.set_context(mass=scene.mass, friction=scene.friction)
    server = ArmServer(arm, config)
    server.remarks += mismatches(manifest, arm, scene.mass, scene.friction)
    return server


def run_server(server: ArmServer, arguments: ServeOptions, shutdown: Shutdown) -> int:
    """Runs the loop in a thread and the status line in this one; returns the exit code.

    Ends after ``shutdown`` or a crash of the loop.
    """
    from skill_runtime.cli.serve_status import LogAbove, banner, status_line
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.realtime.systemd import SystemdNotifier
    from skill_runtime.subscribers.viewer import Viewer

    line = LiveLine(LOG_PERIOD_S)
    loop = threading.Thread(target=server.run, name="loop")
    viewer = Viewer(server.addresses.telemetry) if arguments.view else None
    with LogAbove(line):
        loop.start()
        try:
            welcome = server.welcome(0, 0.0)
            server.loop.started.wait(STARTING_S)
            remarks = [*server.remarks, *map(str, server.loop.grants)]
            _emit(banner(welcome, server.addresses.commands, remarks))
            if viewer is not None:
                viewer.open()
            with SystemdNotifier(lambda: server.loop.decided):
                while loop.is_alive() and not shutdown.asked.wait(STATUS_PERIOD_S):
                    if server.loop.latest is not None:
                        _emit(status_line(server.loop.latest, welcome.manifest), line.show)
        finally:  # an error in this thread must not leave the arm moving
            server.stop()
            loop.join()
        if viewer is not None:
            viewer.close()
    line.end()
    if not shutdown.asked.is_set():
        print("skill-serve: the control loop crashed; see the log above", file=sys.stderr)
        return FAILED
    _emit("skill-serve: the arm is at rest and the sockets are closed")
    return OK


def _print(text: str) -> None:
    print(text, flush=True)


def _emit(text: str, write: Callable[[str], None] = _print) -> None:
    from skill_runtime.console.status_line import discard_output

    try:
        write(text)
    except BrokenPipeError:  # serving continues without a reader of the output
        discard_output()


if __name__ == "__main__":
    main()
