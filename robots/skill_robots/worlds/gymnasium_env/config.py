"""The settings of a Gymnasium environment in training."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GymnasiumConfig:
    """A Gymnasium environment in training."""

    environment: str
    """Name of the environment; see ``worlds.registry``."""
    episode_steps: Annotated[int, Field(ge=1)] | None = None
    """Control steps of an episode; None: the limit with which Gymnasium registers it, or 200. A
    time limit that a function of your own adds ends an episode too."""
    terminals: bool = True
    """Whether a terminal of the environment has the value 0. If not, its episode ends all the same,
    as by a time limit."""
    coordinates: tuple[str, ...] = ()
    """Observation entries that coverage is about, as 'field.component'; () for none."""
    cell: Annotated[float, Field(ge=1e-9, le=1e9)] = 1.0
    """Side of a cell of coverage, in the unit of the coordinates."""
    hidden: tuple[str, ...] = ()
    """Names of hidden quantities; the environment gives them in the ``info`` of its reset."""
    settings: tuple[str, ...] = ()
    """Arguments of ``gymnasium.make``, as 'name=value' with the value in JSON."""
    processes: bool = False
    """Whether each scene runs in a process of its own. It pays if a step takes a millisecond."""
