"""The sessions of the policy service, and the slots of the policy that hold their memory.

A session is evicted only if another one needs its slots and it was idle for
:data:`EVICTABLE_AFTER_S`. Its next request is refused once, so that its client learns that the
memory is lost.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from skill_proto.validation_text import clip
from skill_proto.wire import WireError

EVICTABLE_AFTER_S = 10.0
"""A session that was idle for this long loses its slots if others need them [s]."""

MAX_LOST = 1024
"""Evicted sessions that are remembered."""

MAX_CONNECTIONS = 64
"""Connections of a shared session that are remembered."""


class SessionKey(NamedTuple):
    """Identifies a session."""

    connection: bytes | None
    """The connection that owns the session; None if it is shared."""
    name: str
    episode: int | None
    """None if the session is not shared."""


@dataclass
class Session:
    """One session: one slot of the policy per row, and its age."""

    slots: list[int]
    used_at: float
    """Time of the last request [s]."""
    is_open: bool = True
    """False once its slots may belong to another session."""
    steps: int = 0
    """Requests that the recurrent state has seen."""
    connections: set[bytes] = field(default_factory=set[bytes])
    """Connections that use the session, up to :data:`MAX_CONNECTIONS`."""

    def is_of(self, connection: bytes) -> bool:
        """Whether this is the current session of a connection under its name."""
        return self.is_open and connection in self.connections


class PolicySessions:
    """Assigns slots to sessions.

    Args:
        slots: Number of slots of the policy.
        reset_slot: Clears the memory of one slot.
    """

    def __init__(self, slots: int, reset_slot: Callable[[int], None]) -> None:
        self._slots = slots
        self._reset_slot = reset_slot
        self._free = list(range(slots))
        self._sessions: dict[SessionKey, Session] = {}
        self._lost: OrderedDict[SessionKey, None] = OrderedDict()

    @property
    def count(self) -> int:
        """Number of sessions."""
        return len(self._sessions)

    @property
    def rows_in_use(self) -> int:
        """Rows of all sessions."""
        return self._slots - len(self._free)

    def acquire(
        self, connection: bytes, name: str, episode: int | None, rows: int, now: float
    ) -> Session:
        """Returns the session of a request; a new one has reset slots, one per row.

        Args:
            connection: Connection of the sender.
            name: Name of the session.
            episode: Number of the episode; None if the connection owns the session.
            rows: Rows of the request.
            now: Current time [s].

        Raises:
            WireError: ``invalid``: another number of rows than before, or too many;
                ``session_lost``: the session was evicted; ``busy``: too few slots are free.
                The other sessions are unchanged.
        """
        owner = connection if episode is None else None
        key = SessionKey(owner, name, episode)
        session = self._sessions.get(key)
        if session is None:
            session = self._begin(key, connection, rows, now)
        elif len(session.slots) != rows:
            raise WireError(
                "invalid",
                f"session {_quoted(name)} has {len(session.slots)} rows, now {rows} were sent",
                "keep the number of rows within an episode, or start a new episode",
            )
        elif connection not in session.connections:
            self._leave_others(key, connection)
        if len(session.connections) < MAX_CONNECTIONS:
            session.connections.add(connection)
        session.used_at = now
        return session

    def _begin(self, key: SessionKey, connection: bytes, rows: int, now: float) -> Session:
        if rows > self._slots:
            raise WireError(
                "invalid",
                f"the request has {rows} rows, but all sessions of this server together have "
                f"{self._slots}",
                f"send at most {self._slots} rows, or divide them among several servers",
            )
        if key in self._lost:
            del self._lost[key]
            raise _lost(key)
        self._check_space(key, connection, rows, now)
        self._leave_others(key, connection)
        while len(self._free) < rows:
            self._evict_oldest()
        slots = [self._free.pop() for _ in range(rows)]
        for slot in slots:
            self._reset_slot(slot)
        self._sessions[key] = Session(slots, now)
        return self._sessions[key]

    def _check_space(self, key: SessionKey, connection: bytes, rows: int, now: float) -> None:
        """Checks that enough rows are free, or become free, before any session is changed."""
        space = len(self._free)
        for other, session in self._sessions.items():
            ends = _is_earlier(other, key) and session.connections == {connection}
            if ends or now - session.used_at > EVICTABLE_AFTER_S:
                space += len(session.slots)
        if space < rows:
            count = len(self._sessions)
            raise WireError(
                "busy",
                f"session {_quoted(key.name)} needs {rows} rows, but {self.rows_in_use} of "
                f"{self._slots} are in use by {count} session{'s' * (count > 1)}",
                f"use fewer rows, or wait until a session was idle for {EVICTABLE_AFTER_S:g} s",
            )

    def _leave_others(self, key: SessionKey, connection: bytes) -> None:
        """Ends the earlier episodes of a connection that no other connection uses."""
        for other in [other for other in self._sessions if _is_earlier(other, key)]:
            connections = self._sessions[other].connections
            if connections == {connection}:
                self._end(other)
            connections.discard(connection)

    def _end(self, key: SessionKey) -> None:
        session = self._sessions.pop(key)
        session.is_open = False
        self._free += session.slots

    def _evict_oldest(self) -> None:
        key = min(self._sessions, key=lambda key: self._sessions[key].used_at)
        self._end(key)
        self._lost[key] = None
        if len(self._lost) > MAX_LOST:
            self._lost.popitem(last=False)


def _is_earlier(other: SessionKey, key: SessionKey) -> bool:
    """Whether both may be episodes of one session of a connection."""
    return other.name == key.name and other != key


def _lost(key: SessionKey) -> WireError:
    again = "send the request again to start a new episode"
    if key.episode is not None:
        again = f"start a new episode: send another number, or {key.episode} again"
    return WireError(
        "session_lost",
        f"the recurrent state of session {_quoted(key.name)} is lost: the session was idle for "
        f"more than {EVICTABLE_AFTER_S:g} s, and others needed its slots",
        again,
    )


def _quoted(name: str) -> str:
    return clip(repr(name), 80)
