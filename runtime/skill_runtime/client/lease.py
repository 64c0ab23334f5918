"""HeldLease: a client's side of the lease, kept by a heartbeat in a thread of its own.

The heartbeat says that the program lives; that its control loop lives is said by its commands,
each of which expires by itself. A program that dies stops both.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from skill_proto.messages import Granted, Ok, Release, Renew
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ClientError, LeaseLostError, ServerUnreachableError

BEATS_PER_TTL = 4
"""Heartbeats in one time to live: three may be lost."""

MAX_WAIT_S = 1.0
"""Longest wait for the reply to one heartbeat [s]."""


class ClientLease:
    """The right to command, from ``SkillClient.acquire``; leaving the block gives it back.

    Args:
        address: Where the heartbeat goes.
        holder: Name that everyone who watches sees.
        granted: The server's reply to ``acquire``.
        give_back: Sends a release and waits for the reply.

    Attributes:
        holder: as given.
        token: proof of the lease, carried by every command.
        ttl_s: the lease ends this long after the last heartbeat [s].
        seq: number of the last command sent.
        time: server time of the heartbeat's newest reply, a refusal too [s].
        lost: why the lease has ended, None while it is in force.
    """

    def __init__(
        self, address: str, holder: str, granted: Granted, give_back: Callable[[Release], object]
    ) -> None:
        self.holder = holder
        self.token = granted.lease
        self.ttl_s = granted.ttl_s
        self.seq = granted.seq
        self.time = granted.time
        self.lost: str | None = None
        self._address = address
        self._give_back = give_back
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        # Sockets are not shared between threads: the heartbeat has its own.
        with Connection(self._address, min(self.ttl_s, MAX_WAIT_S)) as channel:
            while not self._ended.wait(self.ttl_s / BEATS_PER_TTL):
                try:
                    reply, _ = channel.ask(Renew(lease=self.token))
                except ServerUnreachableError:
                    continue  # it may answer again before the lease has run out, or say that it has
                except ClientError as error:
                    self.time = channel.time or self.time
                    self.end(str(error))
                    return
                if isinstance(reply, Ok):
                    self.time = reply.time

    def check(self) -> None:
        """Returns if the lease is in force as far as is known here.

        Raises:
            LeaseLostError: it has ended.
        """
        if self.lost is not None:
            raise LeaseLostError(self.lost)

    def end(self, why: str) -> None:
        """Notes that the lease has ended, and stops the heartbeat."""
        self.lost = self.lost or why
        self._ended.set()

    def release(self) -> None:
        """Gives the lease back; the arm holds. Does nothing once the lease has ended."""
        if self.lost is not None:
            return
        self.end("the lease was given back; acquire() a new one")
        self._thread.join()
        # Otherwise it has ended without us, or runs out by itself.
        with suppress(LeaseLostError, ServerUnreachableError):
            self._give_back(Release(lease=self.token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
