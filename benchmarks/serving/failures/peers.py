"""Client processes of the failure and endurance benchmarks; each role is a command.

A peer prints its events, one JSON object per line.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from contextlib import suppress
from pathlib import Path

import tyro
import zmq

from benchmarks.serving.failures.client_process import CLOCK
from skill_proto.messages import Hello, Track
from skill_runtime.client import ClientError, CommandRefusedError, Connection, SkillClient
from skill_runtime.client.connection import open_socket

COMMAND_PERIOD_S = 0.1
"""Time between two skills of the client [s]."""

TURN_S = 6.0
"""Time of one turn of the client's skill, so that the arm always moves [s]."""

LEASE_ENDED = ("LeaseLostError", "ServerReplacedError")
"""Errors after which the client commands no more."""

TRACK_PERIOD_S = 1 / 30
"""Time between two poses of the tracker [s]."""

FLOOD_CONNECTIONS = 8
FLOOD_BURST = 100
"""Messages sent to one connection before the next."""
FLOOD_TIMEOUT_S = 0.05
"""A connection that accepts no message for this time is replaced [s]."""

CHUNK_BYTES = 65536


def emit(event: str, **more: object) -> None:
    """Prints an event with the server time [s]."""
    print(json.dumps({"event": event, "at": CLOCK.now(), **more}), flush=True)


def client(
    address: str, /, valid_for_s: float = 0.3, ttl_s: float = 1.0, timeout_s: float = 0.5
) -> None:
    """Holds the lease, sends skills, and prints each change of the outcome of its calls.

    It continues after all errors except the loss of its lease, which ends the process.
    """
    with SkillClient(address, timeout_s=timeout_s, name="client") as server:
        _wait_for(server)
        size = server.server.manifest.skill.size
        lease = server.acquire("client", ttl_s=ttl_s)
        before = ""
        while True:
            angle = 2 * math.pi * time.monotonic() / TURN_S
            began, text = time.monotonic(), ""
            try:
                server.skill(
                    [math.cos(angle), math.sin(angle)] + [0.0] * (size - 2),
                    valid_for_s=valid_for_s,
                )
                outcome = "ok"
            except CommandRefusedError as error:
                outcome, text = error.code, str(error)
            except ClientError as error:
                outcome, text = type(error).__name__, str(error)
            if outcome != before:
                emit(outcome, took_s=time.monotonic() - began, text=text, lease=lease.token)
            if outcome in LEASE_ENDED:
                return
            before = outcome
            time.sleep(COMMAND_PERIOD_S)


def _wait_for(server: SkillClient, timeout_s: float = 30.0) -> None:
    ends = time.monotonic() + timeout_s
    while True:
        try:
            server.hello()
            return
        except ClientError:
            if time.monotonic() > ends:
                raise


def record(address: str, /, path: Path | None = None) -> None:
    """Prints each telemetry message, or appends it to the file ``path``."""
    socket = open_socket(zmq.SUB, address, {zmq.RCVHWM: 100_000})
    socket.subscribe(b"")
    first = socket.recv()
    if path is not None:
        emit("ok")
    with sys.stdout.buffer if path is None else path.open("ab") as write:
        write.write(first + b"\n")
        while True:
            write.flush()
            write.write(socket.recv() + b"\n")


def watch(address: str, /) -> None:
    """Reads telemetry with a small receive buffer and prints the number of missed states."""
    socket = open_socket(zmq.SUB, address, {zmq.RCVHWM: 1, zmq.RCVBUF: 4096})
    socket.subscribe(b"")
    expected = json.loads(socket.recv())["seq"] + 1
    emit("ok", missed=0)
    while True:
        seq = json.loads(socket.recv())["seq"]
        if seq != expected:
            emit("gap", missed=seq - expected)
        expected = seq + 1


def tracker(address: str, /) -> None:
    """Sends the pose of a cube in front of the arm thirty times per second."""
    with Connection(address, 10.0) as connection:
        ahead_s = connection.ask(Hello(client="tracker"))[0].time - time.monotonic()
        before = ""
        while True:
            # Both clocks run at the same rate, so the offset is constant.
            captured = time.monotonic() + ahead_s
            outcome = "ok"
            try:
                connection.ask(Track(object="cube", captured=captured, position=(0.05, 0.0, 0.02)))
            except CommandRefusedError as error:
                outcome = error.code
            if outcome != before:
                emit(outcome)
            before = outcome
            time.sleep(TRACK_PERIOD_S)


def flood(address: str, /, rate: float = math.inf) -> None:
    """Sends valid commands with an unknown lease, and reads no reply.

    Once all buffers are full, a connection accepts only as many messages as the server reads. A
    full connection is therefore replaced by a new one.

    Args:
        address: Address of the server.
        rate: Largest rate [messages/s]; infinity for full speed.
    """
    frame = b'{"v":1,"type":"renew","id":1,"lease":"nobody"}'

    def connect() -> zmq.Socket[bytes]:
        return open_socket(zmq.DEALER, address, {zmq.SNDHWM: 100, zmq.RCVHWM: 1})

    sockets = [connect() for _ in range(FLOOD_CONNECTIONS)]
    deadlines = [time.monotonic() + FLOOD_TIMEOUT_S] * FLOOD_CONNECTIONS
    sent, burst_s = 0, FLOOD_BURST / rate
    next_line = next_burst = time.monotonic()
    while True:
        for i, socket in enumerate(sockets):
            before = sent
            with suppress(zmq.Again):
                for _ in range(FLOOD_BURST):
                    socket.send(frame, zmq.NOBLOCK)
                    sent += 1
            now = time.monotonic()
            if sent > before:
                deadlines[i] = now + FLOOD_TIMEOUT_S
            elif now > deadlines[i]:
                socket.close()
                sockets[i], deadlines[i] = connect(), now + FLOOD_TIMEOUT_S
            next_burst = max(next_burst + burst_s, now - 0.1)
            if (pause_s := next_burst - now) > 0:
                time.sleep(pause_s)
        if time.monotonic() >= next_line:
            emit("ok", sent=sent)
            next_line += 0.1


def forward(here: str, there: str, port: int, /) -> None:
    """Forwards TCP connections from ``here`` to ``there``, at three ports: one end of a tunnel."""
    asyncio.run(_forward(here, there, range(port, port + 3)))


async def _forward(here: str, there: str, ports: range) -> None:
    servers: list[asyncio.Server] = []
    for port in ports:

        async def carry(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port
        ) -> None:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(there, port)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            writer.close()

        servers.append(await asyncio.start_server(carry, here, port))
    emit("ok")
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies bytes until one end closes, then closes the writer."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    roles = (client, record, watch, tracker, flood, forward)
    with suppress(KeyboardInterrupt, BrokenPipeError):
        tyro.extras.subcommand_cli_from_dict({role.__name__: role for role in roles})
