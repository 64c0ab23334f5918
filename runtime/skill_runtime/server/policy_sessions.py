"""Sessions of the policy service: whose recurrent state lies in which slots of the policy."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from skill_proto.wire import WireError
from skill_runtime.policy.onnx_policy import OnnxPolicy

MAX_ROWS = 64
"""Streams of observations over all sessions; the session unused for longest makes room."""


@dataclass
class Session:
    """Whose recurrent state lies in which slots."""

    episode: int
    slots: list[int]


class Sessions:
    """Slots of the policy, lent to sessions by name.

    Args:
        policy: has :data:`MAX_ROWS` slots.
    """

    def __init__(self, policy: OnnxPolicy) -> None:
        self._policy = policy
        self._free = list(range(policy.slots))
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def running(self, name: str, episode: int) -> bool:
        """Whether this episode of a session is under way."""
        session = self._sessions.get(name)
        return session is not None and session.episode == episode

    def slots(self, name: str, episode: int, rows: int) -> list[int]:
        """The slots of a session, one per row; fresh ones at the start of an episode.

        Raises:
            WireError: the number of rows changed within an episode, or exceeds all slots.
        """
        session = self._sessions.get(name)
        if session is not None and session.episode == episode:
            if len(session.slots) != rows:
                raise WireError(
                    "invalid",
                    f"session {name!r} has {len(session.slots)} rows, now {rows} came",
                    "keep the rows of an episode, or start a new episode number",
                )
            self._sessions.move_to_end(name)
            return session.slots
        if rows > self._policy.slots:
            raise WireError(
                "invalid",
                f"{rows} rows exceed the {self._policy.slots} that this server keeps",
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
