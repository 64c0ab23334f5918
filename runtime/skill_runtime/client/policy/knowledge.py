"""The memory that a client has of its service: its description, its clock, its sessions."""

from __future__ import annotations

import time

from skill_proto.messages import Error, Hello, Inbound, Reply, ServiceWelcome, Swap
from skill_runtime.client.connection import R, expect, is_other
from skill_runtime.client.errors import (
    SessionLostError,
    from_reply,
    replaced,
)
from skill_runtime.client.policy.acts import ActCall, ActFrames, Answer
from skill_runtime.client.policy.round_trips import RoundTrips
from skill_runtime.client.requests import check_timeout, make_request, plain_text
from skill_runtime.client.sessions import SessionAges


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
        latest: newest answer; None before the first.
    """

    def __init__(self, address: str, timeout_s: float, name: object) -> None:
        self.address = address
        self.timeout_s = check_timeout(timeout_s)
        self.welcome: ServiceWelcome | None = None
        self.instance = ""
        self.frames = ActFrames(address)
        self.round_trips = RoundTrips()
        self.latest: Answer | None = None
        self.hello = Hello(client=plain_text(name))
        self._sessions = SessionAges()
        self._offset_s, self._best_s = 0.0, float("inf")

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
        if is_other(answer.instance, self.instance):
            raise replaced(self.address)
        self.round_trips.add(now - sent_at, is_late=answer.late_s > 0)
        self.latest = answer
        self._note_clock(answer.time, sent_at, now)
        self._sessions.check(call.full_name, call.episode, answer.steps, join=join)

    def note_error(self, call: ActCall, reply: Error) -> Exception:
        """Returns the exception for a refusal."""
        error = from_reply(reply, self.address)
        if isinstance(error, SessionLostError):
            self._sessions.forget(call.full_name)
        return error

    def note_loss(self, call: ActCall) -> None:
        """Records a request to which no reply arrived."""
        self._sessions.lost_reply(call.full_name, call.episode)

    def _note_clock(self, time_s: float, sent_at: float, now: float) -> None:
        """Learns the server's clock from the fastest reply: half a round trip is its error."""
        round_trip_s = now - sent_at
        if round_trip_s < self._best_s:
            self._best_s = round_trip_s
            self._offset_s = time_s - (now - 0.5 * round_trip_s)
