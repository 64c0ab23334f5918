"""Warnings of MuJoCo in the log of the program.

By default MuJoCo appends each of them to a file MUJOCO_LOG.TXT in the working directory.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

import mujoco

logger = logging.getLogger(__name__)


@contextmanager
def physics_warnings_logged() -> Generator[None]:
    """Logs each kind of warning once inside the block, and its count at the end.

    If the calling program has set a handler, that handler gets the warnings instead.
    """
    if mujoco.get_mju_user_warning() is not None:
        yield
        return
    counts: Counter[str] = Counter()

    def note(text: str) -> None:
        # The text ends with the time in the simulation.
        kind = text.partition(" Time =")[0]
        counts[kind] += 1
        if counts[kind] == 1:
            logger.warning("MuJoCo: %s", text)

    mujoco.set_mju_user_warning(note)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(None)
        for kind, count in counts.items():
            if count > 1:
                logger.warning("MuJoCo: %d times: %s", count, kind)
