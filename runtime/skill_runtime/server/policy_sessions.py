"""Assigns slots of the policy, and thus recurrent states, to sessions of the policy service."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from skill_proto.wire import WireError
from skill_runtime.policy import OnnxPolicy

MAX_ROWS = 64
"""Streams of observations over all sessions; the least recently used session is evicted."""


@dataclass
class Session:
    """One session: its current episode, and a slot of the policy per row."""

    episode: int
    slots: list[int]


class PolicySessions:
    """The sessions of the policy service by name, and the slots of the policy that they hold.

    Args:
        policy: A policy with :data:`MAX_ROWS` slots.
    """

    def __init__(self, policy: OnnxPolicy) -> None:
        self._policy = policy
        self._free = list(range(policy.slots))
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def is_running(self, name: str, episode: int) -> bool:
        """Whether this is the current episode of an existing session."""
        session = self._sessions.get(name)
        return session is not None and session.episode == episode

    def acquire(self, name: str, episode: int, rows: int) -> list[int]:
        """Returns the slots of a session, one per row; a new episode gets reset slots.

        Raises:
            WireError: The number of rows changed within an episode, or exceeds all slots.
        """
        session = self._sessions.get(name)
        if session is not None and session.episode == episode:
            if len(session.slots) != rows:
                raise WireError(
                    "invalid",
                    f"session {name!r} has {len(session.slots)} rows, now {rows} were sent",
                    "keep the number of rows within an episode, or start a new episode",
                )
            self._sessions.move_to_end(name)
            return session.slots
        if rows > self._policy.slots:
            raise WireError(
                "invalid",
                f"{rows} rows exceed the {self._policy.slots} of this server",
                "use fewer rows; all sessions share them",
            )
        if session is not None:
            self._free += self._sessions.pop(name).slots
        while len(self._free) < rows:
            self._free += self._sessions.popitem(last=False)[1].slots
        taken = [self._free.pop() for _ in range(rows)]
        for slot in taken:
            self._policy.reset_slot(slot)
        self._sessions[name] = Session(episode, taken)
        return taken
