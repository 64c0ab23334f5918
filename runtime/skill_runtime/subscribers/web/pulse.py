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


async def watch_pulse(connection: ServerConnection, on_silent: Callable[[], None]) -> None:
    """Pings a browser until the connection is closed.

    The connection stays open while it is silent, so that the page comes back by itself.

    Args:
        connection: The connection.
        on_silent: Called when an answer does not come, and again while none comes.
    """
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_S):
                    await (await connection.ping())
            except TimeoutError:
                on_silent()
            await asyncio.sleep(PERIOD_S)
    except ConnectionClosed:
        return
