"""Starts driver and gripper as processes, waits until they are ready, and ends them."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_robots.arm import ArmCommunicationError, ArmError
from skill_robots.franka_driver.config import DriverStart, HandStart
from skill_robots.franka_driver.records import BYTES, SharedRecords, Status, Word

START_TIMEOUT_S = 30.0
"""Longest wait for driver and gripper [s]: an error recovery takes up to 16 s on real robots."""

CLOSE_TIMEOUT_S = 2.0
"""Longest wait for their end [s]: the wrist of an FR3 brakes for up to 0.7 s (from 5.26 rad/s at
7.5 rad/s^2), and the vendor's stop takes up to 1 s."""

MODULE = "skill_robots.franka_driver"
"""Runs both processes."""

ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

MakeDriverStart = Callable[[int, int, bool], DriverStart]
"""Settings of a driver from memory, parent, and whether errors are cleared."""
MakeHandStart = Callable[[int, int], HandStart]
"""Settings of a gripper process from memory and parent."""


class DriverProcesses:
    """The processes of one robot.

    Args:
        driver_start: makes the settings of the driver.
        hand_start: makes the settings of the gripper's process; None for no gripper.

    Attributes:
        records: the shared memory.
        remarks: of the driver on its start.
    """

    def __init__(self, driver_start: MakeDriverStart, hand_start: MakeHandStart | None) -> None:
        self._driver_start = driver_start
        self._hand_start = hand_start
        self._memory = create_memory(BYTES)
        self.records = SharedRecords(map_memory(self._memory))
        self.remarks: tuple[str, ...] = ()
        self._driver: subprocess.Popen[bytes] | None = None
        self._hand: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        """Held to change ``Word.ENDING``."""
        self._is_closed = False

    def start(self, *, recover: bool = False) -> None:
        """Starts the processes that do not run, and waits until they are ready.

        Args:
            recover: whether the driver clears errors of the robot.

        Raises:
            ArmError: a process cannot start, or is not ready in time; none is left. Or the
                processes are to end.
        """
        words, memory, parent = self.records.words, self._memory, os.getpid()
        with self._lock:
            self._check_open()
            words[Word.ENDING] = 0
        try:
            if not _runs(self._driver):
                words[Word.DRIVER_STATUS] = Status.STARTING
                words[Word.RECOVERY_DONE] = words[Word.RECOVERY_ASKED]
                start = self._driver_start(memory, parent, recover)
                self._driver = _run(start, memory)
            self._check_open()
            if self._hand_start is not None and not _runs(self._hand):
                words[Word.HAND_STATUS] = Status.STARTING
                hand = self._hand_start(memory, parent)
                hand = replace(hand, home=hand.home and not recover)
                self._hand = _run(hand, memory)
            self._wait()
        except ArmError:
            if not self._is_closed:  # close() ends them otherwise
                self._end()
            raise
        self.remarks = self.records.report.read()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ArmError("the server has ended")

    def _wait(self) -> None:
        ends = time.monotonic() + START_TIMEOUT_S
        words, records = self.records.words, self.records
        parts = [(self._driver, Word.DRIVER_STATUS, records.report, "driver")]
        if self._hand is not None:
            parts.append((self._hand, Word.HAND_STATUS, records.hand_report, "gripper process"))
        while any(words[status] != Status.READY for _, status, _, _ in parts):
            self._check_open()
            for process, status, report, name in parts:
                if words[status] == Status.FAILED:
                    raise ArmError("; ".join(report.read()))
                if process is not None and process.poll() is not None:
                    raise ArmError(f"the {name} {_how(process)} during its start; see the log")
            if time.monotonic() > ends:
                raise ArmCommunicationError(
                    f"the robot was not ready within {START_TIMEOUT_S:g} s; see the log"
                )
            time.sleep(0.005)

    @property
    def ended(self) -> str | None:
        """How the driver or the gripper's process has ended, in words; None while both run."""
        driver, hand = self._driver, self._hand
        if driver is not None and driver.poll() is not None:
            reason = "; ".join(self.records.stop.read()[:1]) if driver.returncode == 0 else ""
            return reason or f"the driver process {_how(driver)}"
        if hand is not None and hand.poll() is not None:
            return f"the gripper process {_how(hand)}"
        return None

    def kill_hand(self) -> None:
        """Ends the gripper's process at once, e.g. one that hangs."""
        if self._hand is not None:
            self._hand.kill()
            self._hand.wait()

    def ask_to_end(self) -> None:
        """Asks the processes to end for good: a start that runs is given up, none follows."""
        with self._lock:
            self._is_closed = True
            self.records.words[Word.ENDING] = 1

    def close(self) -> None:
        """Asks the processes to end for good, and kills them after :data:`CLOSE_TIMEOUT_S`."""
        self.ask_to_end()
        self._end()

    def _end(self) -> None:
        self.records.words[Word.ENDING] = 1
        ends = time.monotonic() + CLOSE_TIMEOUT_S
        for process in (self._driver, self._hand):
            if process is None:
                continue
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, ends - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()


def _runs(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None


def _run(start: DriverStart | HandStart, memory: int) -> subprocess.Popen[bytes]:
    """Starts a process with its settings in its standard input."""
    # In memory: a pipe could make the caller wait.
    with os.fdopen(create_memory(0), "w+b") as settings:
        settings.write(pickle.dumps(start))
        settings.seek(0)
        try:
            return subprocess.Popen(
                # -P: a file of the user's folder must not replace a module.
                [sys.executable, "-P", "-m", MODULE],
                stdin=settings,
                stdout=sys.stderr.fileno(),
                pass_fds=(memory,),
                env={**os.environ, **ENVIRONMENT},
            )
        except OSError as error:
            raise ArmError(f"the driver's processes cannot start: {error}") from None


def _how(process: subprocess.Popen[bytes]) -> str:
    code = process.returncode
    if code is None or code >= 0:
        return f"has ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
