"""Every message that a process reads gets exactly one reply, unless the process fails meanwhile."""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from skill_runtime.fault_injection.oracles.motion import InvariantError
from skill_runtime.fault_injection.virtual.transport import PortName, Sent

REPLY_WITHIN_S = 0.5
"""Longest time to a reply of a healthy server, counted in servo periods [s]."""


@dataclass
class ReplyOracle:
    """Matches replies to messages by port, sender and id.

    Attributes:
        counts: number of refusals by code.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    _waiting: dict[PortName, dict[tuple[bytes, int], deque[float]]] = field(
        default_factory=lambda: {"commands": defaultdict(deque), "stop": defaultdict(deque)}
    )

    def delivered(self, port: PortName, message: Sent, now: float) -> None:
        """A process begins to read a message, at this time in servo periods [s]."""
        self._waiting[port][message.sender, _id_of(message.frames)].append(now)

    def replied(self, port: PortName, receiver: bytes, content: bytes) -> dict[str, Any]:
        """A process replies; returns the reply."""
        reply: dict[str, Any] = json.loads(content)
        key = receiver, int(reply["id"])
        waiting = self._waiting[port]
        if not waiting[key]:
            raise InvariantError(f"a reply without a request: {content[:80]!r}")
        waiting[key].popleft()
        if not waiting[key]:
            del waiting[key]
        if reply["type"] == "error":
            self.counts[f"refused {reply['code']}"] += 1
        return reply

    def forget(self, port: PortName) -> None:
        """The process of a port has failed; the messages that it had read are lost."""
        self._waiting[port].clear()

    def check(self, port: PortName, now: float) -> None:
        """Raises InvariantError if a message has waited for too long."""
        for (sender, message_id), times in self._waiting[port].items():
            if times and now - times[0] > REPLY_WITHIN_S:
                raise InvariantError(f"no answer to message {message_id} of {sender!r} on {port}")


def _id_of(frames: tuple[bytes, ...]) -> int:
    """Returns the id that the reply will have: 0 for a message that is not readable."""
    try:
        header = json.loads(frames[0])
    except (ValueError, RecursionError):
        return 0
    found = header.get("id", 0) if isinstance(header, dict) else 0
    return found if isinstance(found, int) else 0
