"""Starts gateway, stop listener and policy service again when they fail.

A process fails if it ends, or if its heartbeat stops. The first restart comes at once. The restarts
of a process that fails again soon have a back-off, so that a lasting cause does not load the
machine.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skill_runtime.processes.child import Child, ChildProgram
from skill_runtime.realtime.cpus import is_virtual_machine

log = logging.getLogger(__name__)

CHECK_S = 0.02
"""Time between two checks [s]."""

SILENCE_S = 0.08
"""A suspended process without a heartbeat for this long has failed [s]. Each beats at least every
20 ms."""

SLEEPING_SILENCE_S = 0.3
"""The same for a process that sleeps in a virtual machine [s]. It may wait for the timer of a
processor that the host has taken away."""

BUSY_SILENCE_S = 2.0
"""The same for a process that is at work [s]."""

AT_WORK = frozenset({"R", "D"})
"""States of a process that runs, or waits for a processor or the disk (proc(5))."""

ENDING = frozenset({"Z", "X"})
"""States of a process that has ended, but for its threads or memory; its exit code comes soon."""

STOPPED = frozenset({"T", "t"})
"""States of a process that a signal or a debugger has stopped."""

STARTING_S = 20.0
"""Longest time from a start to the first heartbeat [s]."""


@dataclass(frozen=True, kw_only=True)
class BackOff:
    """Waits between the restarts of a process that fails again and again."""

    waits_s: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 2.0)
    """Wait before each restart in a row [s]. The last wait, the cap, is repeated."""
    healthy_s: float = 10.0
    """After a process has run for this long, the waits begin anew [s]."""

    def wait_s(self, failures: int) -> float:
        """Returns the wait after so many earlier failures [s]."""
        return self.waits_s[min(failures, len(self.waits_s) - 1)]

    @property
    def cap_s(self) -> float:
        """The longest wait [s]."""
        return self.waits_s[-1]


@dataclass(kw_only=True)
class Supervised:
    """A process and the state of its supervision."""

    program: ChildProgram
    beat_ns: Callable[[], int]
    """Returns its newest heartbeat."""
    is_wanted: Callable[[], bool] = lambda: True
    """Returns whether it is to run."""
    on_start: Callable[[], None] = lambda: None
    """Called before each start."""
    back_off: BackOff = BackOff()
    busy_silence_s: float = BUSY_SILENCE_S
    at_work: frozenset[str] = AT_WORK
    """States in which it may be without a heartbeat for ``busy_silence_s``."""
    child: Child | None = None
    """Before the first start, one that was prepared; None if there is none."""
    is_running: bool = False
    """Whether ``child`` was started already, and has its configuration."""
    started_at: float = 0.0
    start_due: float = 0.0
    failures: int = 0
    beat: int = 0
    checked_at: float = 0.0
    silent_s: float = 0.0
    has_beaten: bool = False


class Supervisor:
    """A thread that supervises processes.

    Args:
        processes: The processes; a child of one has been prepared, not started.
        stderr: Descriptor for the standard error of the children.
        now: Current time [s].
        virtual: Whether this is a virtual machine, whose host may hold timers back; None asks the
            processor.
    """

    def __init__(
        self,
        processes: Sequence[Supervised],
        stderr: int,
        now: Callable[[], float],
        *,
        virtual: bool | None = None,
    ) -> None:
        self._processes = processes
        self._stderr = stderr
        self._now = now
        self._virtual = is_virtual_machine() if virtual is None else virtual
        self._ended, self._paused = threading.Event(), threading.Event()
        # The thread must live as long as the processes that it has started: Linux ends a child
        # with the thread that started it (PR_SET_PDEATHSIG).
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Starts the processes that are wanted, and then supervises them."""
        for process in self._processes:
            if process.is_running:
                process.on_start()
                process.started_at = process.checked_at = self._now()
            elif process.is_wanted():
                self._start(process)
        self._thread.start()

    def pause(self) -> None:
        """Starts no process any more; those that run go on."""
        self._paused.set()

    def await_end(self, timeout_s: float) -> None:
        """Waits until all processes have ended by themselves, at most ``timeout_s`` [s]."""
        ends = self._now() + timeout_s
        while self._now() < ends and any(
            process.child is not None and process.child.ended is None for process in self._processes
        ):
            self._ended.wait(0.005)

    def close(self) -> None:
        """Ends supervision and the processes, in their order."""
        self._ended.set()
        self._thread.join()
        for process in self._processes:
            if process.child is not None:
                process.child.kill()

    def _run(self) -> None:
        while not self._ended.wait(CHECK_S):
            for process in self._processes if not self._paused.is_set() else ():
                self.check(process)

    def check(self, process: Supervised) -> None:
        """Starts a process if it is wanted and does not run; ends one that does not beat."""
        now = self._now()
        if process.child is None:
            if process.is_wanted() and now >= process.start_due:
                self._start(process)
            return
        reason = process.child.ended or self._silence(process, process.child, now)
        if reason is None:
            return
        process.child.kill()
        process.child = None
        if now - process.started_at >= process.back_off.healthy_s:
            process.failures = 0
        wait_s = process.back_off.wait_s(process.failures)
        process.failures += 1
        process.start_due = now + wait_s
        later = f" in {wait_s:g} s" if wait_s else ""
        log.error("the %s failed (%s); it is started again%s", process.program.name, reason, later)
        if not wait_s and process.is_wanted():
            self._start(process)

    def _silence(self, process: Supervised, child: Child, now: float) -> str | None:
        beat, since_s = process.beat_ns(), now - process.checked_at
        process.checked_at = now
        if beat != process.beat:
            process.beat, process.silent_s, process.has_beaten = beat, 0.0, True
            return None
        # A machine that stands still for a moment stops both processes; that is no failure.
        process.silent_s += min(since_s, 2.0 * CHECK_S)
        silent_s = process.silent_s
        state = child.state
        if silent_s < SILENCE_S or silent_s < self._patience_s(process, state):
            return None
        return f"no heartbeat for {1e3 * silent_s:.0f} ms, process state {state or 'unknown'}"

    def _patience_s(self, process: Supervised, state: str) -> float:
        """Returns for how long a process in this state may be without a heartbeat [s]."""
        if state in STOPPED:
            return 0.0
        if not process.has_beaten:
            return STARTING_S
        if state in process.at_work | ENDING:
            return process.busy_silence_s
        return SLEEPING_SILENCE_S if state == "S" and self._virtual else 0.0

    def _start(self, process: Supervised) -> None:
        process.on_start()
        now = self._now()
        process.beat, process.silent_s, process.has_beaten = process.beat_ns(), 0.0, False
        process.started_at = process.checked_at = now
        try:
            if process.child is None:
                process.child = Child.start(process.program, self._stderr)
            else:
                process.child.configure(process.program.config)
        except OSError as error:  # out of memory or of processes
            log.error("the %s cannot be started: %s", process.program.name, error)
            process.start_due = now + process.back_off.cap_s
