"""The memory that a client has of its service: its description, its clock, its sessions."""

from __future__ import annotations

import time

from skill_proto.arrays import FloatArray
from skill_proto.messages import Error, Hello, Inbound, Reply, ServiceWelcome, Swap
from skill_runtime.client.connection import R, expect, is_other
from skill_runtime.client.errors import (
    SessionLostError,
    from_reply,
    replaced,
)
from skill_runtime.client.policy.acts import SPLIT, ActCall, ActFrames, Answer, arrays_of
from skill_runtime.client.policy.quick import MAX_CALLS, PreparedCall, prepare
from skill_runtime.client.policy.round_trips import RoundTrips
from skill_runtime.client.requests import check_timeout, make_request, plain_text
from skill_runtime.client.sessions import SessionAges

CLOCK_PERIOD_S = 1.0
"""Interval at which the server's clock is compared, since two clocks drift [s]."""

CLOCK_TOLERANCE = 2.0
"""A reply that took this much longer than the fastest one tells the server's clock too badly."""


class Knowledge:
    """Checks the replies of one service, and remembers what later requests need.

    Args:
        address: Endpoint of the service.
        timeout_s: Longest duration of a call [s].
        name: Name of the program in the server's debug log.

    Attributes:
        welcome: newest description of the service; None before the first.
        instance: instance of the server; empty if it is unknown.
        frames: makes and reads the frames of ``act``.
        round_trips: duration of the answered ``act`` calls.
        prepared: calls like earlier ones, by session, episode and model.
    """

    def __init__(self, address: str, timeout_s: float, name: object) -> None:
        self.address = address
        self.timeout_s = check_timeout(timeout_s)
        self.welcome: ServiceWelcome | None = None
        self.instance = ""
        self.frames = ActFrames(address)
        self.round_trips = RoundTrips()
        self.prepared: dict[tuple[str, int | None, str | None], PreparedCall] = {}
        self._latest: Answer | tuple[bytes, dict[str, FloatArray]] | None = None
        self.hello = Hello(client=plain_text(name))
        self._sessions = SessionAges()
        self._offset_s, self._best_s, self._clock_due = 0.0, float("inf"), 0.0

    @property
    def latest(self) -> Answer | None:
        """The newest answer; None before the first."""
        if isinstance(self._latest, tuple):
            self._latest = self.frames.answer(*self._latest)
        return self._latest

    def adopt(self, reply: Reply, sent_at: float) -> ServiceWelcome:
        """Takes the server that answered ``hello`` as the one that is meant.

        Args:
            reply: Its reply.
            sent_at: Monotonic time of the request [s].

        Raises:
            ProtocolError: It is not a policy service.
            ClientError: It refused the request.
        """
        welcome = self.checked(reply, ServiceWelcome)
        if is_other(welcome.instance, self.instance):
            self._sessions, self._best_s = SessionAges(), float("inf")
            self.prepared.clear()
        self.welcome, self.instance = welcome, welcome.instance
        self._note_clock(welcome.time, sent_at, time.monotonic())
        return welcome

    def checked(self, reply: Reply, kind: type[R]) -> R:
        """Returns a reply of this kind.

        Raises:
            ClientError: It is an error, or another kind of reply.
        """
        if isinstance(reply, Error):
            raise from_reply(reply, self.address)
        return expect(reply, kind)

    def swap(self, model: str | None, file: str | None) -> Inbound:
        """Returns the request for a swap."""
        return make_request(Swap, model=model, file=file, instance=self.instance or None)

    def deadline(self, deadline_s: float | None) -> float | None:
        """Returns the server time that is ``deadline_s`` from now [s]."""
        return None if deadline_s is None else time.monotonic() + self._offset_s + deadline_s

    # Replies to act -----------------------------------------------------------------------------

    def note(self, call: ActCall, answer: Answer, sent_at: float, *, join: bool) -> None:
        """Checks an answer, and counts its round trip.

        Args:
            call: The request.
            answer: Its answer.
            sent_at: Monotonic time at which the call began [s].
            join: Whether other programs may send to the session.

        Raises:
            ServerReplacedError: Another server has answered.
            SessionLostError, SessionSharedError: The recurrent state is not that of this client.
        """
        now = time.monotonic()
        self._forget_prepared(call)  # the reply differs from earlier ones
        if is_other(answer.instance, self.instance):
            raise replaced(self.address)
        self.round_trips.add(now - sent_at)
        self.round_trips.late += answer.late_s > 0
        self._latest = answer
        self._note_clock(answer.time, sent_at, now)
        self._sessions.check(call.full_name, call.episode, answer.steps, join=join)

    def note_error(self, call: ActCall, reply: Error) -> Exception:
        """Returns the exception for a refusal."""
        self._forget_prepared(call)
        error = from_reply(reply, self.address)
        if isinstance(error, SessionLostError):
            self._sessions.forget(call.full_name)
        return error

    def note_loss(self, call: ActCall) -> None:
        """Records a request to which no reply arrived."""
        self.prepared.clear()
        self._sessions.lost_reply(call.full_name, call.episode)

    def _forget_prepared(self, call: ActCall) -> None:
        self.prepared.pop((call.session, call.episode, call.model), None)

    # Calls like earlier ones --------------------------------------------------------------------

    def prepare(self, call: ActCall, frames: list[bytes], header: bytes) -> None:
        """Prepares the later calls of a session.

        Args:
            call: A call that was answered.
            frames: Its request.
            header: The header of its reply.
        """
        described = self.frames.head_of_reply(header)
        if described is None:
            return
        age = self._sessions.age_of(call.full_name, call.episode)
        head = frames[0].rpartition(SPLIT)[0]
        prepared = prepare(head, dict(arrays_of(call)), described[0], described[1], age)
        if prepared is not None:
            if len(self.prepared) >= MAX_CALLS:
                self.prepared.clear()
            self.prepared[call.session, call.episode, call.model] = prepared

    def note_quick(
        self, header: bytes, arrays: dict[str, FloatArray], sent_at: float, timed: bool
    ) -> None:
        """Counts the round trip of a prepared call.

        Args:
            header: The header of its reply.
            arrays: The arrays of its reply.
            sent_at: Monotonic time at which the call began [s].
            timed: Whether it had a deadline.
        """
        now = time.monotonic()
        self._latest = header, arrays
        self.round_trips.add(now - sent_at)
        if timed and b'"late_s"' in header:
            self.round_trips.late += 1
        if now > self._clock_due:
            answer = self.frames.answer(header, arrays)
            self._note_clock(answer.time, sent_at, now)

    def _note_clock(self, time_s: float, sent_at: float, now: float) -> None:
        """Learns the server's clock from the fastest reply: half a round trip is its error."""
        round_trip_s = now - sent_at
        if round_trip_s < CLOCK_TOLERANCE * self._best_s:
            self._best_s = min(self._best_s, round_trip_s)
            self._offset_s = time_s - (now - 0.5 * round_trip_s)
            self._clock_due = now + CLOCK_PERIOD_S
