"""Steering: repeats one command under the lease, with a live line, until told to end.

Each repetition is valid for a moment only, so that the arm holds soon after this program has
gone, however it went. A fault that may end by itself is waited for: the lease stays in force, and
the first repetition after it moves the arm again.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable

from skill_runtime.client.client import SkillClient
from skill_runtime.client.errors import TRANSIENT_ERRORS, CommandRefusedError
from skill_runtime.console.status_line import LiveLine
from skill_runtime.console.text import state_line

PERIOD_S = 0.1
"""Time between two repetitions [s]."""

VALID_PERIODS = 5
"""Repetitions that may be lost before the arm holds."""


def holder_name() -> str:
    """The name under which this program takes the lease."""
    return f"skill-control {os.getpid()}@{socket.gethostname()}"[:256]


def steer(
    client: SkillClient,
    send: Callable[[float], None],
    duration_s: float | None,
    *,
    priority: int = 0,
) -> None:
    """Calls ``send(valid_for_s)`` again and again while holding the lease.

    Ends after ``duration_s``, or at a KeyboardInterrupt; both are a normal end.

    Raises:
        ClientError: the lease cannot be had or was lost, or the command was refused for more than
            the moment.
    """
    line = LiveLine()
    try:
        with client.acquire(holder_name(), priority=priority):
            _repeat(client, send, duration_s, line)
    except KeyboardInterrupt:
        pass
    finally:
        line.end()
    sys.stdout.write("the arm holds; the lease is free\n")


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
        raise refused  # it ended while nothing moved
