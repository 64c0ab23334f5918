"""Passes ``act`` requests to the policy service with their arrays unread, and its replies back.

A request is remembered until its reply, so that a client whose request was lost with a service that
died gets an answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import zmq

from skill_proto.messages import Error, ErrorCode
from skill_runtime.transport.interfaces import DealerSocket
from skill_runtime.transport.router_reader import Incoming

MAX_WAITING_REQUESTS = 64
"""Requests without a reply; others are refused."""

MAX_UNSENT_BYTES = 40 * 2**20
"""Requests that wait for the start of the service are refused beyond this size [bytes]."""

MAX_REPLIES_PER_STEP = 16


@dataclass
class ActForwarder:
    """The requests on their way, in the order in which they were sent."""

    socket: DealerSocket
    instance: str
    """Name of this run of the server."""
    _waiting: deque[tuple[bytes, int]] = field(default_factory=deque[tuple[bytes, int]])
    _unsent: deque[list[Any]] = field(default_factory=deque[list[Any]])

    def submit(self, incoming: Incoming, message_id: int) -> bool:
        """Passes a request on; returns False if too many wait."""
        if len(self._waiting) >= MAX_WAITING_REQUESTS or self._unsent_bytes() > MAX_UNSENT_BYTES:
            return False
        self._waiting.append((incoming.sender, message_id))
        self._unsent.append([incoming.sender, *incoming.frames])
        self.send()
        return True

    def send(self) -> None:
        """Sends the requests that wait for the start of the service."""
        while self._unsent:
            try:
                self.socket.send_multipart(self._unsent[0], zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._unsent.popleft()

    def _unsent_bytes(self) -> int:
        return sum(len(frame) for frames in self._unsent for frame in frames)

    def replies(self, now: float) -> Iterator[tuple[bytes, str, list[bytes]]]:
        """Yields the replies that have arrived: receiver, error code or '', frames.

        Args:
            now: Server time [s].
        """
        for _ in range(MAX_REPLIES_PER_STEP):
            try:
                receiver, code, *frames = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if receiver:
                self._forget(receiver)
                yield receiver, code.decode(), frames
            elif code == b"failed":
                reason = f"the policy service cannot open the policy: {frames[0].decode()}"
                yield from self.fail("internal", reason, "correct the policy file", now)

    def restarted(self, now: float) -> list[tuple[bytes, str, list[bytes]]]:
        """Returns an error for each request that was lost with a service that failed."""
        reason = "the policy service was restarted; the recurrent states of all sessions are lost"
        return self.fail("session_lost", reason, "start a new episode", now)

    def fail(
        self, code: ErrorCode, message: str, fix: str, now: float
    ) -> list[tuple[bytes, str, list[bytes]]]:
        """Returns an error for each waiting request, and forgets the requests."""
        replies: list[tuple[bytes, str, list[bytes]]] = []
        for sender, message_id in self._waiting:
            error = Error(
                id=message_id,
                time=now,
                instance=self.instance,
                code=code,
                message=message,
                fix=fix,
            )
            replies.append((sender, code, [error.model_dump_json().encode()]))
        self._waiting.clear()
        self._unsent.clear()
        return replies

    def _forget(self, sender: bytes) -> None:
        for index, (waiting, _) in enumerate(self._waiting):
            if waiting == sender:
                del self._waiting[index]
                return
