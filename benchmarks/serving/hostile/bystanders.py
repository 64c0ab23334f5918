"""Innocent clients of the attacked server: a holder, a prober, a stop button and a subscriber.

All of them are sockets of one loop, so that no thread of this process delays another.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq

from benchmarks.serving.hostile.observed import Sent, State, now
from benchmarks.serving.hostile.rig import Addresses

COMMAND_PERIOD_S = 0.05
"""Time between two skills of the holder [s]."""
VALID_FOR_S = 0.5
TTL_S = 5.0
RENEW_PERIOD_S = 0.25
PROBE_PERIOD_S = 0.02
"""Time between two hellos of the prober, and between two attempts to make the arm move [s]."""
TURN_S = 2.0
"""Time in which the skill turns once, so that the arm always moves [s]."""
KEPT_STATES = 2000

RECOVERY_S = 60.0
"""Longest wait until the arm moves again [s]."""

HOLDER = "innocent"


@dataclass
class Bystanders:
    """The clients; ``run`` lets them work for some time.

    Attributes:
        states: The newest states of the telemetry.
        probes: Hellos of the prober since :meth:`forget`.
        stops: Stops since :meth:`forget`.
        moving: Whether the clients clear a stop and take the lease, to make the arm move again.
        refusals: Error codes of refused commands of the holder since :meth:`forget`.
        sample: Called a few times per command period; for measurements.
        gone: Whether the server has ended; ``run`` then returns at once.
    """

    addresses: Addresses
    period_s: float
    states: deque[State] = field(default_factory=lambda: deque(maxlen=KEPT_STATES))
    probes: list[Sent] = field(default_factory=list[Sent])
    stops: list[Sent] = field(default_factory=list[Sent])
    refusals: list[str] = field(default_factory=list[str])
    moving: bool = True
    sample: Callable[[], None] = lambda: None
    gone: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self._context = zmq.Context()
        self._sent: dict[int, Sent] = {}
        self._count, self._seq, self._lease, self._time = 0, 0, "", 0.0
        self._next_command = self._next_renewal = self._next_probe = self._next_sample = 0.0
        self._holder = self._dealer(self.addresses.commands)
        self._prober = self._dealer(self.addresses.commands)
        self._button = self._dealer(self.addresses.stop)
        self._telemetry = self._context.socket(zmq.SUB)
        self._telemetry.linger = 0
        self._telemetry.connect(self.addresses.telemetry)
        self._telemetry.subscribe(b"")

    def _dealer(self, address: str, identity: bytes = b"") -> zmq.Socket[bytes]:
        socket = self._context.socket(zmq.DEALER)
        options = {zmq.LINGER: 0, zmq.SNDHWM: 16, zmq.RECONNECT_IVL: 10, zmq.RECONNECT_IVL_MAX: 100}
        for option, value in options.items():
            socket.setsockopt(option, value)
        if identity:
            socket.identity = identity
        socket.connect(address)
        return socket

    def connect_again(self, identity: bytes = b"") -> None:
        """Opens the sockets of prober and stop button again, with an identity."""
        self._prober.close()
        self._button.close()
        self._prober = self._dealer(self.addresses.commands, identity)
        self._button = self._dealer(self.addresses.stop, identity)

    @property
    def state(self) -> State:
        """The newest state."""
        return self.states[-1]

    @property
    def age_s(self) -> float:
        """Age of the newest state [s]."""
        return now() - self.state.time if self.states else math.inf

    def forget(self) -> None:
        """Forgets the probes, stops and refusals so far."""
        self.probes, self.stops, self.refusals = [], [], []
        self._sent.clear()

    def stop(self) -> Sent:
        """Sends a stop."""
        sent = self._send(self._button, "stop", reason="innocent")
        sent.was_stopped = self.state.mode == "stopped"
        self.stops.append(sent)
        return sent

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Lets the clients work until a time on the server's clock [s], or until ``done``.

        Returns:
            Whether ``done`` ended it.
        """
        poller = zmq.Poller()
        sockets = (self._telemetry, self._holder, self._prober, self._button)
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        while not done():
            instant = now()
            if instant >= until or self.gone():
                return False
            self._work(instant)
            due = min(until, self._next_command, self._next_probe, self._next_sample)
            for socket, _ in poller.poll(max(1, math.ceil(1e3 * (due - now())))):
                self._read(socket)
        return True

    def run_until_it_moves(self) -> bool:
        """Clears a stop and takes the lease; returns whether a skill runs in time."""
        since = now()
        self.moving = True
        return self.run(
            since + RECOVERY_S,
            lambda: (
                bool(self.states)
                and self.state.time > since
                and self.state.mode == "skill"
                and self.state.holder == HOLDER
            ),
        )

    def _read(self, socket: zmq.Socket[bytes]) -> None:
        try:
            while True:
                frames = socket.recv_multipart(zmq.NOBLOCK)
                if socket is self._telemetry:
                    self._add_state(State.of(frames[0], self.period_s))
                else:
                    self._add_reply(json.loads(frames[0]))
        except zmq.Again:
            pass

    def _add_state(self, state: State) -> None:
        self.states.append(state)
        self._time = max(self._time, state.time)
        for stop in self.stops:
            if state.mode == "stopped" and not stop.was_stopped and state.time >= stop.at:
                stop.seen = min(stop.seen, state.time - stop.at)

    def _add_reply(self, reply: dict[str, Any]) -> None:
        sent = self._sent.pop(reply["id"], None)
        if sent is None:
            return
        self._time = max(self._time, reply["time"])
        sent.answered = now() - sent.at
        sent.accepted = reply["type"] != "error"
        if reply["type"] == "granted":
            self._lease, self._seq = reply["lease"], reply["seq"]
        elif not sent.accepted and sent.kind in ("skill", "renew"):
            self.refusals.append(reply["code"])
            if reply["code"] == "no_lease":
                self._lease = ""

    def _work(self, instant: float) -> None:
        """Sends the messages that are due."""
        if instant >= self._next_sample:
            self._next_sample = instant + COMMAND_PERIOD_S / 3
            self.sample()
        if instant >= self._next_probe:
            self._next_probe = instant + PROBE_PERIOD_S
            self.probes.append(self._send(self._prober, "hello"))
            if self.moving and self.states:
                self._make_it_move()
        if instant >= self._next_command:
            self._next_command = instant + COMMAND_PERIOD_S
            if self._lease:
                self._send_skill(instant)
        if instant >= self._next_renewal:
            self._next_renewal = instant + RENEW_PERIOD_S
            if self._lease:
                self._send(self._holder, "renew", lease=self._lease)

    def _make_it_move(self) -> None:
        if self.state.mode in ("stopped", "fault"):
            self._lease = ""
            self._send(self._holder, "clear")
        elif not self._lease:
            self._send(self._holder, "acquire", holder=HOLDER, ttl_s=TTL_S, priority=1)

    def _send_skill(self, instant: float) -> None:
        angle = 2.0 * math.pi * instant / TURN_S
        self._seq += 1
        self._send(
            self._holder,
            "skill",
            lease=self._lease,
            seq=self._seq,
            reference_time=self._time,
            valid_for_s=VALID_FOR_S,
            skill=[math.cos(angle), math.sin(angle)],
        )

    def _send(self, socket: zmq.Socket[bytes], kind: str, **fields: object) -> Sent:
        self._count += 1
        sent = self._sent[self._count] = Sent(now(), kind)
        text = json.dumps({"type": kind, "id": self._count, **fields})
        try:
            socket.send(text.encode(), zmq.NOBLOCK)
        except zmq.Again:
            del self._sent[self._count]  # the queue is full: it counts as unanswered
        return sent

    def close(self) -> None:
        """Closes all sockets."""
        self._context.destroy(linger=0)
