"""The processes that failures.py kills, stops, cuts off and floods with; each role is a command.

Some of them load the server of endurance.py as well.

What a peer has to say it prints, one JSON object a line.
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

from skill_proto.messages import Hello, Track
from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection, open_socket
from skill_runtime.client.errors import ClientError, CommandRefusedError, LeaseLostError
from skill_runtime.realtime.clock import MonotonicClock

CLOCK = MonotonicClock()
"""The server's."""

COMMAND_PERIOD_S = 0.1
"""Between two skills of the controller [s]."""

TURN_S = 6.0
"""In which the controller's skill turns once around, so that the arm is never done [s]."""

TRACK_PERIOD_S = 1 / 30
"""Between two poses of the tracker [s]."""

FLOOD_CONNECTIONS = 8
FLOOD_BURST = 100
"""Messages sent to one connection before the next has its turn."""
FLOOD_PATIENCE_S = 0.05
"""A connection that takes nothing for this long is given up [s]."""

CHUNK_BYTES = 65536


def say(what: str, **more: object) -> None:
    """Prints what has happened, with the server's time [s]."""
    print(json.dumps({"what": what, "at": CLOCK.now(), **more}), flush=True)


def controller(
    address: str, /, valid_for_s: float = 0.3, ttl_s: float = 1.0, timeout_s: float = 0.5
) -> None:
    """Steers by skills and says when a call's outcome is another than that of the one before.

    It goes on through everything but the loss of its lease, which ends it.
    """
    with SkillClient(address, timeout_s=timeout_s, name="controller") as client:
        _wait_for(client)
        size = client.server.manifest.skill.size
        lease = client.acquire("controller", ttl_s=ttl_s)
        before = ""
        while True:
            angle = 2 * math.pi * time.monotonic() / TURN_S
            began, text = time.monotonic(), ""
            try:
                client.skill(
                    [math.cos(angle), math.sin(angle)] + [0.0] * (size - 2),
                    valid_for_s=valid_for_s,
                )
                outcome = "ok"
            except CommandRefusedError as error:
                outcome, text = error.code, str(error)
            except ClientError as error:
                outcome, text = type(error).__name__, str(error)
            if outcome != before:
                say(outcome, took_s=time.monotonic() - began, text=text, lease=lease.token)
            if outcome == LeaseLostError.__name__:
                return
            before = outcome
            time.sleep(COMMAND_PERIOD_S)


def _wait_for(client: SkillClient, patience_s: float = 30.0) -> None:
    ends = time.monotonic() + patience_s
    while True:
        try:
            client.hello()
            return
        except ClientError:
            if time.monotonic() > ends:
                raise


def record(address: str, /, path: Path | None = None) -> None:
    """Prints every telemetry message as it comes, or appends it to the file ``path``."""
    socket = open_socket(zmq.SUB, address, {zmq.RCVHWM: 100_000})
    socket.subscribe(b"")
    first = socket.recv()
    if path is not None:
        say("ok")
    with sys.stdout.buffer if path is None else path.open("ab") as write:
        write.write(first + b"\n")
        while True:
            write.flush()
            write.write(socket.recv() + b"\n")


def watch(address: str, /) -> None:
    """Reads telemetry with little room for what it has not read yet; says what it has missed."""
    socket = open_socket(zmq.SUB, address, {zmq.RCVHWM: 1, zmq.RCVBUF: 4096})
    socket.subscribe(b"")
    expected = json.loads(socket.recv())["seq"] + 1
    say("ok", missed=0)
    while True:
        seq = json.loads(socket.recv())["seq"]
        if seq != expected:
            say("gap", missed=seq - expected)
        expected = seq + 1


def tracker(address: str, /) -> None:
    """Says thirty times a second that a cube lies in front of the arm."""
    with Connection(address, 10.0) as channel:
        ahead_s = channel.ask(Hello(client="tracker"))[0].time - time.monotonic()
        before = ""
        while True:
            # Up to now, the server's clock has gone on as ours has.
            captured = time.monotonic() + ahead_s
            outcome = "ok"
            try:
                channel.ask(Track(object="cube", captured=captured, position=(0.05, 0.0, 0.02)))
            except CommandRefusedError as error:
                outcome = error.code
            if outcome != before:
                say(outcome)
            before = outcome
            time.sleep(TRACK_PERIOD_S)


def flood(address: str, /, rate: float = math.inf) -> None:
    """Sends well-formed commands of nobody, and reads no reply.

    A connection takes no more than the server reads once all buffers on the way are full: one that
    is full is given up for a new one.

    Args:
        address: where to.
        rate: Most messages a second; as fast as it can where infinite.
    """
    frame = b'{"v":1,"type":"renew","id":1,"lease":"nobody"}'

    def connect() -> zmq.Socket[bytes]:
        return open_socket(zmq.DEALER, address, {zmq.SNDHWM: 100, zmq.RCVHWM: 1})

    sockets = [connect() for _ in range(FLOOD_CONNECTIONS)]
    given_up_s = [time.monotonic() + FLOOD_PATIENCE_S] * FLOOD_CONNECTIONS
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
                given_up_s[i] = now + FLOOD_PATIENCE_S
            elif now > given_up_s[i]:
                socket.close()
                sockets[i], given_up_s[i] = connect(), now + FLOOD_PATIENCE_S
            next_burst = max(next_burst + burst_s, now - 0.1)
            if (pause_s := next_burst - now) > 0:
                time.sleep(pause_s)
        if time.monotonic() >= next_line:
            say("ok", sent=sent)
            next_line += 0.1


def forward(here: str, there: str, port: int, /) -> None:
    """Carries TCP connections to ``here`` on to ``there``, at three ports: a tunnel's end."""
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
    say("ok")
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Either end may close; then the other end of that direction is closed as well."""
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    roles = (controller, record, watch, tracker, flood, forward)
    with suppress(KeyboardInterrupt, BrokenPipeError):
        tyro.extras.subcommand_cli_from_dict({role.__name__: role for role in roles})
