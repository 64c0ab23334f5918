"""skill-serve: serves a policy file to an arm."""

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

from skill_runtime.cli.serve_options import Arguments, check
from skill_runtime.console.flags import UsageError

if TYPE_CHECKING:
    from skill_runtime.server.arm_server import ArmServer

# The rest of the runtime is imported where it is used: '--help' and a mistyped flag answer at once.

OK, FAILED, USAGE = 0, 1, 2
"""Exit codes: ended as asked; failed while serving; cannot serve what was asked."""

SECOND_SIGNAL_S = 0.5
"""A second interrupt this long after the first means it [s]."""

STATUS_PERIOD_S = 0.2
LOG_PERIOD_S = 5.0
"""Time between two status lines where the output is no terminal [s]."""

STARTING_S = 1.0
"""Longest wait for what the system grants the loop, before the banner is printed without it [s]."""


class Shutdown:
    """Ctrl-C, SIGTERM and SIGHUP turned into an event; a second one ends the program at once.

    Wrappers such as ``timeout`` send the same signal twice in a row; that counts as one.

    Attributes:
        asked: set by the first signal.
        number: which signal that was; 0 before it.
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
        Arguments,
        prog="skill-serve",
        description="Serve a policy file to a simulated arm, steered over ZeroMQ.",
    )
    try:
        check(arguments)
    except UsageError as error:
        _refuse(error)
    shutdown = Shutdown()
    from skill_robots.arm import ArmError
    from skill_robots.motion.policy_adapter import UnsupportedPolicyError
    from skill_runtime.control.policy_runner import RateMismatchError
    from skill_runtime.policy.onnx_policy import PolicyFileError
    from skill_runtime.transport.sockets import AddressError

    try:
        server = build(arguments)
    except (PolicyFileError, AddressError, RateMismatchError, UnsupportedPolicyError) as error:
        _refuse(error)
    except ArmError as error:
        _refuse(error, FAILED)  # it may answer the next time
    if shutdown.asked.is_set():
        server.close()
        sys.exit(128 + shutdown.number)
    sys.exit(serve(server, arguments, shutdown))


def _refuse(error: Exception, code: int = USAGE) -> NoReturn:
    print(f"skill-serve: {error}", file=sys.stderr)
    sys.exit(code)


def build(arguments: Arguments) -> ArmServer:
    """The server that ``arguments`` ask for.

    Raises:
        PolicyFileError, AddressError, RateMismatchError, UnsupportedPolicyError, ArmError: it
            cannot be had; the text says why.
    """
    from skill_runtime.authority.authority import IdleTimeout
    from skill_runtime.control.object_tracker import TrackConfig
    from skill_runtime.policy.onnx_policy import load_manifest
    from skill_runtime.server.arm_server import ArmServer, ServeConfig
    from skill_runtime.server.backends import mismatches, simulated_arm
    from skill_runtime.server.control_loop import Pace
    from skill_runtime.transport.sockets import Addresses

    first = arguments.port
    config = ServeConfig(
        model=arguments.model,
        device=arguments.device,
        addresses=Addresses(
            commands=arguments.commands or f"tcp://127.0.0.1:{first}",
            telemetry=arguments.telemetry or f"tcp://127.0.0.1:{first + 1}",
            stop=arguments.stop or f"tcp://127.0.0.1:{first + 2}",
        ),
        pace=Pace(
            spin_s=arguments.spin_us * 1e-6,
            realtime=arguments.realtime,
            cpu=arguments.cpu,
        ),
        demo=arguments.demo,
        stopped=arguments.stopped,
        seed=arguments.seed,
        patience=IdleTimeout(stop_after_s=arguments.stop_after),
        track=TrackConfig(objects=arguments.track or (), timeout_s=arguments.tracker_timeout),
    )
    manifest = load_manifest(arguments.model)
    arm = simulated_arm(manifest, servo_rate_hz=arguments.servo_rate, seed=arguments.seed)
    arm.set_context(mass=arguments.mass, friction=arguments.friction)
    server = ArmServer(arm, config)
    server.remarks += mismatches(manifest, arm, arguments.mass, arguments.friction)
    return server


def serve(server: ArmServer, arguments: Arguments, shutdown: Shutdown) -> int:
    """Runs the loop in its thread and the status line in this one, until told to end."""
    from skill_runtime.cli.serve_status import LogAbove, banner, status_line
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.realtime.watchdog import SystemdNotifier
    from skill_runtime.subscribers.viewer import Viewer

    line = LiveLine(LOG_PERIOD_S)
    loop = threading.Thread(target=server.run, name="loop")
    viewer = Viewer(server.addresses.telemetry) if arguments.view else None
    with LogAbove(line):
        loop.start()
        try:
            welcome = server.welcome(0, 0.0)
            server.loop.started.wait(STARTING_S)
            remarks = [*server.remarks, *map(str, server.loop.answers)]
            _say(banner(welcome, server.addresses.commands, remarks))
            if viewer is not None:
                viewer.open()
            with SystemdNotifier(lambda: server.loop.decided):
                while loop.is_alive() and not shutdown.asked.wait(STATUS_PERIOD_S):
                    if server.loop.latest is not None:
                        _say(status_line(server.loop.latest, welcome.manifest), line.show)
        finally:  # whatever fails here must not leave the arm moving
            server.stop()
            loop.join()
        if viewer is not None:
            viewer.close()
    line.end()
    if not shutdown.asked.is_set():
        print("skill-serve: the loop ended by itself; see above", file=sys.stderr)
        return FAILED
    _say("skill-serve: the arm is at rest and the sockets are closed")
    return OK


def _print(text: str) -> None:
    print(text, flush=True)


def _say(text: str, write: Callable[[str], None] = _print) -> None:
    from skill_runtime.console.status_line import discard_output

    try:
        write(text)
    except BrokenPipeError:  # the arm is no business of those who read the output
        discard_output()


if __name__ == "__main__":
    main()
