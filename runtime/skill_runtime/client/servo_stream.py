"""ServoStream: servo targets at up to 1 kHz, without waiting for replies.

::

    with client.acquire("my controller"), client.stream() as stream:
        due = time.monotonic()
        while running:
            stream.servo_joint(target)
            stream.sleep_until(due := due + 0.001)

A refusal is known only when its reply arrives, some calls later. Transient refusals are counted: a
target came too late, or the arm has a recoverable fault. Any other refusal is raised by the next
call, at the latest at the end of the block. If the server does not keep up, targets are dropped
instead of queued, since newer ones follow.
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
from skill_runtime.client.requests import GripperFields, make_request, to_vector

COUNTED_ERRORS: frozenset[ErrorCode] = frozenset({*TRANSIENT_ERRORS, "out_of_order"})
"""Refusals that are counted instead of raised: the next target may be accepted."""

MAX_UNANSWERED = 16
"""Largest number of targets without a reply. With more, the arm would follow outdated targets when
the server does not keep up."""

MAX_ROUND_TRIPS = 10_000
"""Number of newest round-trip times to keep."""

VALIDITY_S = 0.2
"""Default validity of a target [s]: many periods of a stream, yet a short coast after its end."""


class ServoStream:
    """Servo targets under a lease, on a connection of their own; from ``SkillClient.stream``.

    The end of the block waits for the outstanding replies. The arm moves towards the last target
    until that expires, then it holds. A stream belongs to the thread of its client.

    Args:
        address: Server address for commands.
        timeout_s: Longest time without any reply while some are outstanding [s].
        lease: The lease whose token and sequence numbers the targets carry.
        newest_time: Returns the newest server time that the client has received [s].
        on_reply: Called with the server time of each reply [s].

    Attributes:
        sent: number of targets sent.
        dropped: number of targets not sent, because too many others had no reply.
        refused: number of error replies, by code.
        round_trips_s: times of the newest targets, from sending to reading the reply [s].
            :meth:`sleep_until` reads replies within 1 ms of arrival, otherwise the next target
            does.
    """

    def __init__(
        self,
        address: str,
        timeout_s: float,
        lease: ClientLease,
        newest_time: Callable[[], float],
        on_reply: Callable[[float], None],
    ) -> None:
        self.sent = self.dropped = 0
        self.refused: Counter[ErrorCode] = Counter()
        self.round_trips_s: deque[float] = deque(maxlen=MAX_ROUND_TRIPS)
        self._lease = lease
        self._newest_time = newest_time
        self._on_reply = on_reply
        self._timeout_s = timeout_s
        self._unanswered: deque[tuple[int, float]] = deque()  # message id, time of sending
        self._waiting_since: float | None = None
        self._connection = Connection(address, timeout_s)
        try:
            self._connection.ask(Renew(lease=lease.token))  # connects before the first target
        except BaseException as error:
            if isinstance(error, LeaseLostError):
                lease.end(str(error))
            self._connection.close()
            raise

    def servo_joint(
        self, position: ArrayLike, valid_for_s: float = VALIDITY_S, **gripper: Unpack[GripperFields]
    ) -> bool:
        """Moves the joints to ``position`` ``(dof,)`` [rad].

        Returns:
            Whether the target was sent; False if it was dropped.

        Raises:
            LeaseLostError: the lease has ended.
            CommandRefusedError: the server refused an earlier target, not transiently.
            ServerUnreachableError: no reply arrived for longer than the timeout.
        """
        return self._send(
            ServoJoint, joint_position=to_vector(position), valid_for_s=valid_for_s, **gripper
        )

    def servo_pose(
        self, position: ArrayLike, valid_for_s: float = VALIDITY_S, **gripper: Unpack[GripperFields]
    ) -> bool:
        """Moves the end effector to ``position`` ``(3,)`` [m], otherwise as :meth:`servo_joint`."""
        return self._send(
            ServoPose, end_effector_position=to_vector(position), valid_for_s=valid_for_s, **gripper
        )

    def sleep_until(self, deadline: float) -> None:
        """Returns at ``deadline`` of ``time.monotonic`` [s]; reads replies until then.

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
        """Waits for the outstanding replies.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError: as :meth:`servo_joint`.
        """
        while self._unanswered:
            self._collect(self._timeout_s)

    def close(self) -> None:
        """Closes the connection; outstanding replies are never read."""
        self._connection.close()

    def _send(self, kind: type[ServoJoint | ServoPose], **fields: object) -> bool:
        self._collect()
        lease = self._lease
        lease.check()
        reference_time = self._newest_time()
        message = make_request(
            kind, lease=lease.token, seq=lease.seq + 1, reference_time=reference_time, **fields
        )
        full = len(self._unanswered) >= MAX_UNANSWERED
        message_id = None if full else self._connection.post(message)
        now = time.monotonic()
        self._waiting_since = self._waiting_since or now
        if message_id is None:
            self.dropped += 1
            return False
        lease.seq += 1
        self.sent += 1
        self._unanswered.append((message_id, now))
        return True

    def _collect(self, wait_s: float = 0.0) -> None:
        for reply in self._connection.replies(wait_s):
            self._on_reply(reply.time)
            self._record(reply)
        waited_s = 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since
        if waited_s > self._timeout_s:
            raise ServerUnreachableError(self._connection.address, self._timeout_s)

    def _record(self, reply: Reply) -> None:
        now = time.monotonic()
        while self._unanswered and self._unanswered[0][0] <= reply.id:  # replies arrive in order
            message_id, sent_at = self._unanswered.popleft()
            if message_id == reply.id:
                self.round_trips_s.append(now - sent_at)
        self._waiting_since = now if self._unanswered else None
        if isinstance(reply, Error):
            self.refused[reply.code] += 1
            if reply.code not in COUNTED_ERRORS:
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
