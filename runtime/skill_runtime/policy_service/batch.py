"""Requests that share one inference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from skill_runtime.policy_service.headers import KnownHeader
from skill_runtime.policy_service.sessions import Session


@dataclass(slots=True)
class Member:
    """One request of a batch; its arrays are in the input rows."""

    sender: bytes
    known: KnownHeader[Any]
    message_id: int
    deadline: float | None
    """Server time by which the reply is needed [s]."""
    session: Session
    first: int
    """Its first row."""


@dataclass
class Batch:
    """Requests in the order of arrival, each with a session of its own."""

    members: list[Member] = field(default_factory=list[Member])
    slots: list[int] = field(default_factory=list[int])
    """Slot of each row."""
    _owners: set[tuple[bytes, str]] = field(default_factory=set[tuple[bytes, str]])
    _shared: set[str] = field(default_factory=set[str])
    _described: int = 0
    """Members that the two sets describe: most batches have one request and never need them."""

    def admits(self, sender: bytes, name: str, episode: int | None) -> bool:
        """Whether a request of this session can share the inference.

        Requests of one session, and of successive episodes, are answered one after the other.
        """
        for member in self.members[self._described :]:
            message = member.known.message
            self._owners.add((member.sender, message.session))
            if message.episode is not None:
                self._shared.add(message.session)
        self._described = len(self.members)
        return (sender, name) not in self._owners and (episode is None or name not in self._shared)

    def add(self, member: Member) -> None:
        """Adds a request."""
        self.members.append(member)
        self.slots += member.session.slots

    def has(self, sender: bytes) -> bool:
        """Whether a request of this client is in the batch."""
        return any(member.sender == sender for member in self.members)

    def clear(self) -> None:
        """Removes all requests."""
        self.members.clear()
        self.slots.clear()
        if self._described:
            self._owners.clear()
            self._shared.clear()
            self._described = 0

    def spans(self) -> Iterator[slice]:
        """Yields the rows of each request."""
        for _, rows in self.parts():
            yield rows

    def parts(self) -> Iterator[tuple[Member, slice]]:
        """Yields each request with its rows."""
        for member in self.members:
            yield member, slice(member.first, member.first + member.known.rows)
