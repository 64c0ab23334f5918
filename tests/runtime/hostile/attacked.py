"""Helpers of the tests that attack a server."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zmq
from benchmarks.serving.hostile.attacks.attack import Attack, Target
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.rig import CONTROLLER, Server
from tests.support.served import DEADLINE_S

COMMAND = [sys.executable, "-m", "skill_runtime.cli.serve"]

SERVO_PERIOD_S = 0.005

ID = 77
"""``id`` of the requests."""

PROCESS_BOUND_MB = 300.0
"""No process of a server under attack grows beyond this [MB]."""

CONTROLLER_BOUND_MB = 10.0
"""The controller grows by less than this, whatever happens on the network [MB]."""

USABLE_S = 5.0
"""A server that a test has used answers a hello within this time [s]."""


class ServerBox:
    """The server of a module, replaced when it is dead or busy.

    Args:
        model: Policy file.
        folder: Folder of the logs.
    """

    def __init__(self, model: Path, folder: Path) -> None:
        self._model = model
        self._folder = folder
        self._started = 0
        self._server: Server | None = None

    def server(self) -> Server:
        """Returns a usable server."""
        if self._server is None:
            self._started += 1
            options = ["--model", str(self._model), "--stop-after", "inf"]
            log = self._folder / f"{self._started}.log"
            self._server = Server(COMMAND, options, log).__enter__()
        return self._server

    def check(self) -> None:
        """Ends the server if it does not answer."""
        assert self._server is not None
        hello = ask(self._server.addresses.commands, {"type": "hello"}, USABLE_S)
        stop = ask(self._server.addresses.stop, {"type": "stop"}, USABLE_S)
        if not (self._server.alive and hello and stop):
            self.close()

    def close(self) -> None:
        """Ends the server."""
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None


def ask(
    address: str,
    request: dict[str, Any] | bytes | list[bytes],
    timeout_s: float = DEADLINE_S,
    identity: bytes = b"",
) -> dict[str, Any]:
    """Sends a request on a new connection; returns the reply, empty without one.

    A connection with the identity of another one may receive the replies to that one. The reply to
    a request that is a dictionary is recognised by its id.
    """
    named = isinstance(request, dict)
    frames = request if isinstance(request, list) else [request]
    encoded = [json.dumps({"id": ID, **f}).encode() if isinstance(f, dict) else f for f in frames]
    ends = time.monotonic() + timeout_s
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        if identity:
            socket.identity = identity
        socket.connect(address)
        socket.send_multipart(encoded)
        while socket.poll(max(0, round(1000 * (ends - time.monotonic())))):
            reply = json.loads(socket.recv_multipart()[0])
            # A server that cannot read the id of a request replies with id 0.
            if not named or reply["id"] == ID or (reply["id"] == 0 and not identity):
                return reply
    return {}


@contextmanager
def under(attack: Attack, server: Server, lasts_s: float, number: int = 0) -> Generator[None]:
    """Attacks from a thread while the block runs."""
    thread = start(attack, server, lasts_s, number)
    try:
        yield
    finally:
        thread.join()


def start(attack: Attack, server: Server, lasts_s: float, number: int = 0) -> threading.Thread:
    """Attacks from a thread."""
    ends = time.monotonic() + lasts_s
    target = Target(**server.addresses._asdict(), repeat=number, ends=ends)
    thread = threading.Thread(target=attack.run, args=(target,), name=attack.name)
    thread.start()
    return thread


def until(clients: Bystanders, condition: Callable[[], bool], failure: str) -> None:
    """Lets the clients work until a condition holds; fails the test if it never does."""
    assert clients.run(now() + DEADLINE_S, condition), f"{failure}; last state: {clients.state}"


def until_mode(clients: Bystanders, mode: str) -> None:
    """Lets the clients work until a new state has this mode."""
    since = now()
    until(
        clients,
        lambda: clients.state.time > since and clients.state.mode == mode,
        f"the arm never was in mode {mode}",
    )


def until_it_moves(clients: Bystanders) -> None:
    """Lets the clients clear a stop, take the lease and run a skill."""
    assert clients.run_until_it_moves(), f"the arm never moved; last state: {clients.state}"


def settled(clients: Bystanders) -> None:
    """Lets the clients work until telemetry of this moment has arrived."""
    since = now()
    until(clients, lambda: clients.state.time > since, "telemetry never came back")


class Watch:
    """The processes and the memory of a server, from the begin of the block to its end."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = server.memory()
        self._controller = server.processes()[CONTROLLER]
        server.reset_peaks()

    def check(self) -> None:
        """Fails the test if the controller has changed, or a process has grown too much."""
        assert self._server.alive, "the server died"
        assert self._server.processes().get(CONTROLLER) == self._controller, "the controller died"
        after = self._server.memory()
        grown = after[CONTROLLER].peak - self._before[CONTROLLER].rss
        assert grown < CONTROLLER_BOUND_MB, f"the controller grew by {grown:.0f} MB"
        for role, memory in after.items():
            assert memory.peak < PROCESS_BOUND_MB, f"the {role} grew to {memory.peak:.0f} MB"
