"""ServoStream: servo targets one after the other, up to 1 kHz, without waiting for replies.

::

    with client.acquire("my controller"), client.stream() as stream:
        due = time.monotonic()
        while running:
            stream.servo_joint(target)
            stream.sleep_until(due := due + 0.001)

A refusal is known only when its reply has come, some calls later. Those that say nothing against
the next target are counted: one came too late, or while the arm is at a fault that may end by
itself. Any other is raised by the next call, or at the latest when the block is left. Where the
server does not keep up, targets are passed over, not queued: newer ones will follow.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.messages import Error, ErrorCode, Renew, Reply, ServoJoint, ServoPose
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import (
    TRANSIENT_ERRORS,
    LeaseLostError,
    ServerUnreachableError,
    from_reply,
)
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import Hand, build, vector

PASSED_OVER: frozenset[ErrorCode] = frozenset({*TRANSIENT_ERRORS, "out_of_order"})
"""Refusals that say nothing against the next target."""

MAX_UNANSWERED = 16
"""Targets on their way at once. More would wait for a server that has not kept up, and the arm
would follow what its controller wanted a while ago."""

ROUND_TRIPS_KEPT = 10_000
"""Of the newest targets."""

VALIDITY_S = 0.2
"""How long a target lasts unless said otherwise [s]: many of a stream's periods, and soon over."""


class ServoStream:
    """Targets under a lease, on a connection of their own; from ``SkillClient.stream``.

    Leaving the block waits for the replies that are due. The arm goes on towards the last target
    until that expires, then it holds. Belongs to the thread of its client.

    Args:
        address: Where the server takes commands.
        timeout_s: Longest time without any reply while some are due [s].
        lease: Whose token and numbering the targets carry.
        newest_time: Newest server time that the client has seen [s].
        replied: Is told the server time of each reply [s].

    Attributes:
        sent: targets sent.
        dropped: targets not sent, since too many others had no reply yet.
        refused: replies that were errors, by code.
        round_trips_s: of the newest targets, from sending to reading the reply [s]. Replies are
            read as they come in :meth:`sleep_until`, to a millisecond, else at the next target.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float,
        lease: ClientLease,
        newest_time: Callable[[], float],
        replied: Callable[[float], None],
    ) -> None:
        self.sent = self.dropped = 0
        self.refused: Counter[ErrorCode] = Counter()
        self.round_trips_s: deque[float] = deque(maxlen=ROUND_TRIPS_KEPT)
        self._lease = lease
        self._newest_time = newest_time
        self._replied = replied
        self._timeout_s = timeout_s
        self._unanswered: deque[tuple[int, float]] = deque()
        self._silent_since: float | None = None
        self._channel = Connection(address, timeout_s)
        try:
            self._channel.ask(Renew(lease=lease.token))  # connects, so that no target has to wait
        except BaseException as error:
            if isinstance(error, LeaseLostError):
                lease.end(str(error))
            self._channel.close()
            raise

    def servo_joint(
        self, position: ArrayLike, valid_for_s: float = VALIDITY_S, **hand: Unpack[Hand]
    ) -> bool:
        """Moves the joints to ``position`` ``(dof,)`` [rad]; False where it was passed over.

        Raises:
            LeaseLostError: the lease has ended.
            CommandRefusedError: the server refused an earlier target, for more than the moment.
            ServerUnreachableError: there has been no reply for longer than the timeout.
        """
        return self._send(
            ServoJoint, joint_position=vector(position), valid_for_s=valid_for_s, **hand
        )

    def servo_pose(
        self, position: ArrayLike, valid_for_s: float = VALIDITY_S, **hand: Unpack[Hand]
    ) -> bool:
        """Moves the end effector to ``position`` ``(3,)`` [m], else as :meth:`servo_joint`."""
        return self._send(
            ServoPose, end_effector_position=vector(position), valid_for_s=valid_for_s, **hand
        )

    def sleep_until(self, deadline: float) -> None:
        """Returns at ``deadline`` of ``time.monotonic`` [s], having read what came meanwhile.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError: as :meth:`servo_joint`.
        """
        while (left := deadline - time.monotonic()) > 0:
            if self._unanswered and left >= 1e-3:
                self._collect(left)
            else:
                time.sleep(left)
        self._collect()

    def finish(self) -> None:
        """Waits for the replies that are due.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError: as :meth:`servo_joint`.
        """
        while self._unanswered:
            self._collect(self._timeout_s)

    def close(self) -> None:
        """Closes the connection; replies still due are never read."""
        self._channel.close()

    def _send(self, kind: type[ServoJoint | ServoPose], **fields: object) -> bool:
        self._collect()
        lease = self._lease
        lease.check()
        reference_time = self._newest_time()
        message = build(
            kind, lease=lease.token, seq=lease.seq + 1, reference_time=reference_time, **fields
        )
        full = len(self._unanswered) >= MAX_UNANSWERED
        message_id = None if full else self._channel.post(message)
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if message_id is None:
            self.dropped += 1
            return False
        lease.seq += 1
        self.sent += 1
        self._unanswered.append((message_id, now))
        return True

    def _collect(self, wait_s: float = 0.0) -> None:
        for reply in self._channel.replies(wait_s):
            self._replied(reply.time)
            self._note(reply)
        silent_s = 0.0 if self._silent_since is None else time.monotonic() - self._silent_since
        if silent_s > self._timeout_s:
            raise ServerUnreachableError(self._channel.address, self._timeout_s)

    def _note(self, reply: Reply) -> None:
        now = time.monotonic()
        while self._unanswered and self._unanswered[0][0] <= reply.id:  # they come in order
            message_id, sent_at = self._unanswered.popleft()
            if message_id == reply.id:
                self.round_trips_s.append(now - sent_at)
        self._silent_since = now if self._unanswered else None
        if isinstance(reply, Error):
            self.refused[reply.code] += 1
            if reply.code not in PASSED_OVER:
                error = from_reply(reply)
                if isinstance(error, LeaseLostError):
                    self._lease.end(str(error))
                raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()
