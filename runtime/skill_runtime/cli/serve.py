"""skill-serve: serves a policy file to a simulated or real arm."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import tyro

from skill_proto.files.shipped_models import DEFAULT_MODEL, shipped_models
from skill_proto.ports import DEFAULT_HOST, STOP_PORT_OFFSET, TELEMETRY_PORT_OFFSET
from skill_runtime.cli.keys.serving_keys import server_security, viewer_keys
from skill_runtime.cli.serve_options import ServeOptions, check_options
from skill_runtime.cli.subscribers.web_options import check_page_options, without_screen
from skill_runtime.console.exit_codes import FAILED, OK, USAGE
from skill_runtime.console.flags import UsageError, model_file
from skill_runtime.console.program import VERSION_HINT, print_error, run_program

if TYPE_CHECKING:
    from skill_runtime.cli.subscribers.web_process import PageProcess
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.processes.config import ServerOptions
    from skill_runtime.processes.serving import Serving
    from skill_runtime.security.config import ServerSecurity
    from skill_runtime.transport.addresses import Addresses

# Other imports are local: '--help' and a mistyped flag answer at once.

SECOND_SIGNAL_S = 0.5
"""A second signal this long after the first ends the program at once [s]."""

STATUS_PERIOD_S = 0.2
"""Time between two status lines on a terminal [s]."""

LOG_PERIOD_S = 5.0
"""Time between two status lines if the output is not a terminal [s]."""

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


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
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._ask)

    def ignore(self) -> None:
        """Ignores further signals: all work is done, and the exit code must stay."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)

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
        description="Serve a policy file to an arm, simulated or real, that clients command over "
        "ZeroMQ. " + VERSION_HINT,
    )
    if arguments.list_models:
        list_models()
        return
    try:
        check_options(arguments)
    except UsageError as error:
        _refuse(error)
    shutdown = Shutdown()
    from skill_runtime.console.logs import CONTINUED, logging_to
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.processes.serving import ServeError, Serving
    from skill_runtime.transport.addresses import AddressError

    line = LiveLine(LOG_PERIOD_S)
    arguments, remark = page_without_screen(arguments)
    with logging_to(line.above, "skill-serve", arguments.log_level):
        if remark:
            logging.getLogger(__name__).warning("%s", remark)

        def show(text: str) -> None:
            if text.startswith(CONTINUED):
                line.above(text)
            else:  # of a child, and has passed its level
                logging.getLogger("skill_runtime.children").error(text)

        try:
            addresses = server_addresses(arguments)
            security = server_security(
                arguments.addresses.keys, addresses, view=arguments.view, web=arguments.page.web
            )
            check_page_options(arguments.page, has_keys=security is not None)
            with (
                ExitStack() as windows,  # the arm comes to rest before their ends are awaited
                Serving(server_options(arguments), addresses, show, security) as serving,
            ):
                if not serving.start(shutdown.asked.is_set):
                    sys.exit(128 + shutdown.number)
                code = run_server(serving, arguments, shutdown, line, security, windows)
        except (AddressError, UsageError) as error:
            _refuse(error)
        except ServeError as error:
            _refuse(error, FAILED if error.may_pass else USAGE)
    shutdown.ignore()
    if code == OK and serving.controller_ended != "exit code 0":
        line.above(f"skill-serve: the arm was not brought to rest ({serving.controller_ended})")
        code = FAILED
    elif code == OK:
        line.say("skill-serve: the arm is at rest and the sockets are closed")
    line.end()
    sys.exit(code)


def list_models() -> None:
    """Prints the models that come with skill-serve."""
    from skill_runtime.cli.serve_status import models_text
    from skill_runtime.policy import load_manifest

    print(models_text({name: load_manifest(path) for name, path in shipped_models().items()}))


def _refuse(error: Exception, code: int = USAGE) -> NoReturn:
    print_error("skill-serve", error)
    sys.exit(code)


def server_options(arguments: ServeOptions) -> ServerOptions:
    """Returns the options of the server's processes."""
    from skill_runtime.processes.config import RobotStart, ServerOptions

    scene, timing, franka = arguments.scene, arguments.timing, arguments.franka
    motion = arguments.motion
    return ServerOptions(
        model=model_file(arguments.model or DEFAULT_MODEL),
        device=arguments.device,
        arm=arguments.arm.arm,
        address=arguments.arm.address,
        speed=arguments.arm.share,
        robot=RobotStart(
            recover=franka.recover,
            home_gripper=franka.home_gripper,
            gripper=franka.gripper,
            collision_force_n=franka.collision_force,
            collision_torque_nm=franka.collision_torque,
        ),
        demo=motion.demo,
        stopped=motion.stopped,
        stop_after_s=motion.stop_after,
        track=arguments.tracking.track or (),
        tracker_timeout_s=arguments.tracking.tracker_timeout,
        when_outside=motion.outside,
        servo_rate_hz=timing.servo_rate,
        spin_s=timing.spin_us * 1e-6,
        realtime=timing.realtime,
        cpu=timing.cpu,
        seed=scene.seed or 0,
        mass=scene.mass,
        friction=scene.friction,
        log_level=arguments.log_level,
    )


def server_addresses(arguments: ServeOptions) -> Addresses:
    """Returns the addresses to bind."""
    from skill_runtime.transport.addresses import Addresses

    given, port = arguments.addresses, arguments.addresses.port
    host = given.host or DEFAULT_HOST
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return Addresses(
        commands=given.commands or f"tcp://{host}:{port}",
        telemetry=given.telemetry or f"tcp://{host}:{port + TELEMETRY_PORT_OFFSET}",
        stop=given.stop or f"tcp://{host}:{port + STOP_PORT_OFFSET}",
    )


def run_server(
    serving: Serving,
    arguments: ServeOptions,
    shutdown: Shutdown,
    line: LiveLine,
    security: ServerSecurity | None,
    windows: ExitStack,
) -> int:
    """Prints banner and status line until ``shutdown`` or the end of the controller.

    Args:
        serving: The processes of the server.
        arguments: The command line.
        shutdown: Asks for the end.
        line: Where to print.
        security: The server's keys.
        windows: Closes viewer and page.

    Returns:
        The exit code.
    """
    from skill_runtime.channel.state_layout import State
    from skill_runtime.cli.serve_status import banner, status_line
    from skill_runtime.console.text import control_command
    from skill_runtime.gateway.telemetry import make_telemetry
    from skill_runtime.realtime.systemd import SystemdNotifier

    welcome, commands = serving.ready.described.welcome, serving.addresses.commands
    remarks = [*serving.ready.remarks, *serving.started.grants]
    if arguments.model is None:
        others = ", ".join(name for name in shipped_models() if name != DEFAULT_MODEL)
        remarks.append(f"{DEFAULT_MODEL} is the default; others: {others} (see --list-models)")
    if arguments.motion.stopped:
        remarks.insert(
            0, f"stopped until a client sends 'clear': {control_command('clear', commands)}"
        )
    public_key = "" if security is None else security.public
    line.say(banner(welcome, commands, remarks, public_key))
    page = open_windows(serving, arguments, line, security, windows)

    def show(state: State) -> None:
        telemetry = make_telemetry(state, serving.ready.described.layout)
        line.show(status_line(telemetry, welcome.manifest))

    try:
        with SystemdNotifier(lambda: serving.beat):
            while serving.controller_ended is None and not shutdown.asked.wait(STATUS_PERIOD_S):
                state = serving.state()
                if state is not None:
                    show(state)
    finally:
        if page is not None:
            page.end()
    if shutdown.asked.is_set():
        return OK
    log = logging.getLogger(__name__)
    log.error("the controller ended (%s); see the log above", serving.controller_ended)
    return FAILED


def page_without_screen(arguments: ServeOptions) -> tuple[ServeOptions, str]:
    """Returns the options, with the page instead of the window if there is no screen.

    Returns:
        The options, and a remark if they differ from those of the command line.
    """
    if not arguments.view:
        return arguments, ""
    from skill_runtime.subscribers.screen import no_display

    problem = no_display()
    page = without_screen(arguments.page) if problem else arguments.page
    if not problem or not page.web:
        return arguments, ""  # a window, or the viewer's own warning
    shown = dataclasses.replace(arguments, view=False, page=page)
    return shown, f"{problem}; a browser shows the arm instead, on the page of --web"


def open_windows(
    serving: Serving,
    arguments: ServeOptions,
    line: LiveLine,
    security: ServerSecurity | None,
    windows: ExitStack,
) -> PageProcess | None:
    """Opens what was asked for of viewer and page; ``windows`` closes them. Returns the page."""
    if arguments.view:
        from skill_runtime.subscribers.viewer import Viewer

        viewer = Viewer(serving.addresses.telemetry, viewer_keys(security))
        windows.callback(viewer.close)
        viewer.open()
    if not arguments.page.web:
        return None
    from skill_runtime.cli.subscribers.web_process import PageProcess

    page = PageProcess(arguments.page, serving.addresses, viewer_keys(security), line.say)
    windows.callback(page.close)
    page.open()
    return page


if __name__ == "__main__":
    run_program("skill-serve", main)
