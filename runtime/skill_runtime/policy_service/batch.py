"""Requests that share one inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Float32Array
from skill_runtime.policy_service.requests import ActRequest
from skill_runtime.policy_service.sessions import Session


@dataclass
class Batch:
    """Requests and their sessions, in the order of arrival."""

    members: list[tuple[ActRequest, Session]] = field(
        default_factory=list[tuple[ActRequest, Session]]
    )

    def admits(self, request: ActRequest) -> bool:
        """Whether a request can share the inference.

        All requests of one inference have the same arrays. Requests of one session, and of
        successive episodes, are answered one after the other.
        """
        if not self.members:
            return True
        names = self.members[0][0].inputs.arrays.keys()
        return request.inputs.arrays.keys() == names and all(
            member.message.session != request.message.session for member, _ in self.members
        )

    def has(self, sender: bytes) -> bool:
        """Whether a request of this client is in the batch."""
        return any(request.sender == sender for request, _ in self.members)

    def slots(self) -> list[int]:
        """Returns the slot of each row."""
        return [slot for _, session in self.members for slot in session.slots]

    def arrays(self) -> Mapping[str, Float32Array]:
        """Returns the arrays of all requests, joined by row."""
        inputs = [request.inputs.arrays for request, _ in self.members]
        if len(inputs) == 1:
            return inputs[0]
        return {name: np.concatenate([arrays[name] for arrays in inputs]) for name in inputs[0]}

    def parts(self) -> Iterator[tuple[ActRequest, Session, slice]]:
        """Yields each request with its session and its rows."""
        first = 0
        for request, session in self.members:
            rows = slice(first, first + request.inputs.rows)
            first = rows.stop
            yield request, session, rows

    def alone(self) -> Iterator[Batch]:
        """Yields a batch for each request."""
        for member in self.members:
            yield Batch([member])
