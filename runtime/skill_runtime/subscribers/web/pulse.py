"""The pulse of a browser's connection: pings whose answers show that it is alive.

A closed tab closes its socket, and this process knows at once. A cable that is pulled, or a laptop
that is closed, does not: without a ping the socket looks open for minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

PERIOD_S = 0.1
"""Time between two pings [s]."""

SILENT_S = 0.3
"""A connection without an answer for this long is silent [s]. With the time that it takes to
release the lease, the arm holds half a second after a connection is lost."""

LOST_S = 2.0
"""A connection that is silent for this long is lost, and closed [s]."""

STEADY = 5
"""Answers in time, one after the other, after which a connection that was silent counts again."""

CONNECTION: ContextVar[ServerConnection] = ContextVar("CONNECTION")
"""The connection whose handler, or a task of it, is running."""


async def watch_pulse(
    connection: ServerConnection, on_alive: Callable[[], None], on_silent: Callable[[], None]
) -> None:
    """Pings a browser until the connection is closed.

    A click that was made while the connection was silent waits on the way and arrives when the
    network returns. Nobody saw the arm then, so that it must have no effect. It arrives before the
    answers to new pings do, and the connection counts only after some of these. A connection that
    is lost is closed, with all that waits on the way; the page in the browser connects again.

    Before its first answer in time a connection is neither alive nor lost, since it may be slow
    while the browser loads the page.

    Args:
        connection: The connection.
        on_alive: Called when the connection counts from now on.
        on_silent: Called when it does no longer.
    """
    clock = asyncio.get_running_loop().time
    is_alive, was_alive, answers, answered = False, False, 0, clock()
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    await (await connection.ping())
            except TimeoutError:
                answers = 0
                if is_alive:
                    is_alive = False
                    on_silent()
                if was_alive and clock() > answered + LOST_S:
                    connection.transport.abort()
                    return
            else:
                answers, answered = answers + 1, clock()
                if not is_alive and (answers >= STEADY or not was_alive):
                    is_alive = was_alive = True
                    on_alive()
            await asyncio.sleep(PERIOD_S)
    except ConnectionClosed:
        return
