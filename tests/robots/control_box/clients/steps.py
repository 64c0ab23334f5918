"""Results of a client program as JSON lines on standard output, one for each step."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager

DURATION_S = 0.8
"""Duration of each commanded motion [s]."""

HOLD_S = 0.02
"""Time before each motion in which the start is commanded [s]. If the first command of a motion
is late, as on a busy machine, the next one is then no jump."""


@contextmanager
def step(name: str) -> Iterator[dict[str, object]]:
    """Prints the result that the block has filled; an exception becomes the entry ``error``."""
    result: dict[str, object] = {}
    try:
        yield result
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps({"step": name, **result}), flush=True)


def smooth(time_s: float) -> float:
    """Rises from 0 to 1 within :data:`DURATION_S`, with velocity 0 at both ends."""
    return 0.5 - 0.5 * math.cos(math.pi * min(time_s / DURATION_S, 1.0))


def smooth_rate(time_s: float) -> float:
    """The rate of :func:`smooth` [1/s]."""
    if time_s >= DURATION_S:
        return 0.0
    return 0.5 * math.pi / DURATION_S * math.sin(math.pi * time_s / DURATION_S)


def bump(time_s: float) -> float:
    """Rises from 0 to 1 and falls to 0 within :data:`DURATION_S`."""
    return 0.5 - 0.5 * math.cos(2.0 * math.pi * min(time_s / DURATION_S, 1.0))
