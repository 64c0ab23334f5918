"""ClientLease: the client's side of the lease, renewed by a heartbeat in a thread of its own.

The heartbeat shows that the program is alive. The commands, each of which expires, show that its
control loop is alive. A program that dies stops both.

The thread refers to the :class:`Heartbeat` alone, never to the client: a client that the program no
longer refers to is collected, and its lease is given back. So is every lease at the end of the
program.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from skill_proto.messages import Error, Granted, Ok, Release, Renew
from skill_runtime.client.connection import Connection, is_other
from skill_runtime.client.errors import (
    TRANSIENT_ERRORS,
    ClientError,
    LeaseLostError,
    ResourceError,
    ServerReplacedError,
    ServerUnreachableError,
    from_reply,
    replaced,
)
from skill_runtime.security.client_keys import ClientKeys

if TYPE_CHECKING:
    import asyncio

HEARTBEATS_PER_TTL = 4
"""Heartbeats per time to live: three in a row may be lost."""

MAX_WAIT_S = 1.0
"""Longest wait for the reply to one heartbeat [s]."""

EXIT_WAIT_S = 0.5
"""Longest delay of the end of the program while leases are given back [s]."""

RELEASED = "the lease was released; acquire() a new one"

_NOT_RENEWED = "not renewed"
"""Part of the server's text about a lease that ran out."""

Owner: TypeAlias = "threading.Thread | asyncio.Task[Any]"
"""The part of a program that acquired a lease."""

_live: set[Heartbeat] = set()
"""Heartbeats whose thread runs, those of a parent process included."""


class Heartbeat:
    """One lease, and the thread that renews it.

    Args:
        address: Address for the heartbeat.
        granted: The server's reply to ``acquire``.
        holder: Name of the holder, published in the telemetry.
        priority: Priority of the lease.
        owner: Thread or task that acquired the lease.
        keys: Keys of client and server; None to connect without keys.

    Attributes:
        address, holder, priority: as given.
        instance: instance of the server; empty if it is unknown.
        token: proof of the lease, carried by every command.
        ttl_s: the lease ends this long after the last heartbeat [s].
        seq: number of the last command sent.
        time: server time of the newest reply to a heartbeat, refusals included [s].
        ended_because: reason for the end of the lease; None while it is in force.
        pid: process that acquired the lease.

    Raises:
        ResourceError: the thread cannot be started.
    """

    def __init__(
        self,
        address: str,
        granted: Granted,
        *,
        holder: str,
        priority: int,
        owner: Owner,
        keys: ClientKeys | None = None,
    ) -> None:
        self.address = address
        self._keys = keys
        self.instance = granted.instance
        self.holder = holder
        self.priority = priority
        self.token = granted.lease
        self.ttl_s = granted.ttl_s
        self.seq = granted.seq
        self.time = granted.time
        self.ended_because: str | None = None
        self._ended_by: type[ClientError] = LeaseLostError
        self._owner = weakref.ref(owner)
        self.pid = os.getpid()
        self._gives_back = False
        # The queue's put() may be called by a finalizer at any moment, an Event's set() may not.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._due = time.monotonic()  # the thread runs again by this time if the program runs
        self._longest_pause_s = 0.0
        self._answered = True
        self._thread = threading.Thread(target=self._run, name="lease-heartbeat", daemon=True)
        _register()
        _live.add(self)
        try:
            self._thread.start()
        except RuntimeError as error:
            _live.discard(self)
            raise ResourceError(f"the heartbeat of the lease cannot start: {error}") from None

    # The end --------------------------------------------------------------------------------------

    def check(self) -> None:
        """Checks that the lease is in force, as far as this client knows.

        Raises:
            LeaseLostError: the lease has ended.
            ServerReplacedError: the heartbeat was answered by another server.
        """
        if self.ended_because is not None:
            raise self._ended_by(self.ended_because)

    def end(self, reason: str) -> None:
        """Records the end of the lease and stops the heartbeat; the first reason is kept."""
        self.ended_because = self.ended_because or reason
        self._wake.put(None)

    def end_with(self, error: ClientError) -> ClientError:
        """Records the end of the lease by this error, and returns the error to raise."""
        if self.ended_because is None and isinstance(error, ServerReplacedError):
            self._ended_by = ServerReplacedError
        self.end(self._explain(str(error)))
        return self._ended_by(self.ended_because)

    def forget_server(self, reason: str) -> None:
        """Records the end of the lease: its server was replaced, and the client knows it."""
        self.ended_because = reason
        self._ended_by = LeaseLostError
        self.time = 0.0
        self._wake.put(None)

    def give_back(self, reason: str) -> None:
        """Lets the thread release the lease; returns at once. Has no effect after a fork."""
        if self.pid == os.getpid() and self.ended_because is None:
            self._gives_back = True
            self.end(reason)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs in this process."""
        return self.pid == os.getpid() and self._thread.is_alive()

    def join(self, timeout_s: float) -> None:
        """Waits until the thread has ended, at most ``timeout_s`` [s]."""
        if self.is_alive and threading.current_thread() is not self._thread:
            self._thread.join(max(0.0, timeout_s))

    def is_left(self, owner: Owner) -> bool:
        """Returns whether no other part of the program can be using the lease.

        Args:
            owner: The thread or task that asks.
        """
        known = self._owner()
        if known is None or known is owner:
            return True
        return not known.is_alive() if isinstance(known, threading.Thread) else known.done()

    # The thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            # A ZeroMQ socket belongs to one thread, so the heartbeat has its own.
            wait_s = min(self.ttl_s, MAX_WAIT_S)
            with Connection(self.address, wait_s, self._keys) as connection:
                while not self._woken(self.ttl_s / HEARTBEATS_PER_TTL):
                    self._renew(connection)
                if self._gives_back:
                    self._release(connection)
        except Exception as error:  # a heartbeat that failed must end the lease, not be silent
            self.end(f"the heartbeat of the lease failed: {error}")
        finally:
            _live.discard(self)

    def _woken(self, wait_s: float) -> bool:
        """Waits; returns whether the lease has ended."""
        self._due = time.monotonic() + wait_s
        with suppress(queue.Empty):
            self._wake.get(timeout=wait_s)
        self._note_pause()
        return self.ended_because is not None

    def _renew(self, connection: Connection) -> None:
        self._due = time.monotonic() + connection.timeout_s
        try:
            reply, _ = connection.exchange(Renew(lease=self.token, instance=self.instance or None))
        except (ServerUnreachableError, ResourceError):
            # The server may answer the next heartbeat, before the lease runs out.
            self._answered = False
            return
        finally:
            self._note_pause()
        if is_other(reply.instance, self.instance):
            self.end_with(replaced(self.address))
            return
        self.time = reply.time
        if isinstance(reply, Error):
            if reply.code in TRANSIENT_ERRORS:
                self._answered = False
            else:
                self.end_with(from_reply(reply, self.address))
        elif isinstance(reply, Ok):
            self._longest_pause_s, self._answered = 0.0, True

    def _release(self, connection: Connection) -> None:
        reply, _ = connection.exchange(Release(lease=self.token, instance=self.instance or None))
        if not is_other(reply.instance, self.instance):
            self.time = reply.time

    # Pauses of the program ------------------------------------------------------------------------

    def _note_pause(self) -> None:
        self._longest_pause_s = max(self._longest_pause_s, time.monotonic() - self._due)

    def _explain(self, text: str) -> str:
        """Returns the server's text about the end of the lease, with the cause if it is here."""
        if _NOT_RENEWED not in text:
            return text
        if self._thread.is_alive():
            self._note_pause()
        pause_s = self._longest_pause_s
        if pause_s > self.ttl_s / 2:
            return (
                f"the lease of {self.holder!r} has ended: this program did not run for at least "
                f"{pause_s:.1f} s (a long call kept the interpreter, or the process was "
                f"suspended), so the lease was not renewed within its {self.ttl_s:g} s. Fix: call "
                "acquire() again, with a ttl_s longer than such a call"
            )
        if not self._answered:
            return f"{text}. The server at {self.address} did not answer the heartbeat in time"
        return text


class LeaseHandle:
    """The right to command; the lease is given back when the program no longer refers to it.

    Args:
        heartbeat: The lease and its thread.
        timeout_s: Longest wait for the release [s].
    """

    def __init__(self, heartbeat: Heartbeat, timeout_s: float) -> None:
        self._heartbeat = heartbeat
        self._timeout_s = timeout_s
        forgotten = weakref.finalize(self, heartbeat.give_back, "the client was not referred to")
        forgotten.atexit = False  # the end of the program waits for all leases together

    @property
    def holder(self) -> str:
        """Name of the holder, published in the telemetry."""
        return self._heartbeat.holder

    @property
    def token(self) -> str:
        """Proof of the lease, carried by every command."""
        return self._heartbeat.token

    @property
    def ttl_s(self) -> float:
        """The lease ends this long after the last heartbeat [s]."""
        return self._heartbeat.ttl_s

    @property
    def seq(self) -> int:
        """Number of the last command sent."""
        return self._heartbeat.seq

    @property
    def time(self) -> float:
        """Server time of the newest reply to a heartbeat, refusals included [s]."""
        return self._heartbeat.time

    @property
    def ended_because(self) -> str | None:
        """Reason for the end of the lease; None while it is in force."""
        return self._heartbeat.ended_because

    def is_of(self, heartbeat: Heartbeat) -> bool:
        """Returns whether this is the handle of that lease."""
        return self._heartbeat is heartbeat

    def check(self) -> None:
        """Checks that the lease is in force, as far as this client knows.

        Raises:
            LeaseLostError: the lease has ended.
            ServerReplacedError: the heartbeat was answered by another server.
        """
        self._heartbeat.check()


class ClientLease(LeaseHandle):
    """The right to command, from ``SkillClient.acquire``; the end of its block releases it."""

    def release(self) -> None:
        """Releases the lease; the arm holds.

        Has no effect once the lease has ended, and in a forked process.
        """
        self._heartbeat.give_back(RELEASED)
        self._heartbeat.join(self._timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lease_of_this_process(address: str, instance: str) -> Heartbeat | None:
    """Returns the lease that this process holds at a server, even if it is being given back.

    Args:
        address: The server's address for commands.
        instance: The server's instance; empty if it is unknown.
    """
    for held in tuple(_live):
        if held.pid != os.getpid():
            continue
        if held.address == address or (instance and held.instance == instance):
            return held
    return None


def _register() -> None:
    if not _live:
        atexit.unregister(_give_all_back)
        atexit.register(_give_all_back)


def _give_all_back() -> None:
    """Gives back every lease of this process."""
    leases = tuple(_live)
    for lease in leases:
        lease.give_back("the program has ended")
    deadline = time.monotonic() + EXIT_WAIT_S
    for lease in leases:
        lease.join(deadline - time.monotonic())
