"""Executes the stops of the stop listener, and stops the arm if the listener fails.

A stop socket that nobody reads is a stop button without effect, so the arm must not move without
one. The arm stays stopped as long as the listener is silent, or reports that messages wait unread.
A listener that was started again stops the arm too: the one before may have read a stop that it did
not pass on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from skill_proto.printable import printable
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.stop_requests import BLOCKED, StopRequests
from skill_runtime.realtime.cpus import is_virtual_machine
from skill_runtime.realtime.limits import process_state

log = logging.getLogger(__name__)

SILENCE_S = 0.06
"""A dead or suspended stop listener is silent after this time without a heartbeat [s]. It beats
every 10 ms."""

ALIVE_SILENCE_S = 0.3
"""The same for a listener that works or waits for a processor [s]. In a virtual machine it may also
sleep: its timer may be that of a processor that the host has taken away."""

ANSWERS_NOT = "the stop listener does not answer"

STARTED_AGAIN = "the stop listener was started again, and a stop may be lost"


class StopReader:
    """Reads the stop requests of one server.

    Args:
        stops: The requests.
        authority: Stops the arm.
        is_alive: Returns whether the process with an id is neither dead nor suspended.
    """

    def __init__(
        self,
        stops: StopRequests,
        authority: Authority,
        is_alive: Callable[[int], bool] | None = None,
    ) -> None:
        self._stops = stops
        self._authority = authority
        self._is_alive = is_alive or alive(virtual=is_virtual_machine())
        self._executed = stops.executed
        self._beat_ns, self._silent_s, self._checked = stops.beat_ns, 0.0, 0.0
        self._pid = stops.pid
        self._found_silent = False
        self._logged = ""

    def read(self) -> bool:
        """Executes the stops that have been requested; returns whether there was one."""
        requested = self._stops.requested
        count = requested - self._executed
        if count == 0:
            return False
        self._executed = requested
        self._stop(printable(self._stops.reason), max(count, 1))
        return True

    @property
    def executed(self) -> int:
        """Number of the newest stop that was executed."""
        return self._executed

    def confirm(self) -> None:
        """Lets the listener reply to the stops that were executed."""
        self._stops.executed = self._executed

    def watch(self, now: float, tick_s: float) -> None:
        """Stops the arm if the listener is silent or was started again; called once a tick.

        Only time in which the controller itself ran is counted: a machine that stands still for a
        moment stops both processes.

        Args:
            now: Server time [s].
            tick_s: Longest time to count for one tick [s].
        """
        beat_ns, since_s = self._stops.beat_ns, now - self._checked
        self._checked = now
        if beat_ns != self._beat_ns:
            self._beat_ns, self._silent_s, self._found_silent = beat_ns, 0.0, False
            before, self._pid = self._pid, self._stops.pid
            if before not in (0, self._pid) and self._authority.mode != "stopped":
                self._stop(STARTED_AGAIN, 1)
            return
        self._silent_s += min(max(since_s, 0.0), tick_s)
        self._found_silent = self.is_silent
        if self._found_silent and self._authority.mode != "stopped":
            state = process_state(self._stops.pid) or "unknown"
            silent = f"no heartbeat for {1e3 * self._silent_s:.0f} ms, process state {state}"
            self._stop(ANSWERS_NOT, 1, f" ({silent})")

    @property
    def is_silent(self) -> bool:
        """Whether the listener does not answer."""
        # A suspended process that is killed works for a moment; that is no sign of life.
        if self._found_silent or self._silent_s < SILENCE_S:
            return self._found_silent
        return self._silent_s >= ALIVE_SILENCE_S or not self._is_alive(self._stops.pid)

    def check_clear(self) -> None:
        """Raises Refusal ``not_now`` while stops may be unread; the arm must stay stopped."""
        if self.is_silent:
            fix = "wait until the stop listener runs again, then send it again"
            raise Refusal("not_now", f"the arm stays stopped: {ANSWERS_NOT}", fix)
        if self._stops.blocked:
            fix = "wait until the stop socket is free, then send it again"
            raise Refusal("not_now", f"the arm stays stopped: {BLOCKED}", fix)

    def _stop(self, reason: str, count: int, detail: str = "") -> None:
        repeated = self._authority.mode == "stopped" and reason == self._logged
        self._authority.stop(reason, count)
        if not repeated:  # telemetry counts the others
            self._logged = reason
            log.warning("stop: %s%s", reason or "no reason given", detail)


def alive(*, virtual: bool) -> Callable[[int], bool]:
    """Returns a function that tells whether a process works, waits for a processor or the disk.

    Args:
        virtual: Whether this is a virtual machine, in which a process may also sleep because the
            host holds its timer back.
    """
    states = frozenset("RDS" if virtual else "RD")  # proc(5)
    return lambda pid: process_state(pid) in states
