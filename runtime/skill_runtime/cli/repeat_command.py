"""Repeats one command under the lease, with a status line, until its time is over or Ctrl-C.

Each repetition is valid for a short time only, so the arm holds soon after this program has ended,
whatever the cause. A recoverable fault does not end the program: the lease stays in force, and the
first repetition after the fault moves the arm again.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from skill_runtime.client import TRANSIENT_ERRORS, CommandRefusedError, SkillClient
from skill_runtime.console.status_line import LiveLine
from skill_runtime.console.text import state_line

PERIOD_S = 0.1
"""Time between two repetitions [s]."""

VALID_PERIODS = 5
"""Validity of one repetition [periods]; the arm holds if as many in a row are lost."""


def holder_name() -> str:
    """Returns the name under which this program holds the lease."""
    return f"skill-control {os.getpid()}@{socket.gethostname()}"[:256]


def repeat_command(
    client: SkillClient,
    send: Callable[[float], None],
    duration_s: float | None,
    *,
    priority: int = 0,
) -> None:
    """Acquires the lease and calls ``send(valid_for_s)`` periodically.

    Ends after ``duration_s`` [s], or at a KeyboardInterrupt; both are a normal end.

    Raises:
        ClientError: the lease was refused or lost, or the command was refused, not transiently.
    """
    line = LiveLine()
    try:
        with client.acquire(holder_name(), priority=priority):
            _repeat(client, send, duration_s, line)
    except KeyboardInterrupt:
        pass
    finally:
        line.end()
    line.say("the arm holds; the lease is free")
    line.flush()


def _repeat(
    client: SkillClient, send: Callable[[float], None], duration_s: float | None, line: LiveLine
) -> None:
    valid_for_s = VALID_PERIODS * PERIOD_S + 1 / client.server.telemetry_rate_hz
    start = time.monotonic()
    refused: CommandRefusedError | None = None
    while duration_s is None or time.monotonic() < start + duration_s:
        next_time = time.monotonic() + PERIOD_S
        try:
            send(valid_for_s)
            refused = None
        except CommandRefusedError as error:
            if error.code not in TRANSIENT_ERRORS:
                raise
            refused = error
        line.show(state_line(client.state(), client.server.manifest))
        time.sleep(max(0.0, next_time - time.monotonic()))
    if refused is not None:
        raise refused  # the duration ended during the fault
