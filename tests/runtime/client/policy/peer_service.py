"""A policy service without a policy: its answers count the requests of each session."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np

from skill_proto.messages import ServiceWelcome, Swapped
from skill_proto.wire import WireError, pack
from skill_runtime.policy_service.replies import refused

Request = dict[str, Any]
"""The header of a request."""


class PeerService:
    """One start of a service; its :meth:`answer` is for a ``Peer``.

    Args:
        instance: Name of this start.
        checks_instance: Whether it refuses requests that are meant for another start.

    Attributes:
        steps: age of each session.
        frames: array frames of each answer.
    """

    def __init__(self, instance: str, *, checks_instance: bool = True) -> None:
        self.steps: Counter[tuple[str, int | None]] = Counter()
        self.frames = [np.zeros((1, 3), np.float32).tobytes()]
        self._instance = instance
        self._checks_instance = checks_instance

    def answer(self, frames: list[bytes]) -> list[list[bytes]]:
        """Returns the reply to a request, in a list of messages."""
        request: Request = json.loads(frames[0])
        common = {"id": request["id"], "instance": self._instance, "time": 1.0}
        if request["type"] == "hello":
            return [pack(ServiceWelcome(**common, server="test", models=(), max_rows=1))]
        if self._checks_instance and request.get("instance") not in (None, self._instance):
            error = WireError("wrong_server", "another server", "", request["id"])
            return [refused(error, time_s=1.0, instance=self._instance)]
        if request["type"] == "swap":
            return [pack(Swapped(**common, model="m", file="f", sha256="0"))]
        return [[self._acted(request), *self.frames]]

    def _acted(self, request: Request) -> bytes:
        """Returns the header of an answer, in the order of a service."""
        key = request["session"], request.get("episode")
        self.steps[key] += 1
        header = {
            "v": request["v"],
            "type": "acted",
            "instance": self._instance,
            "arrays": [{"name": "action", "dtype": "float32", "shape": [1, 3]}],
            "id": request["id"],
            "steps": self.steps[key],
            "time": 1.0,
            "inference_s": 0.001,
        }
        return json.dumps(header, separators=(",", ":")).encode()
