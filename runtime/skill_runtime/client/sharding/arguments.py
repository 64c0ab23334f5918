"""The arguments of ``act`` that a sharded client passes on."""

from __future__ import annotations

from typing import TypedDict

from numpy.typing import ArrayLike


class ActArguments(TypedDict, total=False):
    """Arguments of ``PolicyClient.act`` besides observation and session."""

    episode: int | None
    """A new number resets the recurrent state."""
    skill: ArrayLike | None
    """``(n, Z)``."""
    goal: ArrayLike | None
    """``(n, G)``, instead of a skill."""
    previous_action: ArrayLike | None
    """``(n, A)`` if it differs from the action of the last reply."""
    model: str | None
    """Name of the policy; None if the service has only one."""
    deadline_s: float | None
    """Time until the answer is needed [s]."""
    join: bool
    """Whether other clients may send to this session and episode."""
