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

CONNECTION: ContextVar[ServerConnection] = ContextVar("CONNECTION")
"""The connection whose handler, or a task of it, is running."""


async def watch_pulse(
    connection: ServerConnection, on_alive: Callable[[], None], on_silent: Callable[[], None]
) -> None:
    """Pings a browser until the connection is closed, and closes it when it falls silent.

    Closing drops the clicks that wait on the way: a command that was given while nobody saw the arm
    must not move it when the network returns. The page in the browser connects again by itself.
    Before the first answer in time it may take as long as the page takes to load.

    Args:
        connection: The connection.
        on_alive: Called once, at the first answer in time.
        on_silent: Called once, when an answer does not come; the connection then closes.
    """
    is_alive = False
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    await (await connection.ping())
            except TimeoutError:
                if is_alive:
                    on_silent()
                    connection.transport.abort()
                    return
            else:
                if not is_alive:
                    is_alive = True
                    on_alive()
            await asyncio.sleep(PERIOD_S)
    except ConnectionClosed:
        return
