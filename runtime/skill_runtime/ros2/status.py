"""Status: what the threads of the node know, in one place."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from skill_proto.messages import Telemetry, Welcome


@dataclass(frozen=True)
class Refusal:
    """A message that was refused."""

    topic: str
    reason: str
    at: float
    """Time of ``time.monotonic`` [s]."""


@dataclass(frozen=True)
class Known:
    """What is known at one time."""

    welcome: Welcome | None = None
    """Description of the server; None while it does not answer."""
    state: Telemetry | None = None
    unreachable: str = "no server has answered yet"
    """Reason why the server is away; empty if it answers."""
    blocked: str = ""
    """Reason why targets do not move the arm; empty if they do."""
    crowded: str = ""
    """Topics with targets of several publishers; empty if there are none."""
    leads: bool = False
    """Whether the node holds the lease."""
    carried_out: int = 0
    """Targets that the server accepted."""
    refused: Counter[str] = field(default_factory=Counter[str])
    """Refused messages by topic."""
    refusal: Refusal | None = None
    """The newest refused message."""


class Status:
    """What is known, and a log of its changes.

    Args:
        say: Receives a kind and a text for the log; repetitions are its concern.
        clock: Time [s].
    """

    def __init__(
        self, say: Callable[[str, str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._lock = threading.Lock()
        self._known = Known()

    @property
    def known(self) -> Known:
        """What is known now."""
        return self._known

    def connected(self, welcome: Welcome) -> None:
        """Records that a server answers."""
        self._update(welcome=welcome, unreachable="")
        self._say("connected", f"connected to {welcome.server}: {welcome.robot}, {welcome.backend}")

    def seen(self, state: Telemetry) -> None:
        """Records a state."""
        self._update(state=state)

    def lost(self, reason: str) -> None:
        """Records that the server does not answer."""
        self._update(welcome=None, state=None, unreachable=reason)
        self._say("lost", reason)

    def stop_failed(self, reason: str) -> None:
        """Records an attempt to stop the arm that no server confirmed; another one follows."""
        self._say("stop", reason)

    def led(self, *, leads: bool) -> None:
        """Records whether the node holds the lease."""
        if leads != self._known.leads:
            self._update(leads=leads)
            self._say("lease", "holds the lease" if leads else "does not hold the lease any more")

    def block(self, reason: str) -> None:
        """Records why targets do not move the arm; an empty reason: they do."""
        if reason != self._known.blocked:
            self._update(blocked=reason)
            if reason:
                self._say("blocked", reason)

    def crowd(self, topics: str) -> None:
        """Records which topics with targets have several publishers; an empty text: none."""
        if topics != self._known.crowded:
            self._update(crowded=topics)
            if topics:
                self._say("crowded", f"{topics}: several publishers; publish from one program")

    def refuse(self, topic: str, reason: str) -> None:
        """Records a refused message."""
        with self._lock:
            self._known.refused[topic] += 1
            self._known = replace(self._known, refusal=Refusal(topic, reason, self._clock()))
        self._say(f"refused {topic}", f"{topic} is refused: {reason}")

    def carry_out(self) -> None:
        """Records a target that the server accepted."""
        with self._lock:
            known = self._known
            self._known = replace(known, carried_out=known.carried_out + 1)

    def _update(self, **changes: object) -> None:
        with self._lock:
            self._known = replace(self._known, **changes)  # pyright: ignore[reportArgumentType]
