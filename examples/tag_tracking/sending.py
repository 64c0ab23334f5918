"""Poses to the server as ``track`` messages, each with its time on the server's clock."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass

from skill_proto.messages import Hello, Track, Welcome
from skill_robots.objects import CUBE
from skill_runtime.client import CommandRefusedError, Connection, read_keys

from .estimator import Estimate

CLOCK_S = 10.0
"""Round trips of this last time determine the offset between the clocks [s]."""


@dataclass(frozen=True, kw_only=True)
class _RoundTrip:
    received_s: float
    duration_s: float
    offset_s: float


def track_message(estimate: Estimate, captured_s: float) -> Track:
    """Returns the message for a pose; the server computes the velocity from successive poses.

    Args:
        estimate: the pose.
        captured_s: time of its exposure on the server's clock [s].
    """
    x, y, z = estimate.position.tolist()
    w, i, j, k = estimate.quaternion.tolist()
    about_x, about_y, about_z = estimate.spin.tolist()
    return Track(
        object=CUBE,
        captured=captured_s,
        position=(x, y, z),
        quaternion=(w, i, j, k),
        angular_velocity=(about_x, about_y, about_z),
    )


class ServerClock:
    """The server's clock, from round trips: the offset of the shortest one counts.

    The server read its clock between the sending of a message and the arrival of its reply. The
    error is at most half of the round trip (Mills, RFC 5905, section 8).
    """

    def __init__(self) -> None:
        self._trips: deque[_RoundTrip] = deque()

    def note(self, sent_s: float, received_s: float, server_s: float) -> None:
        """Records one round trip: two times of this machine and one of the server [s]."""
        offset = server_s - (sent_s + received_s) / 2
        self._trips.append(
            _RoundTrip(received_s=received_s, duration_s=received_s - sent_s, offset_s=offset)
        )
        while self._trips[0].received_s < received_s - CLOCK_S:
            self._trips.popleft()

    def at(self, time_s: float) -> float:
        """Returns the server's time at a time of this machine [s]."""
        return time_s + min(self._trips, key=lambda trip: trip.duration_s).offset_s

    def forget(self) -> None:
        """Drops all round trips, for another server."""
        self._trips.clear()


class PoseSender:
    """Sends the poses of one object.

    Args:
        address: the server's address for commands; its keys are those of docs/security.md.
        timeout_s: longest wait for a reply [s].

    Attributes:
        sent: number of poses that the server accepted.
        refused: number of refusals, by code.
        newest_refusal: newest refusal with its fix; None if the newest pose was accepted.
    """

    def __init__(self, address: str, timeout_s: float = 1.0) -> None:
        self._connection = Connection(address, timeout_s, read_keys(address))
        self._clock = ServerClock()
        self._instance = ""
        self.sent = 0
        self.refused: Counter[str] = Counter()
        self.newest_refusal: CommandRefusedError | None = None

    def hello(self) -> Welcome:
        """Says hello, and measures the server's clock.

        Raises:
            ClientError: no server answers.
        """
        for _ in range(5):
            sent = time.monotonic()
            reply, _ = self._connection.ask(Hello(client="tag_tracker.py"))
            self._note(sent, reply.instance)
        assert isinstance(reply, Welcome)
        return reply

    def send(self, estimate: Estimate) -> None:
        """Sends one pose; a refusal is counted.

        Raises:
            ClientError: no server answers, or the answer is not of this protocol.
        """
        message = track_message(estimate, self._clock.at(estimate.exposed_s))
        sent = time.monotonic()
        try:
            reply, _ = self._connection.ask(message)
        except CommandRefusedError as error:
            self.refused[error.code] += 1
            self.newest_refusal = error
            if error.code == "stale":  # perhaps a server that was started again, with its own clock
                self._clock.forget()
                self._clock.note(sent, time.monotonic(), self._connection.time)
            return
        self._note(sent, reply.instance)
        self.sent += 1
        self.newest_refusal = None

    def _note(self, sent: float, instance: str) -> None:
        if instance != self._instance:
            self._clock.forget()
            self._instance = instance
        self._clock.note(sent, time.monotonic(), self._connection.time)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()
