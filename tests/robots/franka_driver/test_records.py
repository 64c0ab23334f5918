"""Records of arm, driver and hand, through the same memory."""

from __future__ import annotations

import os

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_robots.franka_driver.records import (
    BYTES,
    TEXT_BYTES,
    DriverState,
    HandGoal,
    HandState,
    Reference,
    SharedRecords,
    Word,
)


@pytest.fixture
def ends() -> tuple[SharedRecords, SharedRecords]:
    """Two mappings of the same memory, as two processes have them."""
    descriptor = create_memory(BYTES)
    both = SharedRecords(map_memory(descriptor)), SharedRecords(map_memory(descriptor))
    os.close(descriptor)
    return both


def sevens(first: float) -> Array:
    return first + np.arange(7) / 8


def same(found: tuple[object, ...] | None, written: tuple[object, ...]) -> bool:
    """Returns whether two records have equal fields."""
    assert found is not None
    return all(
        np.array_equal(one, other)  # type: ignore[arg-type]  numbers and arrays
        for one, other in zip(found, written, strict=True)
    )


def test_before_a_write_there_is_nothing(ends: tuple[SharedRecords, SharedRecords]) -> None:
    records, _ = ends
    assert records.read_reference() is None
    assert records.read_state() is None
    assert records.read_hand_goal() is None
    assert records.read_hand_state() is None
    assert records.report.read() == records.stop.read() == records.hand_report.read() == ()
    assert list(records.words) == [0] * len(records.words)


def test_each_record_arrives_as_it_was_written(ends: tuple[SharedRecords, SharedRecords]) -> None:
    arm, driver = ends
    reference = Reference(7, 1.25, sevens(1.0), sevens(2.0), sevens(3.0))
    state = DriverState(
        robot_ms=2**40,
        received_s=0.5,
        mode=2,
        phase=3,
        stop=1,
        accepted=6,
        late_setpoints=4,
        stops=5,
        success_rate=0.875,
        lateness_s=0.0625,
        position=sevens(1.0),
        velocity=sevens(2.0),
        reference_position=sevens(3.0),
        reference_velocity=sevens(4.0),
    )
    goal, hand = HandGoal(3, 0.0625, True), HandState(0.03125, 0.08, 9.5, True, False)
    arm.write_reference(reference)
    driver.write_state(state)
    arm.write_hand_goal(goal)
    driver.write_hand_state(hand)
    arm.words[Word.ENDING] = 1
    assert same(driver.read_reference(), reference)
    assert same(arm.read_state(), state)
    assert driver.read_hand_goal() == goal
    assert arm.read_hand_state() == hand
    assert driver.words[Word.ENDING] == 1


def test_the_version_tells_of_a_new_set_point(ends: tuple[SharedRecords, SharedRecords]) -> None:
    arm, driver = ends
    before = driver.reference_version
    arm.write_reference(Reference(1, 0.0, sevens(0.0), sevens(0.0), sevens(0.0)))
    assert driver.reference_version != before


def test_texts_arrive_and_the_newest_replaces_the_older(
    ends: tuple[SharedRecords, SharedRecords],
) -> None:
    arm, driver = ends
    driver.stop.write("an older and longer text", "with a second one")
    assert arm.stop.read() == ("an older and longer text", "with a second one")
    driver.stop.write("Gelenk \u2264 1")
    assert arm.stop.read() == arm.stop.read() == ("Gelenk \u2264 1",)
    assert arm.report.read() == ()


@pytest.mark.parametrize("texts", [("x" * 3 * TEXT_BYTES,), ("kept", "y" * 3 * TEXT_BYTES)])
def test_a_text_that_is_too_long_is_cut(
    ends: tuple[SharedRecords, SharedRecords], texts: tuple[str, ...]
) -> None:
    arm, driver = ends
    driver.report.write(*texts)
    found = arm.report.read()
    assert len(found) == len(texts)
    assert texts[-1].startswith(found[-1])
    assert len(found[-1]) > 100
