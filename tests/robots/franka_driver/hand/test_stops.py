"""A stop ends a motion of the hand, and leaves an object in it: the process without a robot."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_robots.franka_driver.hand.hand_driver import STILL_S, HandDriver
from skill_robots.franka_driver.records import BYTES, HandGoal, SharedRecords

SPEED = 0.05
OPEN_M = 0.08


class Fingers:
    """A gripper whose width the test sets; a motion lasts until it is stopped."""

    def __init__(self) -> None:
        self.width_m = OPEN_M
        self.holds = False
        self.calls: list[tuple[str, float]] = []
        self._stopped = threading.Event()

    def read(self) -> tuple[float, float, bool]:
        return self.width_m, OPEN_M, self.holds

    def homing(self) -> bool:
        return True

    def move(self, width: float, speed: float) -> bool:
        return self._last("move", width, speed)

    def grasp(self, width: float, speed: float, force: float, inner: float, outer: float) -> bool:
        del force, inner, outer
        return self._last("grasp", width, speed)

    def _last(self, name: str, width: float, speed: float) -> bool:
        assert speed == SPEED
        self._stopped.clear()
        self.calls.append((name, width))
        self._stopped.wait(10.0)
        return False

    def stop(self) -> bool:
        self.calls.append(("stop", self.width_m))
        self._stopped.set()
        return True


class Rig:
    """The gripper's process, with its goals."""

    def __init__(self) -> None:
        descriptor = create_memory(BYTES)
        self.records = SharedRecords(map_memory(descriptor))
        os.close(descriptor)
        self.fingers = Fingers()
        self.driver = HandDriver(self.fingers, self.records, 40.0, SPEED)
        self.driver.begin(home=False)
        self.goals = 0

    def goal(self, width_m: float, *, grasp: bool = False) -> None:
        """Gives a goal; returns when its motion has begun."""
        self.goals += 1
        self.records.write_hand_goal(HandGoal(self.goals, width_m, grasp))
        calls = len(self.fingers.calls)
        self.driver.step()
        ends = time.monotonic() + 5.0
        while len(self.fingers.calls) == calls and self.goals == 1 and time.monotonic() < ends:
            time.sleep(1e-3)

    def close_to(self, width_m: float) -> None:
        self.fingers.width_m = width_m
        self.driver.step()

    def stand(self) -> None:
        """Lets the fingers stand until the process notices it."""
        time.sleep(1.5 * STILL_S)
        self.driver.step()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.fingers.calls]


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.driver._stop_motion()
    made.fingers.stop()


def test_a_stop_ends_a_grasp_whose_fingers_move(rig: Rig) -> None:
    rig.goal(0.0, grasp=True)
    rig.stand()  # the hand has not begun to move
    rig.close_to(0.06)
    rig.goal(0.06)
    assert rig.names[:2] == ["grasp", "stop"]


def test_a_stop_ends_a_grasp_before_its_fingers_move(rig: Rig) -> None:
    rig.goal(0.0, grasp=True)
    rig.stand()
    rig.goal(OPEN_M)
    assert rig.names[:2] == ["grasp", "stop"]


def test_a_stop_ends_an_opening(rig: Rig) -> None:
    rig.fingers.width_m = 0.02
    rig.driver.step()
    rig.goal(OPEN_M)
    rig.close_to(0.05)  # opens, in fact
    rig.goal(0.05)
    assert rig.names[:2] == ["move", "stop"]


def test_a_stop_leaves_an_object_that_is_not_reported_yet(rig: Rig) -> None:
    """The hand reports a grasp only when it has reached its force."""
    rig.goal(0.0, grasp=True)
    rig.close_to(0.06)
    rig.close_to(0.04)
    rig.stand()
    rig.goal(0.0405)
    assert rig.names == ["grasp"]
    rig.goal(OPEN_M)  # an opening ends the grasp as ever
    assert rig.names[:2] == ["grasp", "stop"]


def test_a_stop_leaves_an_object_that_is_held(rig: Rig) -> None:
    rig.goal(0.0, grasp=True)
    rig.fingers.holds = True
    rig.close_to(0.04)
    rig.goal(0.04)
    assert rig.names == ["grasp"]
