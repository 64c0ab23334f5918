"""Steering: what one browser tab wants, repeated under the lease until it wants something else.

A page has no loop of its own: a click says what is wanted, and a thread here repeats it, each time
valid for a fraction of a second. One tab steers at a time, the first that wants something; the
others watch. If its connection is lost, its wish ends and the lease is released at once, and what
comes from it afterwards is refused. If this process dies or hangs, its last command expires.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from skill_proto.manifest import PolicyManifest
from skill_runtime.client import TRANSIENT_ERRORS, ClientError, CommandRefusedError, SkillClient
from skill_runtime.client.lease import ClientLease

PERIOD_S = 0.1
"""Time between two repetitions of a skill or goal [s]."""

HOLD_PERIOD_S = 0.5
"""Time between two repetitions of ``hold`` [s], which tell whether the lease is still in force."""

VALID_S = 0.4
"""Validity of one repetition [s]; the arm holds this long after the death of this process."""

TTL_S = 1.0
"""Time to live of the lease [s]; a heartbeat renews it."""

OTHER_STEERS = "Another tab steers the arm. This one can watch, and stop the arm."
NOT_OPEN = "The connection of this tab is too slow, or has only begun. Try again; STOP works."


@dataclass(frozen=True)
class Wish:
    """What a tab wants of the arm."""

    kind: Literal["skill", "goal", "hold"]
    values: tuple[float, ...] = ()
    """The skill or the goal."""


class Steering:
    """The lease of the page, and the thread that commands under it.

    Args:
        client: Client of the server, which no other thread uses but for its ``stop``.
        holder: Name of the holder of the lease.

    Attributes:
        tab: Number of the tab that steers; None if none does.
        holds: Whether the page holds the lease.
        note: The newest refusal; '' after a success.
        failure: The error that ended the thread; None while all is well.
    """

    def __init__(self, client: SkillClient, holder: str) -> None:
        self._client = client
        self._holder = holder
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._ended = False
        self._wish: Wish | None = None
        self._lease: ClientLease | None = None
        self._manifest: PolicyManifest | None = None
        self._tabs: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="steering", daemon=True)
        self.tab: int | None = None
        self.holds = False
        self.note = ""
        self.failure: Exception | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def open(self, tab: int) -> None:
        """Admits a tab, whose connection is alive."""
        with self._lock:
            self._tabs.add(tab)

    def shut(self, tab: int) -> None:
        """Ends the wish of a tab, and refuses whatever it wants from now on."""
        with self._lock:
            self._tabs.discard(tab)
        self.drop(tab)

    def want(self, tab: int, wish: Wish) -> str:
        """Lets a tab steer; returns why it may not, or ''."""
        with self._lock:
            refusal = self._refusal(tab)
            if refusal:
                return refusal
            self.tab, self._wish, self.note = tab, wish, ""
        self._changed.set()
        return ""

    def refusal(self, tab: int) -> str:
        """Returns why a tab may not act on the arm; '' if it may."""
        with self._lock:
            return self._refusal(tab)

    def _refusal(self, tab: int) -> str:
        if tab not in self._tabs:
            return NOT_OPEN
        return "" if self.tab in (None, tab) else OTHER_STEERS

    def drop(self, tab: int) -> None:
        """Ends the wish of a tab, and releases the lease; has no effect for a tab that watches."""
        with self._lock:
            if self.tab != tab:
                return
            self._end()
        self._changed.set()

    def end(self) -> None:
        """Ends the wish of whichever tab, and releases the lease."""
        with self._lock:
            self._end()
        self._changed.set()

    def _end(self) -> None:
        self.tab = self._wish = None
        self.note = ""

    def close(self) -> None:
        """Releases the lease and ends the thread."""
        self._ended = True
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    # The thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._repeat()
        except Exception as error:  # the lease must not outlive the thread that commands
            self.failure = error
        finally:
            self.end()
            self._release()

    def _repeat(self) -> None:
        done: Wish | None = None
        while not self._ended:
            self._changed.wait(_period(done))
            self._changed.clear()
            wish = self._wish
            if wish is None or self._ended:
                self._release()
                done = None
                continue
            try:
                if self._lease is None:
                    self._lease = self._acquire()
                self._send(wish)
                done = wish
            except ClientError as error:
                done = wish if self._goes_on(wish, error) else None

    def _release(self) -> None:
        lease, self._lease, self.holds = self._lease, None, False
        if lease is not None:
            lease.release()

    def _acquire(self) -> ClientLease:
        if self._manifest is None:
            self._manifest = self._client.server.manifest
        with suppress(ClientError):  # if it cannot be reached, the next call says so
            self._client.hello()  # adopts a server that was started again
        if self._client.server.manifest != self._manifest:
            raise ClientError("another policy is served now; what was picked is not meant for it")
        lease = self._client.acquire(self._holder, TTL_S)
        self.holds = True
        return lease

    def _send(self, wish: Wish) -> None:
        match wish.kind:
            case "skill":
                self._client.skill(wish.values, VALID_S)
            case "goal":
                self._client.goal(wish.values, VALID_S)
            case "hold":
                self._client.hold()
        self.note = ""

    def _goes_on(self, wish: Wish, error: ClientError) -> bool:
        """Notes an error; returns whether to repeat the command. Otherwise the wish ends.

        A lease that has ended is not acquired again: the operator decides that the arm moves.
        """
        with self._lock:
            if self._wish is not wish:
                return False
            self.note = str(error)
            code = error.code if isinstance(error, CommandRefusedError) else None
            if self.holds and code in TRANSIENT_ERRORS:
                return True
            self.tab = self._wish = None
        self._changed.set()
        return False


def _period(done: Wish | None) -> float | None:
    """Returns the time to the next repetition [s]; None without one."""
    if done is None:
        return None
    return HOLD_PERIOD_S if done.kind == "hold" else PERIOD_S
