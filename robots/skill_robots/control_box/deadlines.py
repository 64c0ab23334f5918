"""Times at which the control box sends its states: absolute deadlines, one millisecond apart."""

from __future__ import annotations

PERIOD_S = 1e-3
"""Time between two states [s]."""

MIN_SPACING_S = 0.6e-3
"""Shortest time between two states while the box catches up [s]: the client needs it to answer."""

MAX_BEHIND_S = 50e-3
"""Delay that is caught up [s]. The part of a delay beyond it is given up, and counted as slip."""


class Deadlines:
    """Computes the time of each send from the one before.

    A box that is late sends faster than real time until it has caught up, because a client that
    moves by its own clock looks too fast to a box whose clock has slipped.

    Attributes:
        due: Nominal time of the next state [s].
        slip_s: Sum of the delays that were given up [s]. Robot time is behind real time by it.
    """

    def __init__(self, start: float) -> None:
        """Sets the time of the first state [s]."""
        self.due = start
        self.slip_s = 0.0

    def after(self, sent: float) -> float:
        """Returns the time of the next state.

        Args:
            sent: Time at which the last state was sent [s].
        """
        self.due += PERIOD_S
        lost = sent - self.due - MAX_BEHIND_S
        if lost > 0.0:
            self.due += lost
            self.slip_s += lost
        return max(self.due, sent + MIN_SPACING_S)
