"""Request and reply of the policy service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import FailFast, Field

from skill_proto.messages.base import MAX_ID, ArraySpec, Finite, Inbound, Outbound


class Act(Inbound):
    """Policy service: observations in, actions out, for robots that other programs control.

    ``observation`` [n, O], ``previous_action`` [n, A], ``skill`` [n, Z] and ``goal`` [n, G] follow
    the header as array frames, named in ``arrays`` (see wire.py).
    """

    type: Literal["act"] = "act"
    session: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of the session; the server keeps the recurrent state per session."""
    episode: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None
    """A new number resets the recurrent state. None: the session belongs to this connection, and
    another connection with the same session name has a session of its own. A number: every
    connection that sends the same session name and episode shares one recurrent state."""
    arrays: Annotated[tuple[ArraySpec, ...], Field(max_length=8), FailFast()] = ()


class Acted(Outbound):
    """Reply to ``act``; ``action`` [n, A] follows the header as an array frame.

    A policy with an encoder adds ``context`` [n, C] and, if the manifest calibrates them,
    ``context_distance`` [n, 1] and ``estimate`` [n, E]. Distances are omitted while the recurrent
    state of a row is younger than half of the shortest ``trained_horizon_steps``.
    """

    type: Literal["acted"] = "acted"
    time: Finite
    inference_s: float
    steps: int = 0
    """Age of the recurrent state: number of requests that it has seen, this one included. 1 after a
    reset; a client whose own count differs shares the session with another, or it was lost."""
    arrays: tuple[ArraySpec, ...] = ()
