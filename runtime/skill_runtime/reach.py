"""Reach: whether set-points reach the arm, and whether it is where they have led it.

An arm without set-points for ``senses.SILENT_S`` comes to rest by itself, who knows where: it may
coast, or be moved by hand. How long it was without is told by the clock where the arm's time goes
on, and by the periods that were lost where it waits for set-points (``Arm.keeps_time``).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from skill_robots.arm import Arm
from skill_runtime.senses import SILENT_S


class Reach:
    """Of one arm.

    Args:
        arm: the arm.
        clock: server time [s]; looked at only for an arm that keeps time.

    Attributes:
        adrift: whether the arm may be elsewhere than it was told to be: it stopped itself, or was
            without set-points for too long. So it is until it takes one where it was seen at rest.
    """

    def __init__(self, arm: Arm, clock: Callable[[], float]) -> None:
        self._arm = arm
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """The set-point was put where the arm was measured, and none has been sent since."""
        self.adrift = self._arm.keeps_time  # until the first one it may be some time
        self._lost_s = 0.0
        self._led_at = math.inf

    @property
    def is_lost(self) -> bool:
        """Whether set-points have not reached the arm for too many periods."""
        return self._lost_s > SILENT_S

    def find_left_alone(self) -> float | None:
        """For how long it was sent nothing, where that was too long [s]: told once.

        It is :attr:`adrift` from then on.
        """
        if self.adrift or not self._arm.keeps_time:
            return None
        alone_s = self._clock() - self._led_at
        if alone_s <= SILENT_S:
            return None
        self.adrift = True
        return alone_s

    def took(self, *, at_rest: bool) -> None:
        """A set-point has reached the arm, which had just been seen: ``at_rest`` or not."""
        self._lost_s = 0.0
        if self._arm.keeps_time:
            self._led_at = self._clock()
        if at_rest:
            self.adrift = False

    def missed(self) -> None:
        """A set-point has not reached it."""
        self._lost_s += self._arm.servo_period_s
        self.adrift = self.adrift or self.is_lost
