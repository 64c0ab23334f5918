"""Execution of stops, and a stop listener that does not answer.

Times are whole multiples of 1/128 s, which add up exactly.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.served import until

from skill_runtime.authority.authority import Authority
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.stop_requests import BYTES, StopRequests
from skill_runtime.realtime.limits import process_state
from skill_runtime.server.stop_reader import (
    ALIVE_SILENCE_S,
    ANSWERS_NOT,
    BLOCKED,
    SILENCE_S,
    STARTED_AGAIN,
    StopReader,
    alive,
)

TICK_S = 1 / 128


class Rig:
    """A reader, and the listener's side of its memory."""

    def __init__(self) -> None:
        self.stops = StopRequests(memoryview(bytearray(BYTES)))
        self.authority = Authority()
        self.alive = False
        self.now = 100.0
        self.stops.beat(1, pid=4711)
        self.asked: list[int] = []
        self.reader = StopReader(self.stops, self.authority, self._is_alive)

    def _is_alive(self, pid: int) -> bool:
        self.asked.append(pid)
        return self.alive

    def watch(self, ticks: int = 1, tick_s: float = TICK_S, *, beats: bool = False) -> None:
        for _ in range(ticks):
            self.now += tick_s
            if beats:
                self.stops.beat(self.stops.beat_ns + 1, pid=4711)
            self.reader.watch(self.now, 2 * TICK_S)

    def clear_is_refused(self) -> bool:
        try:
            self.reader.check_clear()
        except Refusal as refusal:
            return (refusal.code, refusal.fix[:10]) == ("not_now", "wait until")
        return False


@pytest.fixture
def rig() -> Rig:
    return Rig()


# Requests -----------------------------------------------------------------------------------------


def test_without_a_request_the_arm_is_not_stopped(rig: Rig) -> None:
    assert not rig.reader.read()
    assert rig.authority.mode == "hold"


def test_a_request_stops_once_with_its_reason(rig: Rig) -> None:
    rig.stops.request("smoke")
    assert rig.reader.read()
    assert rig.reader.executed == 1
    assert rig.authority.mode == "stopped"
    assert rig.authority.events.last_event == "stop: smoke"
    assert rig.authority.events.counters["stops"] == 1
    assert not rig.reader.read()
    assert rig.reader.executed == 1


def test_the_listener_learns_of_the_execution_after_the_confirmation(rig: Rig) -> None:
    rig.stops.request("smoke")
    rig.reader.read()
    assert rig.stops.executed == 0
    rig.reader.confirm()
    assert rig.stops.executed == 1


def test_several_requests_are_one_stop_and_all_are_counted(rig: Rig) -> None:
    for reason in ("first", "second", "third"):
        rig.stops.request(reason)
    assert rig.reader.read()
    assert rig.reader.executed == 3
    assert rig.authority.events.last_event == "stop: third"
    assert rig.authority.events.counters["stops"] == 3


def test_requests_of_before_the_start_are_not_executed_again() -> None:
    stops = StopRequests(memoryview(bytearray(BYTES)))
    stops.request("old")
    stops.executed = 1
    authority = Authority()
    reader = StopReader(stops, authority)
    assert not reader.read()
    stops.request("new")
    assert reader.read()
    assert reader.executed == 2
    assert authority.events.counters["stops"] == 1


@pytest.mark.parametrize("damaged", [0, 4, 2**64 - 1])
def test_a_count_that_is_damaged_stops_and_the_next_request_is_executed(
    rig: Rig, damaged: int
) -> None:
    for _ in range(5):
        rig.stops.request("")
    rig.reader.read()
    rig.authority.clear(0.0)
    rig.stops._words[0] = damaged  # the word of the listener
    rig.reader.read()
    assert rig.authority.mode == "stopped"
    rig.authority.clear(0.0)
    rig.stops._words[0] = 17
    assert rig.reader.read()
    assert rig.reader.executed == 17
    assert rig.authority.mode == "stopped"


def test_repeated_stops_are_logged_once_and_all_counted(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10):
        rig.stops.request("smoke")
        rig.reader.read()
    assert caplog.messages == ["stop: smoke"]
    assert rig.authority.events.counters["stops"] == 10
    rig.stops.request("fire")
    rig.reader.read()
    assert caplog.messages == ["stop: smoke", "stop: fire"]
    rig.authority.clear(0.0)
    rig.stops.request("fire")
    rig.reader.read()
    assert caplog.messages == ["stop: smoke", "stop: fire", "stop: fire"]


def test_the_log_shows_a_reason_on_one_line_and_harmless(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.stops.request("ok\nskill-serve: cleared\x1b[2K\x9b\u202e")
    rig.reader.read()
    rig.authority.clear(0.0)
    rig.stops.request("")
    rig.reader.read()
    assert caplog.messages == [
        r"stop: ok\nskill-serve: cleared\x1b[2K\x9b\u202e",
        "stop: no reason given",
    ]


# A listener that is silent ------------------------------------------------------------------------


def test_while_the_listener_beats_the_arm_may_move(rig: Rig) -> None:
    rig.watch(1000, beats=True)
    assert rig.authority.mode == "hold"
    assert not rig.clear_is_refused()
    assert rig.asked == []  # to ask the system for a process takes time


def test_silence_stops_the_arm_after_its_time(rig: Rig) -> None:
    """60 ms are between 7 and 8 ticks of 7.8 ms."""
    assert SILENCE_S == 0.06
    rig.watch(beats=True)
    rig.watch(7)
    assert rig.authority.mode == "hold"
    rig.watch()
    assert rig.authority.mode == "stopped"
    assert ANSWERS_NOT in rig.authority.events.last_event
    assert set(rig.asked) == {4711}


def test_one_heartbeat_in_time_is_enough(rig: Rig) -> None:
    for _ in range(20):
        rig.watch(beats=True)
        rig.watch(7)
    assert rig.authority.mode == "hold"


def test_a_listener_that_lives_is_tolerated_up_to_its_own_limit(rig: Rig) -> None:
    """300 ms are between 38 and 39 ticks."""
    assert ALIVE_SILENCE_S == 0.3
    rig.alive = True
    rig.watch(beats=True)
    rig.watch(38)
    assert rig.authority.mode == "hold"
    assert not rig.clear_is_refused()
    rig.watch()
    assert rig.authority.mode == "stopped"
    assert rig.clear_is_refused()


def test_a_listener_that_lived_and_then_is_suspended_is_silent(rig: Rig) -> None:
    rig.alive = True
    rig.watch(20)
    assert rig.authority.mode == "hold"
    rig.alive = False
    rig.watch()
    assert rig.authority.mode == "stopped"


def test_a_silent_listener_needs_a_heartbeat_to_count_as_alive(rig: Rig) -> None:
    """A suspended process that is killed works for a moment."""
    rig.watch(20)
    assert rig.authority.mode == "stopped"
    rig.alive = True
    rig.watch()
    assert rig.clear_is_refused()
    rig.watch(beats=True)
    assert not rig.clear_is_refused()


@pytest.mark.parametrize("stall_s", [0.5, 60.0])
def test_a_stall_of_the_controller_itself_counts_as_one_tick(rig: Rig, stall_s: float) -> None:
    """At most two ticks are counted for it: 6 more ticks are 62.5 ms in all."""
    rig.watch(beats=True)
    rig.watch(tick_s=stall_s)
    assert rig.authority.mode == "hold"
    rig.watch(5)
    assert rig.authority.mode == "hold"
    rig.watch()
    assert rig.authority.mode == "stopped"


def test_the_first_tick_does_not_count_the_time_before_it(rig: Rig) -> None:
    rig.now = 1e6
    rig.watch(6)
    assert rig.authority.mode == "hold"


def test_a_listener_that_was_started_again_stops_the_arm_without_any_silence(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener before may have read a stop that it did not pass on."""
    rig.watch(beats=True)
    rig.stops.beat(rig.stops.beat_ns + 1, pid=4712)
    rig.watch()
    assert rig.authority.mode == "stopped"
    assert caplog.messages == [f"stop: {STARTED_AGAIN}"]
    assert not rig.clear_is_refused()
    rig.authority.clear(rig.now)
    for _ in range(20):
        rig.stops.beat(rig.stops.beat_ns + 1, pid=4712)
        rig.watch()
    assert rig.authority.mode == "hold"


def test_a_new_listener_after_a_silence_is_no_second_stop(rig: Rig) -> None:
    rig.watch(20)
    rig.stops.beat(rig.stops.beat_ns + 1, pid=4712)
    rig.watch()
    assert rig.authority.events.counters["stops"] == 1


def test_the_first_listener_of_a_server_does_not_stop_the_arm() -> None:
    stops, authority = StopRequests(memoryview(bytearray(BYTES))), Authority()
    reader = StopReader(stops, authority)
    stops.beat(1, pid=4711)
    reader.watch(1.0, TICK_S)
    assert authority.mode == "hold"


def test_silence_is_counted_once_and_ends_with_a_heartbeat(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.watch(500)
    assert rig.authority.events.counters["stops"] == 1
    (message,) = caplog.messages
    assert message.startswith(f"stop: {ANSWERS_NOT} (no heartbeat for 62 ms, process state ")
    assert rig.clear_is_refused()
    rig.watch(beats=True)
    assert rig.authority.mode == "stopped"  # until a client clears it
    assert not rig.clear_is_refused()


def test_an_arm_that_is_cleared_in_silence_is_stopped_again(rig: Rig) -> None:
    rig.watch(8)
    rig.authority.clear(0.0)
    rig.watch()
    assert rig.authority.mode == "stopped"


def test_while_the_socket_is_blocked_clear_is_refused(rig: Rig) -> None:
    rig.stops.blocked = True
    assert rig.clear_is_refused()
    with pytest.raises(Refusal) as info:
        rig.reader.check_clear()
    assert BLOCKED in info.value.message
    rig.stops.blocked = False
    assert not rig.clear_is_refused()


# Real processes -----------------------------------------------------------------------------------


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system has no /proc")
@pytest.mark.parametrize("virtual", [False, True])
def test_a_process_that_sleeps_is_alive_in_a_virtual_machine_alone(
    sleeping: subprocess.Popen[bytes], *, virtual: bool
) -> None:
    is_alive = alive(virtual=virtual)
    assert is_alive(os.getpid())
    until(lambda: process_state(sleeping.pid) == "S")
    assert is_alive(sleeping.pid) == virtual
    sleeping.send_signal(signal.SIGSTOP)
    until(lambda: process_state(sleeping.pid) == "T")
    assert not is_alive(sleeping.pid)
    sleeping.kill()
    until(lambda: process_state(sleeping.pid) == "Z")
    assert not is_alive(sleeping.pid)
    sleeping.wait()
    assert process_state(sleeping.pid) == ""
    assert not is_alive(sleeping.pid)
