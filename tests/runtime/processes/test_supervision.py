"""Real children that die and freeze."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psutil
import pytest
from tests.runtime.processes.programs import WriteModule
from tests.support.served import until

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_runtime.processes.child import ChildProgram
from skill_runtime.processes.supervisor import Supervised, Supervisor
from skill_runtime.realtime.limits import process_state

BEATING = """
import os, sys, time
from skill_proto.shared_memory.memory import map_memory
words = map_memory(int(sys.argv[1])).cast("Q")
index = int(sys.argv[2])
while True:
    words[index] += 1
    if words[8]:
        os._exit(3)
    time.sleep(0.005)
"""

NOTICED_S = 10.0
"""A failure is noticed in 0.1 s; a busy machine may take much longer."""


class Rig:
    """A supervisor of two real processes, and their memory: heartbeats, and an order to exit."""

    def __init__(self, module: str) -> None:
        self.memory = create_memory(4096)
        self.words = map_memory(self.memory).cast("Q")
        self.starts = [0, 0]
        self.wanted = [True, True]
        self.processes = [self._supervised(module, index) for index in (0, 1)]
        self.supervisor = Supervisor(self.processes, stderr=2, now=time.monotonic)

    def _supervised(self, module: str, index: int) -> Supervised:
        def count() -> None:
            self.starts[index] += 1

        return Supervised(
            program=ChildProgram(
                name=f"process {index}",
                module=module,
                arguments=(str(self.memory), str(index)),
                descriptors=(self.memory,),
            ),
            beat_ns=lambda: self.words[index],
            is_wanted=lambda: self.wanted[index],
            on_start=count,
        )

    def pid(self, index: int) -> int:
        child = self.processes[index].child
        return 0 if child is None else child.process.pid

    def beats(self, index: int) -> None:
        """Returns once the process has beaten."""
        beat = self.words[index]
        until(lambda: self.words[index] > beat)

    def close(self) -> None:
        self.supervisor.close()
        os.close(self.memory)


@pytest.fixture
def rig(write_module: WriteModule) -> Iterator[Rig]:
    with closing(Rig(write_module("beating", BEATING))) as rig:
        rig.supervisor.start()
        for index in (0, 1):
            rig.beats(index)
        yield rig


def exit_by_itself(rig: Rig) -> None:
    rig.words[8] = 1
    until(lambda: rig.starts[0] + rig.starts[1] > 2)
    rig.words[8] = 0


def send(number: signal.Signals) -> Callable[[Rig], None]:
    return lambda rig: os.kill(rig.pid(0), number)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (send(signal.SIGKILL), "SIGKILL"),
        (send(signal.SIGABRT), "SIGABRT"),
        (send(signal.SIGSTOP), "no heartbeat for"),
    ],
)
def test_a_process_that_fails_is_replaced_and_the_other_is_not(
    rig: Rig, caplog: pytest.LogCaptureFixture, failure: Callable[[Rig], None], reason: str
) -> None:
    before, start = [rig.pid(0), rig.pid(1)], time.monotonic()
    failure(rig)
    until(lambda: rig.pid(0) not in (0, before[0]))
    assert time.monotonic() - start < NOTICED_S
    rig.beats(0)
    assert rig.pid(1) == before[1]
    assert rig.starts == [2, 1]
    assert not psutil.pid_exists(before[0])
    (line,) = caplog.messages
    assert line.startswith(f"the process 0 failed ({reason}")


def test_an_exit_code_is_named(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    exit_by_itself(rig)
    until(lambda: len(caplog.messages) >= 2)
    assert "the process 0 failed (exit code 3); it is started again" in caplog.messages
    assert "the process 1 failed (exit code 3); it is started again" in caplog.messages
    for index in (0, 1):
        rig.beats(index)


def test_while_it_is_paused_no_process_is_started(rig: Rig) -> None:
    rig.supervisor.pause()
    pid = rig.pid(0)
    os.kill(pid, signal.SIGKILL)
    until(lambda: process_state(pid) in ("Z", ""))
    rig.beats(1)
    assert rig.starts == [1, 1]


def test_close_ends_all_processes_also_frozen_ones(write_module: WriteModule) -> None:
    rig = Rig(write_module("beating", BEATING))
    rig.supervisor.start()
    rig.beats(0)
    rig.beats(1)
    rig.supervisor.pause()
    pids = [rig.pid(0), rig.pid(1)]
    os.kill(pids[1], signal.SIGSTOP)
    rig.close()
    assert not any(map(psutil.pid_exists, pids))


def test_a_process_that_is_not_wanted_starts_when_it_is(write_module: WriteModule) -> None:
    with closing(Rig(write_module("beating", BEATING))) as rig:
        rig.wanted = [True, False]
        rig.supervisor.start()
        rig.beats(0)
        assert rig.starts == [1, 0]
        rig.wanted = [True, True]
        rig.beats(1)
        assert rig.starts == [1, 1]


def test_a_program_that_cannot_run_does_not_load_the_machine(
    write_module: WriteModule, caplog: pytest.LogCaptureFixture
) -> None:
    """Restarts follow after 0, 0.1, 0.3 and 1 s, so the fourth failure comes after 0.4 s."""
    with closing(Rig(write_module("beating", "raise SystemExit(9)"))) as rig:
        rig.wanted = [True, False]
        start = time.monotonic()
        rig.supervisor.start()
        until(lambda: len(caplog.messages) >= 4)
        assert time.monotonic() - start >= 0.4
        assert caplog.messages[0].endswith("(exit code 9); it is started again")
        assert caplog.messages[3].endswith("(exit code 9); it is started again in 1 s")
