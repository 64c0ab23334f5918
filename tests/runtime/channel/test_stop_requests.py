"""Stops from the listener to the controller, and back."""

from __future__ import annotations

import pytest

from skill_runtime.channel.stop_requests import BYTES, MAX_REASON_BYTES, StopRequests

Ends = tuple[StopRequests, StopRequests]


@pytest.fixture
def ends() -> Ends:
    """The end of the listener, and that of the controller."""
    memory = memoryview(bytearray(BYTES))
    return StopRequests(memory), StopRequests(memory)


def test_in_new_memory_no_stop_and_no_listener_is_known(ends: Ends) -> None:
    _, controller = ends
    assert (controller.requested, controller.executed, controller.reason) == (0, 0, "")
    assert (controller.beat_ns, controller.pid, controller.blocked) == (0, 0, False)


def test_stops_are_counted_and_the_newest_reason_is_known(ends: Ends) -> None:
    listener, controller = ends
    assert [listener.request(reason) for reason in ("first", "second", "")] == [1, 2, 3]
    assert (controller.requested, controller.reason) == (3, "")
    assert listener.executed == 0
    controller.executed = 3
    assert listener.executed == 3


def test_a_listener_that_is_started_again_goes_on_with_the_numbers() -> None:
    memory = memoryview(bytearray(BYTES))
    StopRequests(memory).request("first")
    assert StopRequests(memory).request("second") == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a person", "a person"),
        ("half an emoji \ud83d", "half an emoji ?"),
        ("x" * 5000, "x" * MAX_REASON_BYTES),
        ("\U0001f6d1" * 256, "\U0001f6d1" * 256),
        ("x" + "\U0001f6d1" * 256, "x" + "\U0001f6d1" * 255),  # cut within a character
        ("\0\n\x1b[2J", "\0\n\x1b[2J"),
    ],
)
def test_no_reason_prevents_a_stop(ends: Ends, given: str, kept: str) -> None:
    listener, controller = ends
    listener.request(given)
    assert (controller.requested, controller.reason) == (1, kept)


def test_blocked_and_the_heartbeat_are_seen_by_the_controller(ends: Ends) -> None:
    listener, controller = ends
    listener.blocked = True
    listener.beat(123_456_789, pid=77)
    assert (controller.blocked, controller.beat_ns, controller.pid) == (True, 123_456_789, 77)
    listener.blocked = False
    assert not controller.blocked
