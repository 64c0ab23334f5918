"""Serves policies without an arm, until interrupted."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import tyro

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.cli.policies.options import PolicyServiceOptions, read_models
from skill_runtime.cli.serve import Shutdown
from skill_runtime.console.exit_codes import FAILED, OK, USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.program import (
    DISTRIBUTION,
    VERSION_HINT,
    installed_version,
    print_error,
)

if TYPE_CHECKING:
    from skill_proto.messages import ServiceWelcome
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.policy_service.config import Counts
    from skill_runtime.processes.service_only.serving import ServingPolicies

# Other imports are local: '--help' and a mistyped flag answer at once.

STATUS_PERIOD_S = 0.5
"""Time between two status lines on a terminal [s]."""

LOG_PERIOD_S = 10.0
"""Time between two status lines if the output is not a terminal [s]."""


def main() -> None:
    """Serves until interrupted, and ends the program with its exit code."""
    arguments = tyro.cli(
        PolicyServiceOptions,
        prog="skill-serve",
        description="Serve policies to robots that other programs control, without an arm. "
        "Clients send observations, the service keeps the recurrent states and sends actions; see "
        "docs/policy-service.md. " + VERSION_HINT,
    )
    try:
        models = read_models(arguments)
    except UsageError as error:
        _refuse(error)
    shutdown = Shutdown()
    from skill_runtime.cli.keys.serving_keys import server_security
    from skill_runtime.console.logs import CONTINUED, logging_to
    from skill_runtime.console.status_line import LiveLine
    from skill_runtime.processes.private_folder import ServeError
    from skill_runtime.processes.service_only.serving import (
        ServiceOnlyOptions,
        ServingPolicies,
    )
    from skill_runtime.transport.addresses import AddressError, Addresses

    line = LiveLine(LOG_PERIOD_S)
    with logging_to(line.above, "skill-serve", arguments.log_level):

        def show(text: str) -> None:
            if text.startswith(CONTINUED):
                line.above(text)
            else:  # of the child, and has passed its level
                logging.getLogger("skill_runtime.children").error(text)

        try:
            endpoint = arguments.endpoint
            options = ServiceOnlyOptions(
                models=models,
                device=arguments.device,
                address=endpoint,
                server=f"skill-serve {installed_version(DISTRIBUTION) or 'unknown'}",
                security=server_security(
                    arguments.keys, Addresses(commands=endpoint, telemetry=endpoint, stop=endpoint)
                ),
                log_level=arguments.log_level,
            )
            with ServingPolicies(options, show) as serving:
                if not serving.start(shutdown.asked.is_set):
                    sys.exit(128 + shutdown.number)
                _run(serving, shutdown, line)
        except AddressError as error:
            _refuse(error)
        except ServeError as error:
            _refuse(error, FAILED if error.may_pass else USAGE)
    shutdown.ignore()
    line.say("skill-serve: the socket is closed")
    line.end()
    sys.exit(OK)


def _refuse(error: Exception, code: int = USAGE) -> NoReturn:
    print_error("skill-serve", error)
    sys.exit(code)


def _run(serving: ServingPolicies, shutdown: Shutdown, line: LiveLine) -> None:
    """Prints banner and status line until ``shutdown``."""
    from skill_runtime.realtime.systemd import SystemdNotifier

    line.say(banner(serving.welcome, serving.address))
    before, at = serving.counts, time.monotonic()
    with SystemdNotifier(lambda: serving.beat):
        while not shutdown.asked.wait(STATUS_PERIOD_S):
            counts, now = serving.counts, time.monotonic()
            line.show(status_line(before, counts, now - at, serving.in_use))
            before, at = counts, now


def banner(welcome: ServiceWelcome, address: str) -> str:
    """Describes the service, its policies, and a command to try."""
    rows: list[tuple[str, str]] = [("server", f"{welcome.server}, policy service without an arm")]
    for model in welcome.models:
        manifest = model.manifest
        memory = "recurrent" if manifest.recurrent else "no recurrent state"
        rows.append(
            (
                "policy",
                f"{model.name} ({manifest.algorithm}) at {manifest.control_rate_hz:g} Hz, "
                f"observation {manifest.observation_size}, action {manifest.action_size}, "
                f"{memory}, on {model.device}",
            )
        )
    rows.append(("requests", address))
    flag = "" if address == DEFAULT_ADDRESS else f" --address {address}"
    rows.append(("try", f"skill-control models{flag}"))
    return "\n".join(f"{name:<11}{text}" for name, text in rows)


def status_line(before: Counts, counts: Counts, elapsed_s: float, in_use: Sequence[int]) -> str:
    """Summarises the service on one line.

    Args:
        before: Earlier counts.
        counts: Present counts.
        elapsed_s: Time between them [s].
        in_use: Sessions and rows in use.
    """
    answered = max(0, counts.answered - before.answered)
    inferences = max(0, counts.inferences - before.inferences)
    sessions, rows = in_use
    shared = f", {answered / inferences:.1f} requests an inference" if inferences else ""
    return (
        f"{sessions} sessions with {rows} rows, {answered / max(elapsed_s, 1e-9):.0f} answers/s"
        f"{shared}, answered {counts.answered}, late {counts.late}, refused {counts.refused}"
    )
