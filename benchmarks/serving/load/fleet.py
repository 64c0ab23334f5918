"""A fleet of virtual robots: one session and one TCP connection each, on one socket of libzmq.

A ROUTER that connects names each of its connections, so one poll loop plays all robots. To the
service each of them is a client of its own: a connection with a handshake, and with CURVE keys of a
session. The frames are those of PolicyClient.

A robot sends at its own time in each period, drawn once, whether or not others wait. While its last
request is without a reply it sends no other one; that step is missed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import zmq

from skill_proto.manifest import PolicyManifest
from skill_runtime.client.policy.acts import ActCall, ActFrames
from skill_runtime.security.client_keys import ClientKeys

GIVE_UP_S = 2.0
"""A request without a reply for this long is lost [s]."""

BURST = 32
"""Requests that are sent before replies are read."""

Socket = zmq.Socket[bytes]


class Command(TypedDict, total=False):
    """The command of one robot, as an argument of ``act``."""

    skill: list[list[float]]
    goal: list[list[float]]


@dataclass
class Record:
    """Observations of one run, of requests sent after its start."""

    steps: int = 0
    """Control steps of all robots."""
    missed: int = 0
    """Steps without a request, because the one before was unanswered."""
    lost: int = 0
    """Requests without a reply within :data:`GIVE_UP_S`."""
    forgotten: int = 0
    """Replies from a recurrent state that has not seen all requests of its robot."""
    errors: Counter[str] = field(default_factory=Counter[str])
    """Refused requests, by their code."""
    round_trips: list[float] = field(default_factory=list[float])
    """[s]."""
    delays: list[float] = field(default_factory=list[float])
    """How late each request was sent [s]: lateness of the generator, not of the service."""
    request_bytes: int = 0
    """Length of the newest request."""
    reply_bytes: int = 0
    """Length of the newest reply."""
    inferences: Counter[float] = field(default_factory=Counter[float])
    """Requests of each inference, by the server time in their replies."""


class Fleet:
    """Robots of one process.

    Args:
        addresses: Address of each robot.
        first: Number of the first robot, in its name.
        rate_hz: Control rate of every robot.
        seed: Seed of the times at which they send.
        keys: Keys of all connections; None for a service without keys.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        first: int,
        rate_hz: float,
        seed: int,
        keys: ClientKeys | None,
    ) -> None:
        self.robots = len(addresses)
        self.period_s = 1.0 / rate_hz
        self._phases = np.sort(np.random.default_rng(seed).uniform(0, self.period_s, self.robots))
        self._context: zmq.Context[Socket] = zmq.Context()
        self._context.max_sockets = 64
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.router_mandatory = True
        self._names = [b"%d" % place for place in range(self.robots)]
        for name, address in zip(self._names, addresses, strict=True):
            self._socket.setsockopt(zmq.CONNECT_ROUTING_ID, name)
            if keys is not None:
                keys.apply(self._socket)
            self._socket.connect(address)
        self._first = first
        self._requests: list[tuple[bytes, tuple[bytes, ...]]] = []
        self._id = 1 << 32
        self._waiting: dict[int, int] = {}  # id of the newest request by robot
        self._sent = [0.0] * self.robots
        self._age = [0] * self.robots

    def prepare(self, manifest: PolicyManifest, instances: Sequence[str], model: str) -> None:
        """Makes the frames of all robots.

        Args:
            manifest: Manifest of the policy.
            instances: Instance of the service of each robot.
            model: Name of the policy.
        """
        rng, frames = np.random.default_rng(0), ActFrames("")
        for place, instance in enumerate(instances):
            call = ActCall(
                session=f"robot {self._first + place}",
                episode=1,  # the next run of the generator takes over the session and its rows
                model=model,
                observation=rng.normal(0.0, 0.1, (1, manifest.observation_size)),
                instance=instance,
                **command_of(manifest),
            )
            header, *arrays = frames.request(call, 0, None)
            self._requests.append((header.removesuffix(b"0}"), tuple(arrays)))

    def begin(self, within_s: float) -> int:
        """Sends the first request of each robot; returns how many were answered in time.

        Args:
            within_s: Longest wait [s].
        """
        record, ends, place = Record(), time.perf_counter() + within_s, 0
        while time.perf_counter() < ends and (place < self.robots or self._waiting):
            if place < self.robots and len(self._waiting) < BURST:
                self._send(place, time.perf_counter())
                place += 1
            self._receive(record)
            if len(self._waiting) >= BURST or place == self.robots:
                self._socket.poll(1)
        return len(record.round_trips)

    def play(self, seconds: float, *, settle_s: float = 0.5) -> Record:
        """Lets all robots act at their rate.

        Args:
            seconds: Duration of the record [s].
            settle_s: Time before it, which is not part of the record [s].
        """
        start = time.perf_counter() + 0.02
        self._run(Record(), start, start + settle_s)
        cycles = round(settle_s / self.period_s)
        record = Record()
        start += cycles * self.period_s
        self._run(record, start, start + seconds)
        ends = time.perf_counter() + GIVE_UP_S
        while self._waiting and time.perf_counter() < ends:
            self._receive(record)
            self._socket.poll(1)
        self._give_up(record, float("inf"))
        header, arrays = self._requests[0]
        record.request_bytes = len(header) + len(f"{self._id}}}") + sum(map(len, arrays))
        return record

    def _run(self, record: Record, start: float, end: float) -> None:
        """Sends and receives from ``start`` until ``end`` [s]."""
        place, cycle, phases, period_s = 0, 0, self._phases.tolist(), self.period_s
        due = start + phases[0]
        while due < end:
            now = time.perf_counter()
            for _ in range(BURST):
                if due > now or due >= end:
                    break
                record.steps += 1
                if place in self._waiting:
                    record.missed += 1
                else:
                    record.delays.append(now - due)
                    self._send(place, now)
                place += 1
                if place == self.robots:
                    place, cycle = 0, cycle + 1
                    self._give_up(record, now - GIVE_UP_S)
                due = start + cycle * period_s + phases[place]
                now = time.perf_counter()
            self._receive(record)
            if due > time.perf_counter():
                self._socket.poll(1)

    def _send(self, place: int, now: float) -> None:
        header, arrays = self._requests[place]
        self._id += 1
        self._waiting[place] = self._id
        self._sent[place] = now
        self._socket.send_multipart((self._names[place], b"%b%d}" % (header, self._id), *arrays))

    def _receive(self, record: Record) -> None:
        """Reads the replies that have arrived."""
        for _ in range(2 * BURST):
            try:
                name, header, *arrays = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            now, place = time.perf_counter(), int(name)
            reply = json.loads(header)
            if reply["type"] != "acted":
                record.errors[reply.get("code", reply["type"])] += 1
                self._waiting.pop(place, None)
                self._age[place] = 0
                continue
            if self._waiting.get(place) != reply["id"]:
                continue  # that request was given up
            del self._waiting[place]
            record.round_trips.append(now - self._sent[place])
            record.inferences[reply["time"]] += 1
            record.forgotten += self._age[place] not in (0, reply["steps"] - 1)
            self._age[place] = reply["steps"]
            record.reply_bytes = len(header) + sum(map(len, arrays))

    def _give_up(self, record: Record, before: float) -> None:
        """Counts the requests without a reply that were sent before a time [s]."""
        for place in [place for place in self._waiting if self._sent[place] < before]:
            del self._waiting[place]
            record.lost += 1

    def close(self) -> None:
        """Closes the socket."""
        self._context.destroy(linger=0)


def command_of(manifest: PolicyManifest) -> Command:
    """Returns the skill or goal of a robot, if the policy takes one."""
    if manifest.skill.size:
        return {"skill": [[1.0] + [0.0] * (manifest.skill.size - 1)]}
    if manifest.goal is not None:
        return {"goal": [list(manifest.goal.high)]}
    return {}
