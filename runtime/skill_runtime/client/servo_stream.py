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
from typing import Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.messages import Error, ErrorCode, Renew, Reply, ServoJoint, ServoPose
from skill_runtime.client.calls import Calls
from skill_runtime.client.connection import Connection, is_other
from skill_runtime.client.errors import (
    TRANSIENT_ERRORS,
    ClientError,
    LeaseLostError,
    ServerReplacedError,
    from_reply,
    replaced,
)
from skill_runtime.client.guard import Guard
from skill_runtime.client.lease import Heartbeat, LeaseHandle
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


class TargetSender:
    """Servo targets under a lease, sent without a wait, on a connection of their own.

    Args:
        calls: The client's knowledge of the server, with its lease.
        guard: The client's guard: a stream is used in turns with the client.
        handle: The client's handle of the lease, which the stream keeps in force.

    Attributes:
        sent: number of targets sent.
        dropped: number of targets not sent, because too many others had no reply.
        refused: number of error replies, by code.
        round_trips_s: times of the newest targets, from sending to reading the reply [s].
            ``sleep_until`` reads replies within 1 ms of arrival, otherwise the next target does.
    """

    def __init__(self, calls: Calls, guard: Guard, handle: LeaseHandle | None = None) -> None:
        self.sent = self.dropped = 0
        self.refused: Counter[ErrorCode] = Counter()
        self.round_trips_s: deque[float] = deque(maxlen=MAX_ROUND_TRIPS)
        self._calls = calls
        self._guard = guard
        self._handle = handle
        self._lease: Heartbeat = calls.held_lease()
        self._timeout_s = calls.timeout_s
        self._unanswered: deque[tuple[int, float]] = deque()  # message id, time of sending
        self._waiting_since: float | None = None
        self._connection = Connection(calls.address, calls.timeout_s, calls.keys)

    def servo_joint(
        self, position: ArrayLike, valid_for_s: float = VALIDITY_S, **gripper: Unpack[GripperFields]
    ) -> bool:
        """Moves the joints to ``position`` ``(dof,)`` [rad]; does not wait.

        Returns:
            Whether the target was sent; False if it was dropped.

        Raises:
            LeaseLostError: the lease has ended.
            CommandRefusedError: the server refused an earlier target, not transiently.
            ServerUnreachableError: no reply arrived for longer than the timeout.
            ServerReplacedError: the server was replaced.
            InvalidUseError: another thread uses the client, or this process was forked from it.
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

    def _renewal(self) -> Renew:
        """Returns the request that connects the stream before its first target."""
        return Renew(lease=self._lease.token, instance=self._lease.instance or None)

    def _send(self, kind: type[ServoJoint | ServoPose], **fields: object) -> bool:
        with self._guard:
            self._collect()
            lease = self._lease
            lease.check()
            self._calls.poll()
            message = make_request(
                kind,
                instance=lease.instance or None,
                lease=lease.token,
                seq=lease.seq + 1,
                reference_time=self._calls.reference_time(lease),
                **fields,
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
            self._record(reply)
        waited_s = 0.0 if self._waiting_since is None else time.monotonic() - self._waiting_since
        if waited_s > self._timeout_s:
            raise self._connection.no_answer(self._timeout_s)

    def _record(self, reply: Reply) -> None:
        lease = self._lease
        if is_other(reply.instance, lease.instance):
            raise lease.end_with(replaced(self._connection.address))
        self._calls.note_reply(reply.time)
        now = time.monotonic()
        while self._unanswered and self._unanswered[0][0] <= reply.id:  # replies arrive in order
            message_id, sent_at = self._unanswered.popleft()
            if message_id == reply.id:
                self.round_trips_s.append(now - sent_at)
        self._waiting_since = now if self._unanswered else None
        if isinstance(reply, Error):
            self.refused[reply.code] += 1
            if reply.code not in COUNTED_ERRORS:
                raise self._ended(from_reply(reply, self._connection.address))

    def _ended(self, error: ClientError) -> ClientError:
        """Returns the error to raise; records the end of the lease if the error means that."""
        ends = isinstance(error, LeaseLostError | ServerReplacedError)
        return self._lease.end_with(error) if ends else error

    def close(self) -> None:
        """Closes the connection; outstanding replies are never read."""
        if not self._guard.forked:
            self._connection.close()


class ServoStream(TargetSender):
    """Servo targets under a lease, on a connection of their own; from ``SkillClient.stream``.

    The end of the block waits for the outstanding replies. The arm moves towards the last target
    until that expires, then it holds. A stream is used in turns with its client: by one thread at
    a time, in the process that made it.

    Args:
        calls: The client's knowledge of the server, with its lease.
        guard: The client's guard.
        handle: The client's handle of the lease.

    Raises:
        LeaseLostError: the lease has ended.
        ServerUnreachableError: no reply arrived within the timeout.
    """

    def __init__(self, calls: Calls, guard: Guard, handle: LeaseHandle | None = None) -> None:
        super().__init__(calls, guard, handle)
        try:
            self._record(self._connection.exchange(self._renewal())[0])
        except BaseException:
            self._connection.close()
            raise

    def sleep_until(self, deadline: float) -> None:
        """Returns at ``deadline`` of ``time.monotonic`` [s]; reads replies until then.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError, ServerReplacedError,
                InvalidUseError: as :meth:`servo_joint`.
        """
        with self._guard:
            while (left := deadline - time.monotonic()) > 0:
                if self._unanswered and left >= 1e-3:
                    self._collect(left)
                else:
                    time.sleep(left)
            self._collect()

    def finish(self) -> None:
        """Waits for the outstanding replies.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError, ServerReplacedError,
                InvalidUseError: as :meth:`servo_joint`.
        """
        with self._guard:
            while self._unanswered:
                self._collect(self._timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()
