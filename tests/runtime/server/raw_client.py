"""A client that uses only ZeroMQ and JSON, and the checks of its replies."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zmq
from tests.support.served import DEADLINE_S, LocalServer

Header = dict[str, Any]

SKILL = [0.6, 0.8]
"""The skill of a client that moves the arm."""

LONG_S = 60.0
"""Lifetime of leases and commands that must outlive the slowest test [s]."""


class RawClient:
    """A DEALER socket, and the lease that it holds."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(address)
        self.lease = ""
        self.time = 0.0
        self.seq = 0

    def receive(self) -> Header:
        assert self.socket.poll(int(1e3 * DEADLINE_S)), "no reply"
        reply: Header = json.loads(self.socket.recv())
        self.time = reply["time"]
        return reply

    def ask(self, *frames: bytes) -> Header:
        self.socket.send_multipart(frames)
        return self.receive()

    def say(self, **message: object) -> Header:
        return self.ask(json.dumps({"v": 1, "id": 7, **message}).encode())

    def acquire(self, ttl_s: float = LONG_S) -> None:
        reply = self.say(type="acquire", holder="mover", ttl_s=ttl_s)
        assert reply["type"] == "granted", reply
        self.lease, self.seq = reply["lease"], reply["seq"]

    def command(self, **fields: object) -> Header:
        """Sends a command under the lease; given fields replace its own."""
        self.seq += 1
        message: Header = {"lease": self.lease, "seq": self.seq, "reference_time": self.time}
        if fields["type"] in ("skill", "goal", "servo_joint", "servo_pose"):
            message["valid_for_s"] = LONG_S
        return self.say(**message | fields)

    def close(self) -> None:
        self._context.destroy(linger=0)  # the socket, and a monitor of it


def counted_refusals(server: LocalServer) -> dict[str, int]:
    """Returns the counters that telemetry publishes as ``rejected.CODE``."""
    counters = dict(server.authority.events.counters)
    for name, count in server.channel.refusals().items():
        counters[name] = counters.get(name, 0) + count
    return {name: count for name, count in counters.items() if name.startswith("rejected.")}


def assert_error(server: LocalServer, reply: Header, code: str, *words: str) -> None:
    """The reply is the error with this code; its message has the words."""
    assert (reply["type"], reply["code"]) == ("error", code), reply
    assert reply["instance"] == server.instance
    assert reply["fix"]
    for word in words:
        assert word in reply["message"], reply


class Refusals:
    """Checks that a server counts each refusal once."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server
        self._counted = counted_refusals(server)

    def check(self, reply: Header, code: str, *words: str) -> None:
        """As :func:`assert_error`; since the last check, this refusal alone was counted."""
        assert_error(self._server, reply, code, *words)
        name = f"rejected.{code}"
        self._counted[name] = self._counted.get(name, 0) + 1
        self.check_no_other()

    def check_no_other(self) -> None:
        """Since the last check, no refusal was counted."""
        assert counted_refusals(self._server) == self._counted


def assert_untouched(server: LocalServer, mover: RawClient) -> None:
    """The skill still runs under its lease, and the next command is accepted."""
    authority = server.authority
    assert authority.mode == "skill"
    assert authority.command is not None
    assert authority.command.vector.tolist() == pytest.approx(SKILL)
    assert authority.lease is not None
    assert authority.lease.token == mover.lease
    mover.seq = authority.seq
    assert mover.say(type="hello")["mode"] == "skill"  # and the newest time
    assert mover.command(type="skill", skill=SKILL)["type"] == "ok"
