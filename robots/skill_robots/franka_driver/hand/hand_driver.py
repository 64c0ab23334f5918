"""The gripper's process.

The newest goal wins: a motion that runs is stopped before the next one begins, because a gripper
refuses a goal while it moves. The gripper has a process of its own because panda-python's gripper
keeps the Python interpreter while it waits for a state.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from skill_robots.franka_driver.config import HandStart
from skill_robots.franka_driver.hand.goals import NO_GOAL
from skill_robots.franka_driver.hand.gripper import Gripper, HandStartError, connect
from skill_robots.franka_driver.records import (
    HandGoal,
    HandState,
    SharedRecords,
    Status,
    Word,
    now,
)

POLL_S = 0.01
"""Interval at which the process looks for a new goal [s]."""

HOMED_M = 1e-3
"""A smaller maximum width means that the gripper was never homed [m]."""

NARROWEST_M = 1e-3
"""Fingers closer to each other than this hold no object [m]."""

OPENING_M = 2e-3
"""A goal wider than the present width by this opens the gripper [m]."""

BLOCKED_M = 4e-3
"""A motion that ends this far from a narrower width was blocked by an object [m]."""

STILL_M, STILL_S = 0.5e-3, 0.05
"""Fingers that move by less [m] for longer [s] stand still; slow fingers get more time. It is
longer than the hand's interval between two states."""

STOP_S = 0.5
"""Longest wait for a motion that was stopped [s]. The process sends no state meanwhile, and a
silence of 1 s (``franka_arm.HAND_SILENT_S``) is an error."""


class HandDriver:
    """Carries out the newest goal.

    Args:
        gripper: The gripper.
        records: The shared memory.
        grasp_force_n: Force of a grasp [N].
        speed: Of the opening width [m/s].
    """

    def __init__(
        self, gripper: Gripper, records: SharedRecords, grasp_force_n: float, speed: float
    ) -> None:
        self._gripper = gripper
        self._records = records
        self._force_n, self._speed = grasp_force_n, speed
        self._still_s = max(STILL_S, 2.0 * STILL_M / speed)
        self._worker: threading.Thread | None = None
        # A process that was started again leaves the hand as it is.
        earlier = records.read_hand_goal()
        self._seen = 0 if earlier is None else earlier.number
        self._carried_out = NO_GOAL
        self._width_m = self._widest_m = 0.0
        self._holds = self._closes_on = False
        self._begun_s: float | None = None
        self._moved_s = self._moved_to_m = 0.0

    def begin(self, *, home: bool) -> None:
        """Checks the gripper, and homes it on request.

        Raises:
            HandStartError: the gripper was never homed, or cannot be homed.
        """
        _, widest_m, is_grasped = self._gripper.read()
        if home and is_grasped:
            raise HandStartError("the gripper holds an object and is not homed; take the object")
        if home and not self._gripper.homing():
            raise HandStartError("the gripper cannot be homed: look whether its fingers are free")
        if not home and widest_m < HOMED_M:
            raise HandStartError(
                "the gripper was never homed, so it accepts no goal: take any object out of it "
                "and start with the option that homes it (--home-gripper)"
            )
        self.publish()

    def step(self) -> None:
        """Begins the newest goal, and publishes the state."""
        goal = self._records.read_hand_goal()
        if goal is not None and goal.number != self._seen:
            self._seen = goal.number
            self._begin(goal)
        self.publish()

    def _begin(self, goal: HandGoal) -> None:
        """Begins a motion, unless the gripper holds an object that the goal leaves in it.

        A stop ends the force of a grasp, and a second grasp of the same object fails and opens.
        Fingers that close on an object count as holding it: the hand reports a grasp only after
        its force is reached.
        """
        closes = goal.is_grasp or goal.width_m < self._width_m + OPENING_M
        if not (closes and (self._holds or self._closes_on)):
            self._carried_out = goal  # first, so that the stopped motion does not grasp
            self._stop_motion()
            self._begun_s = None
            self._worker = threading.Thread(target=self._carry_out, args=(goal,), daemon=True)
            self._worker.start()

    def publish(self) -> None:
        """Writes the state of the gripper."""
        self._width_m, self._widest_m, is_grasped = self._gripper.read()
        self._holds = is_grasped and self._width_m > NARROWEST_M
        self._closes_on = self._moves and self._is_blocked()
        self._records.write_hand_state(
            HandState(self._width_m, self._widest_m, now(), self._holds, self._moves)
        )

    def _is_blocked(self) -> bool:
        """Whether the motion has moved the fingers, which now stand still before its end."""
        if self._begun_s is None:  # the first reading of this motion
            self._begun_s = self._moved_s = now()
            self._moved_to_m = self._width_m
        elif abs(self._width_m - self._moved_to_m) > STILL_M:
            self._moved_s, self._moved_to_m = now(), self._width_m
        goal = self._carried_out
        end_m = 0.0 if goal.is_grasp else max(goal.width_m, 0.0)
        stands = self._moved_s > self._begun_s and now() - self._moved_s > self._still_s
        return stands and self._width_m > end_m + BLOCKED_M

    @property
    def _moves(self) -> bool:
        return self._worker is not None and self._worker.is_alive()

    def _stop_motion(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            return
        self._gripper.stop()
        self._worker.join(STOP_S)

    def _carry_out(self, goal: HandGoal) -> None:
        """Runs one motion to its end, in a thread of its own.

        A motion that closes and is blocked by an object becomes a grasp: a gripper moved by width
        holds an object without force.
        """
        try:
            if goal.is_grasp:
                self._grasp()
                return
            width_m = min(max(goal.width_m, 0.0), self._widest_m)
            try:
                reached = self._gripper.move(width_m, self._speed)
            except Exception:  # a blocked motion may end with an exception, too
                reached = False
            is_newest = self._carried_out == goal
            if not reached and is_newest and self._width_m > width_m + BLOCKED_M:
                self._grasp()
        except Exception as error:  # also a motion that was stopped ends with an exception
            self._records.hand_report.write(str(error))

    def _grasp(self) -> None:
        # With the whole opening as tolerance every object between the fingers counts.
        self._gripper.grasp(0.0, self._speed, self._force_n, self._widest_m, self._widest_m)


def serve(start: HandStart, records: SharedRecords) -> int:
    """Serves the gripper until the end, and returns the exit code of the process."""
    try:
        driver = HandDriver(connect(start), records, start.grasp_force_n, start.speed)
        driver.begin(home=start.home)
    except (HandStartError, ImportError) as error:
        records.hand_report.write(str(error))
        records.words[Word.HAND_STATUS] = Status.FAILED
        return 1
    records.words[Word.HAND_STATUS] = Status.READY
    while records.words[Word.ENDING] == 0 and os.getppid() == start.parent:
        try:
            driver.step()
        except Exception as error:  # the connection is lost
            print(f"gripper: {error}", file=sys.stderr, flush=True)  # noqa: T201  the server's log
            return 1
        time.sleep(POLL_S)
    return 0
