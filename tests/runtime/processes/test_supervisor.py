"""When a process counts as failed, and when it is started again: on a manual clock.

The supervisor looks every 1/64 s, which adds up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from skill_runtime.processes import supervisor as module
from skill_runtime.processes.child import ChildProgram
from skill_runtime.processes.supervisor import (
    BUSY_SILENCE_S,
    SILENCE_S,
    SLEEPING_SILENCE_S,
    STARTING_S,
    BackOff,
    Supervised,
    Supervisor,
)
from skill_runtime.realtime.clock import ManualClock

CHECK_S = 1 / 64


@dataclass
class FakeChild:
    """A child whose end and state the test sets."""

    started_at: float
    ended: str | None = None
    state: str = ""
    killed: bool = False

    def kill(self) -> None:
        self.killed = True


@dataclass
class Rig:
    """A supervisor of one process that needs no real child."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(1000.0))
    children: list[FakeChild] = field(default_factory=list[FakeChild])
    beat: int = 0
    wanted: bool = True
    counted: int = 0
    error: OSError | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        self.process = Supervised(
            program=ChildProgram(name="gateway", module="unused"),
            beat_ns=lambda: self.beat,
            is_wanted=lambda: self.wanted,
            on_start=self._count,
        )
        self.supervisor = Supervisor([self.process], stderr=2, now=self.clock.now, virtual=True)

    def _count(self) -> None:
        self.counted += 1

    def start(self, program: ChildProgram, stderr: int) -> FakeChild:
        assert (program.name, stderr) == ("gateway", 2)
        if self.error is not None:
            raise self.error
        self.children.append(FakeChild(self.clock.now()))
        return self.children[-1]

    @property
    def child(self) -> FakeChild:
        return self.children[-1]

    def check(self, times: int = 1, *, after_s: float = CHECK_S, beats: bool = False) -> None:
        for _ in range(times):
            self.clock.time_s += after_s
            self.beat += beats
            self.supervisor.check(self.process)

    def fail(self) -> None:
        """Lets the child die, and the supervisor see it."""
        self.child.ended = "exit code 1"
        self.check()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A rig whose process has just been started and has beaten once."""
    rig = Rig()

    class Starts:
        start = rig.start

    monkeypatch.setattr(module, "Child", Starts)
    rig.supervisor.check(rig.process)
    rig.check(beats=True)
    return rig


def test_a_process_that_beats_is_left_alone(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.check(1000, beats=True)
    assert len(rig.children) == rig.counted == 1
    assert caplog.messages == []


def test_a_process_that_has_ended_is_started_again_at_once(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.child.ended = "SIGKILL"
    rig.check()
    assert len(rig.children) == rig.counted == 2
    assert rig.children[0].killed  # ends the zombie
    assert rig.child.started_at == rig.clock.now()
    assert caplog.messages == ["the gateway failed (SIGKILL); it is started again"]
    rig.check(500, beats=True)
    assert len(rig.children) == 2
    assert len(caplog.messages) == 1


def test_a_process_without_a_heartbeat_is_ended_and_started_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """80 ms are between 5 and 6 checks."""
    assert SILENCE_S == 0.08
    rig.check(5)
    assert len(rig.children) == 1
    rig.check()
    assert len(rig.children) == 2
    assert rig.children[0].killed
    assert caplog.messages == [
        "the gateway failed (no heartbeat for 94 ms, process state unknown); it is started again"
    ]


def test_one_heartbeat_in_time_is_enough(rig: Rig) -> None:
    for _ in range(100):
        rig.check(5)
        rig.check(beats=True)
    assert len(rig.children) == 1


@pytest.mark.parametrize(
    ("state", "checks"),
    [("R", 128), ("D", 128), ("Z", 128), ("X", 128), ("T", 6), ("S", 20), ("", 6)],
)
def test_a_process_at_work_or_at_its_end_has_more_time(rig: Rig, state: str, checks: int) -> None:
    """A check is 15.6 ms; 300 ms are between 19 and 20 checks."""
    assert (BUSY_SILENCE_S, SLEEPING_SILENCE_S) == (2.0, 0.3)
    rig.child.state = state
    rig.check(checks - 1)
    assert len(rig.children) == 1
    rig.check()
    assert len(rig.children) == 2


def test_a_sleeping_process_has_more_time_in_a_virtual_machine_alone(rig: Rig) -> None:
    rig.supervisor._virtual = False
    rig.child.state = "S"
    rig.check(6)
    assert len(rig.children) == 2


def test_states_and_time_of_work_may_be_given(rig: Rig) -> None:
    """30 s are 1,920 checks."""
    rig.process.busy_silence_s, rig.process.at_work = 30.0, frozenset({"S"})
    rig.child.state = "S"
    rig.check(1919)
    assert len(rig.children) == 1
    rig.check()
    assert len(rig.children) == 2


def test_a_process_may_take_long_to_its_first_heartbeat(rig: Rig) -> None:
    """20 s are 1,280 checks; the first child of the rig has beaten already."""
    assert STARTING_S == 20.0
    rig.fail()
    rig.check(1279)
    assert len(rig.children) == 2
    rig.check()
    assert rig.children[1].killed


def test_a_machine_that_stands_still_is_no_failure(rig: Rig) -> None:
    """A gap of any length counts as two checks of 20 ms: 40 ms, and two more are 71 ms."""
    rig.check(after_s=3600.0)
    rig.check(2)
    assert len(rig.children) == 1
    rig.check()
    assert len(rig.children) == 2


@pytest.mark.parametrize(
    ("back_off", "waits_s"),
    [
        (BackOff(), (0.0, 0.1, 0.3, 1.0, 2.0, 2.0, 2.0)),
        (BackOff(waits_s=(0.0, 0.1, 0.2)), (0.0, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2)),
        (BackOff(waits_s=(0.5,)), (0.5, 0.5, 0.5)),
    ],
)
def test_a_process_that_fails_again_and_again_has_its_back_off(
    rig: Rig,
    caplog: pytest.LogCaptureFixture,
    back_off: BackOff,
    waits_s: tuple[float, ...],
) -> None:
    rig.process.back_off = back_off
    for number, wait_s in enumerate(waits_s):
        failed_at = rig.clock.now() + CHECK_S
        rig.fail()
        while len(rig.children) == number + 1:
            rig.check()
        waited_s = rig.child.started_at - failed_at
        assert wait_s <= waited_s < wait_s + CHECK_S
    texts = [message.rpartition("again")[2] for message in caplog.messages]
    assert texts == [f" in {wait_s:g} s" if wait_s else "" for wait_s in waits_s]


@pytest.mark.parametrize("healthy_s", [2.0, 10.0])
def test_after_a_long_life_the_first_restart_is_at_once_again(rig: Rig, healthy_s: float) -> None:
    rig.process.back_off = BackOff(healthy_s=healthy_s)
    for _ in range(3):
        rig.fail()
        rig.check(64, beats=True)
    rig.check(round(healthy_s / CHECK_S), beats=True)
    count = len(rig.children)
    rig.fail()
    assert len(rig.children) == count + 1


def test_a_process_that_is_not_wanted_is_not_started(rig: Rig) -> None:
    rig.wanted = False
    rig.check(1000, beats=True)
    assert len(rig.children) == 1  # it goes on
    rig.fail()
    rig.check(1000)
    assert len(rig.children) == 1
    rig.wanted = True
    rig.check()
    assert len(rig.children) == 2


def test_a_system_that_cannot_start_it_is_asked_again_later(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.error = OSError(12, "Cannot allocate memory")
    rig.fail()
    rig.check(100)
    assert len(rig.children) == 1
    assert "the gateway cannot be started: [Errno 12] Cannot allocate memory" in caplog.messages
    assert len(caplog.messages) == 2
    rig.error = None
    rig.check(round(rig.process.back_off.cap_s / CHECK_S))
    assert len(rig.children) == 2
    assert rig.counted == 3  # every attempt
