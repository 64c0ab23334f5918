"""Requests and replies of the policy service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field

from skill_proto.manifest import PolicyManifest
from skill_proto.messages.base import (
    MAX_ID,
    ArraySpec,
    Finite,
    Identifier,
    Inbound,
    Outbound,
    Text,
)


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
    model: Identifier | None = None
    """Name of the policy; None if the service has only one."""
    deadline: Finite | None = None
    """Server time by which the reply is needed [s]. A later reply says so in ``late_s``."""
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
    late_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """How long after the deadline of the request the reply was sent [s]; 0 if it was in time."""
    steps: int = 0
    """Age of the recurrent state: number of requests that it has seen, this one included. 1 after a
    reset; a client whose own count differs shares the session with another, or it was lost."""
    arrays: tuple[ArraySpec, ...] = ()


class Swap(Inbound):
    """Policy service: replaces a policy by another file while requests are answered."""

    type: Literal["swap"] = "swap"
    model: Identifier | None = None
    """Name of the policy to replace; None if the service has only one."""
    file: Text | None = None
    """Name of a file in the folder of the present one; None reads the present file again."""


class Swapped(Outbound):
    """Reply to ``swap``: all later requests are answered by the new file."""

    type: Literal["swapped"] = "swapped"
    time: Finite
    model: Text
    file: Text
    """Path of the new file on the server's machine."""
    sha256: Text
    """Digest of the new file, hexadecimal."""


class ServedPolicy(BaseModel):
    """One policy of the service."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    name: Text
    """Name for ``model`` of a request."""
    file: Text
    """Path of the file on the server's machine."""
    sha256: Text
    """Digest of the file, hexadecimal."""
    device: Literal["cpu", "cuda"]
    manifest: PolicyManifest


class ServiceWelcome(Outbound):
    """Reply to ``hello`` of a policy service without an arm."""

    type: Literal["policy_service"] = "policy_service"
    time: Finite
    server: Text
    """Name and version of the server program."""
    models: tuple[ServedPolicy, ...]
    max_rows: int
    """Rows of all sessions of one policy together."""
