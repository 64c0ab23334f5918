"""The pulse of a connection: real sockets, one of which falls silent."""

from __future__ import annotations

import asyncio

import pytest
import websockets.asyncio.client
import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from skill_runtime.subscribers.web.pulse import watch_pulse

DEADLINE_S = 60.0


async def _talk(notes: list[str], *, returns: bool) -> None:
    """A browser clicks while its answers do not arrive; then the network returns, or never does."""
    ended = asyncio.Event()

    async def handle(connection: ServerConnection) -> None:
        silent, alive = asyncio.Event(), asyncio.Event()

        def on_alive() -> None:
            notes.append("alive")
            alive.set()

        def on_silent() -> None:
            notes.append("silent")
            silent.set()

        pulse = asyncio.create_task(watch_pulse(connection, on_alive, on_silent))
        await alive.wait()
        alive.clear()
        connection.transport.pause_reading()  # as with a cable that is pulled
        await connection.send("click now")
        await silent.wait()
        try:
            if returns:
                connection.transport.resume_reading()
            notes.append(str(await connection.recv()))
            await alive.wait()
            await connection.close()
        except ConnectionClosed:
            notes.append("closed")
        await pulse
        ended.set()

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}") as browser:
            await browser.recv()
            await browser.send("an old click")
            await browser.wait_closed()
        await ended.wait()


def test_a_click_from_a_short_silence_arrives_before_the_connection_counts_again() -> None:
    notes: list[str] = []
    asyncio.run(asyncio.wait_for(_talk(notes, returns=True), DEADLINE_S))
    assert notes == ["alive", "silent", "an old click", "alive"]


def test_a_click_from_a_long_silence_never_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skill_runtime.subscribers.web.pulse.LOST_S", 0.5)
    notes: list[str] = []
    asyncio.run(asyncio.wait_for(_talk(notes, returns=False), DEADLINE_S))
    assert notes == ["alive", "silent", "closed"]


async def _load_slowly(notes: list[str]) -> None:
    """A browser that does not answer in time at first, as while it loads the page."""

    async def handle(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        alive = asyncio.Event()
        pulse = asyncio.create_task(
            watch_pulse(connection, alive.set, lambda: notes.append("silent"))
        )
        await asyncio.sleep(0.5)  # longer than silence
        assert not alive.is_set()
        connection.transport.resume_reading()
        await alive.wait()
        notes.append("alive")
        await connection.close()
        await pulse

    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.asyncio.client.connect(f"ws://127.0.0.1:{port}") as browser:
            await browser.wait_closed()


def test_a_page_that_is_slow_to_load_is_not_closed() -> None:
    notes: list[str] = []
    asyncio.run(asyncio.wait_for(_load_slowly(notes), DEADLINE_S))
    assert notes == ["alive"]
