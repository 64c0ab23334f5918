"""ClientLease: the client's side of the lease, renewed by a heartbeat in a thread of its own.

The heartbeat shows that the program is alive. The commands, each of which expires, show that its
control loop is alive. A program that dies stops both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from skill_proto.messages import Granted, Ok, Release, Renew
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ClientError, LeaseLostError, ServerUnreachableError

HEARTBEATS_PER_TTL = 4
"""Heartbeats per time to live: three in a row may be lost."""

MAX_WAIT_S = 1.0
"""Longest wait for the reply to one heartbeat [s]."""


class ClientLease:
    """The right to command, from ``SkillClient.acquire``; the end of its block releases it.

    Args:
        address: Address for the heartbeat.
        holder: Name of the holder, published in the telemetry.
        granted: The server's reply to ``acquire``.
        send_release: Sends a release and waits for the reply.

    Attributes:
        holder: as given.
        token: proof of the lease, carried by every command.
        ttl_s: the lease ends this long after the last heartbeat [s].
        seq: number of the last command sent.
        time: server time of the newest reply to a heartbeat, refusals included [s].
        ended_because: reason for the end of the lease; None while it is in force.
    """

    def __init__(
        self,
        address: str,
        holder: str,
        granted: Granted,
        send_release: Callable[[Release], object],
    ) -> None:
        self.holder = holder
        self.token = granted.lease
        self.ttl_s = granted.ttl_s
        self.seq = granted.seq
        self.time = granted.time
        self.ended_because: str | None = None
        self._address = address
        self._send_release = send_release
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._send_heartbeats, name="lease-heartbeat", daemon=True
        )
        self._thread.start()

    def _send_heartbeats(self) -> None:
        # A ZeroMQ socket belongs to one thread, so the heartbeat has its own.
        with Connection(self._address, min(self.ttl_s, MAX_WAIT_S)) as connection:
            while not self._ended.wait(self.ttl_s / HEARTBEATS_PER_TTL):
                try:
                    reply, _ = connection.ask(Renew(lease=self.token))
                except ServerUnreachableError:
                    continue  # the server may answer the next heartbeat, before the lease runs out
                except ClientError as error:
                    self.time = connection.time or self.time
                    self.end(str(error))
                    return
                if isinstance(reply, Ok):
                    self.time = reply.time

    def check(self) -> None:
        """Checks that the lease is in force, as far as this client knows.

        Raises:
            LeaseLostError: the lease has ended.
        """
        if self.ended_because is not None:
            raise LeaseLostError(self.ended_because)

    def end(self, reason: str) -> None:
        """Records the end of the lease and stops the heartbeat; the first reason is kept."""
        self.ended_because = self.ended_because or reason
        self._ended.set()

    def release(self) -> None:
        """Releases the lease; the arm holds. Has no effect once the lease has ended."""
        if self.ended_because is not None:
            return
        self.end("the lease was released; acquire() a new one")
        self._thread.join()
        # On these errors the lease has ended already, or runs out.
        with suppress(LeaseLostError, ServerUnreachableError):
            self._send_release(Release(lease=self.token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
