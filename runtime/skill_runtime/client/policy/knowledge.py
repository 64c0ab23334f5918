"""The memory that a client has of its service: its description, its clock, its sessions."""

from __future__ import annotations

import time

from skill_proto.arrays import FloatArray
from skill_proto.messages import Error, Hello, Inbound, Reply, ServiceWelcome, Swap
from skill_runtime.client.connection import R, expect, is_other
from skill_runtime.client.errors import (
    ServerReplacedError,
    SessionLostError,
    from_reply,
    lost_with_server,
    replaced,
)
from skill_runtime.client.policy.acts import SPLIT, ActCall, ActFrames, Answer, arrays_of
from skill_runtime.client.policy.quick import MAX_CALLS, PreparedCall, prepare
from skill_runtime.client.policy.round_trips import RoundTrips
from skill_runtime.client.requests import check_finite, check_timeout, make_request, plain_text
from skill_runtime.client.sessions import SessionAges
from skill_runtime.client.sockets.address import check_address

CLOCK_PERIOD_S = 1.0
"""Interval at which the server's clock is compared, since two clocks drift [s]."""

CLOCK_TOLERANCE = 2.0
"""A reply that took this much longer than the fastest one tells the server's clock too badly."""

CLOCK_PATIENCE = 1.5
"""Growth of the fastest duration for each period in which no reply was fast enough: the way to the
server may have become longer for good."""


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

    Raises:
        InvalidAddressError: the address is malformed.
        InvalidUseError: the timeout is not a number of seconds.
    """

    def __init__(self, address: str, timeout_s: float, name: object) -> None:
        check_address(address)
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
        self._offset_s, self._best_s = 0.0, float("inf")
        self._clock_due = self._patience_ends = 0.0

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
            self._forget_server()
        self.welcome, self.instance = welcome, welcome.instance
        self._note_clock(welcome.time, sent_at, time.monotonic())
        return welcome

    def checked(self, reply: Reply, kind: type[R]) -> R:
        """Returns a reply of this kind.

        Raises:
            ClientError: It is an error, or another kind of reply.
        """
        if isinstance(reply, Error):
            error = from_reply(reply, self.address)
            if isinstance(error, ServerReplacedError):
                self._forget_server()
                raise replaced(self.address, "call again to use the new service")
            raise error
        return expect(reply, kind)

    def _forget_server(self) -> None:
        """Records that the service was replaced.

        The next call asks for the description of the new one, and each session that had a recurrent
        state raises SessionLostError once.
        """
        self.welcome, self.instance, self._best_s = None, "", float("inf")
        self.prepared.clear()
        self._sessions.lose_all()

    def swap(self, model: str | None, file: str | None) -> Inbound:
        """Returns the request for a swap."""
        return make_request(Swap, model=model, file=file, instance=self.instance or None)

    def deadline(self, deadline_s: float | None) -> float | None:
        """Returns the server time that is ``deadline_s`` from now [s].

        Raises:
            CommandRefusedError: It is not a finite number.
        """
        check_finite("deadline_s", deadline_s)
        return None if deadline_s is None else time.monotonic() + self._offset_s + deadline_s

    # Calls of act -------------------------------------------------------------------------------

    def request(self, call: ActCall, message_id: int, deadline_s: float | None) -> list[bytes]:
        """Returns the frames of a request to the service that is known.

        Args:
            call: The request.
            message_id: Its id.
            deadline_s: Time until the answer is needed [s]; None if it has no deadline.

        Raises:
            SessionLostError: The recurrent state was lost with the server; raised once.
            CommandRefusedError: An argument cannot be sent.
        """
        self._check_session(call)
        call.instance = self.instance
        return self.frames.request(call, message_id, self.deadline(deadline_s))

    def _check_session(self, call: ActCall) -> None:
        if self._sessions.is_lost(call.full_name, call.episode):
            raise lost_with_server(self.address, call.session)

    def note(self, call: ActCall, answer: Answer, sent_at: float, *, join: bool) -> None:
        """Checks an answer, and counts its round trip.

        Args:
            call: The request.
            answer: Its answer.
            sent_at: Monotonic time at which the call began [s].
            join: Whether other programs may send to the session.

        Raises:
            SessionLostError, SessionSharedError: The recurrent state is not that of this client.
        """
        now = time.monotonic()
        self._forget_prepared(call)  # the reply differs from earlier ones
        if is_other(answer.instance, call.instance):
            # A service that does not look at the instance: its new state has seen this call.
            self._forget_server()
            self._sessions.forget(call.full_name)
            self._sessions.lost_reply(call.full_name, call.episode)
            raise lost_with_server(self.address, call.session)
        self.round_trips.add(now - sent_at)
        self.round_trips.late += answer.late_s > 0
        self._latest = answer
        self._note_clock(answer.time, sent_at, now)
        self._sessions.check(call.full_name, call.episode, answer.steps, join=join)

    def refused(self, call: ActCall, reply: Error) -> bool:
        """Raises the exception for a refusal.

        Returns:
            True if another server has refused a call that needs no earlier state: the call can be
            sent to that server.

        Raises:
            SessionLostError: The recurrent state was lost, with the server or without it.
            ClientError: The service refuses the call.
        """
        self._forget_prepared(call)
        error = from_reply(reply, self.address)
        if isinstance(error, ServerReplacedError):
            if call.instance == self.instance:  # several calls may notice one replacement
                self._forget_server()
            self._check_session(call)
            return True
        if isinstance(error, SessionLostError):
            self._sessions.forget(call.full_name)
        raise error

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
            self._patience_ends = self._clock_due + CLOCK_PERIOD_S
        elif now > self._patience_ends:
            self._best_s *= CLOCK_PATIENCE
            self._patience_ends = now + CLOCK_PERIOD_S
