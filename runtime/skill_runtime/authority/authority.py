"""Mode, lease and active command of one arm, which change only together.

Every event passes through :class:`Authority`, so the mode never contradicts the lease or the
command. It is pure state: time is an argument, and there are no sockets and no arm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from skill_proto.arrays import Array
from skill_proto.faults import FAULTS, more_severe
from skill_proto.messages import Acquire, FaultClass, Mode
from skill_runtime.authority.command import DEMO, ActiveCommand, CommandHeader
from skill_runtime.authority.event_log import EventLog
from skill_runtime.authority.lease import Lease, LeaseManager
from skill_runtime.authority.modes import LATCHED, Event, next_mode
from skill_runtime.authority.refusal import Refusal


@dataclass(frozen=True, kw_only=True)
class IdleTimeout:
    """How long an arm holds without a lease."""

    stop_after_s: float = 60.0
    """From the end of the lease to the stop; may be infinite [s]."""


class Authority:
    """Decides which command the arm executes.

    Args:
        idle_timeout: how long an arm without a lease holds before it is stopped.
        events: the log to record events in; None creates one.

    Attributes:
        events: counters and the newest event.
        mode: see ``modes``.
        command: the active command; None in hold, stopped and fault.
        seq: number of the last command accepted, over all leases.
        fault_class: class of the most severe fault since the last ``clear``, also below a stop;
            None without a fault.
    """

    def __init__(
        self, idle_timeout: IdleTimeout | None = None, events: EventLog | None = None
    ) -> None:
        self.idle_timeout = idle_timeout or IdleTimeout()
        self.events = events or EventLog()
        self.fault_class: FaultClass | None = None
        self.mode: Mode = "hold"
        self.leases = LeaseManager()
        self.command: ActiveCommand | None = None
        self.seq = 0
        self._idle_since: float | None = None
        self._demo_allowed = True
        self._stop_reason = self._fault_reason = ""
        self._causes: set[FaultClass] = set()

    @property
    def lease(self) -> Lease | None:
        """The lease in force."""
        return self.leases.lease

    @property
    def demo_allowed(self) -> bool:
        """Whether the demo may move the arm.

        It may not after the first lease, stop or fault.
        """
        return self._demo_allowed

    def advance(self, now: float) -> None:
        """Ends the lease and the command whose time is over, and stops an idle arm.

        The control loop calls it once a tick. Between two calls an expired lease is refused by
        its time, see :meth:`LeaseManager.check`.
        """
        lease = self.leases.expire(now)
        if lease is not None:
            self._lease_ended(f"lease of {lease.holder!r} ran out", now, "lease_lost")
        if self.command is not None and now >= self.command.expires:
            self._expire_command()
        idle_since, limit = self._idle_since, self.idle_timeout.stop_after_s
        if idle_since is not None and now - idle_since >= limit and self.mode not in LATCHED:
            self.stop(f"no client has had the lease for {limit:g} s")

    # The lease ----------------------------------------------------------------------------------

    def acquire(self, message: Acquire, now: float) -> Lease:
        """Grants the lease.

        Raises:
            Refusal: ``lease_held``, or ``not_now`` while the arm is stopped or at fault.
        """
        self.advance(now)  # an expired lease is not in the way, and is counted as lost
        self._check_allowed("acquire")
        before = self.lease
        lease = self.leases.acquire(message.holder, message.ttl_s, now, message.priority)
        self._demo_allowed, self._idle_since = False, None
        self._enter("acquire")
        if before is None:
            self.events.record_event(f"{lease.holder!r} took the lease", "leases")
        else:
            self.events.count("leases")
            self.events.record_event(
                f"{lease.holder!r} took the lease over from {before.holder!r}", "takeovers"
            )
        return lease

    def renew(self, token: str, now: float) -> Lease:
        """Extends the lease by its time to live.

        Raises:
            Refusal: ``no_lease``.
        """
        return self.leases.renew(token, now)

    def release(self, token: str, now: float) -> None:
        """Ends the lease at its holder's request; the arm holds.

        Raises:
            Refusal: ``no_lease``.
        """
        lease = self.leases.release(token, now)
        if self.command is not None and now >= self.command.expires:
            self._expire_command()
        self._lease_ended(f"{lease.holder!r} released the lease", now)

    def _lease_ended(self, event: str, now: float, counter: str = "") -> None:
        self._idle_since = now
        self._enter("lease_end")
        self.events.record_event(event, counter)

    # Commands -----------------------------------------------------------------------------------

    def check(self, header: CommandHeader, event: Event | None, now: float) -> float:
        """Returns the time at which the command would expire.

        The only change of state is the end of an active command whose time is over: a command that
        replaces it between two ticks would hide that it expired.

        Args:
            header: sender, order and freshness of the command.
            event: its effect on the mode; None for a command without one.
            now: server time [s].

        Raises:
            Refusal: the sender may not command, the command is stale, or the mode forbids it.
        """
        expires = self.leases.check_command(
            header.lease, header.seq, header.reference_time, header.valid_for_s, now
        )
        if event is not None:
            self._check_allowed(event)
            if self.command is not None and now >= self.command.expires:
                self._expire_command()
        return expires

    def accept(
        self, header: CommandHeader, event: Event | None, command: ActiveCommand | None = None
    ) -> None:
        """Makes a command active that :meth:`check` has passed."""
        self.leases.accept(header.seq)
        self.seq = header.seq
        if event is not None:
            self._enter(event)
            self.command = command

    def demo(self, event: Event, vector: Array) -> None:
        """Makes a command of the demo active, if the demo may move the arm."""
        if self._demo_allowed:
            self._enter(event)
            self.command = ActiveCommand(kind=DEMO, vector=vector, expires=math.inf)

    def _expire_command(self) -> None:
        self._enter("expire")
        self.events.record_event(f"command {self.seq} expired", "expired")

    def _check_allowed(self, event: Event) -> None:
        if next_mode(self.mode, event) is not None:
            return
        state = "stopped" if self.mode == "stopped" else "at fault"
        why = "; ".join(filter(None, (self._stop_reason, self._fault_reason)))
        fix = "make sure that it is safe, send 'clear', then 'acquire' a new lease"
        recoverable = self.recoverable_fault
        if recoverable is not None:
            fix = f"the fault ends with {FAULTS[recoverable].ends}; send the command again then"
        raise Refusal("not_now", f"the arm is {state} ({why})", fix)

    # Stops and faults ---------------------------------------------------------------------------

    @property
    def recoverable_fault(self) -> FaultClass | None:
        """Class of the fault in force if it ends with its cause, else None."""
        if self.mode != "fault" or self.fault_class is None:
            return None
        return self.fault_class if FAULTS[self.fault_class].recovers else None

    def stop(self, reason: str, count: int = 1) -> None:
        """Enters ``stopped`` and revokes the lease.

        Args:
            reason: the reason in words; may be empty.
            count: number of requests that this stop executes.
        """
        self._stop_reason = f"stop: {reason}" if reason else "stop"
        self._latch("stop", self._stop_reason, "")
        self.events.count("stops", count)

    def fault(self, reason: str, kind: FaultClass = "internal") -> None:
        """Enters ``fault``; revokes the lease unless the fault is recoverable."""
        self._causes.add(kind)
        self.events.count(f"faults.{kind}")
        words = f"fault: {reason}"
        if more_severe(kind, self.fault_class) != kind:
            self.events.count("faults")  # the more severe fault stays the reported one
            return
        self.fault_class, self._fault_reason = kind, words
        if not FAULTS[kind].recovers or self.mode == "stopped":
            self._latch("fault", words, "faults")
            return
        self._demo_allowed = False
        self._enter("fault")
        self.events.record_event(words, "faults")

    def at_fault_of(self, kind: FaultClass) -> bool:
        """Returns whether a fault of this class is known, also below a worse one or a stop."""
        return self.mode in LATCHED and kind in self._causes

    def recover(self) -> None:
        """Ends a recoverable fault; has no effect on a fault that needs ``clear``."""
        if self.recoverable_fault is not None:
            self._enter("recover")
            self._forget_faults()
            self.events.record_event("the fault has ended with its cause", "recoveries")

    def clear(self, now: float) -> None:
        """Leaves ``stopped`` or ``fault`` and ends the lease; has no effect in other modes."""
        if self.mode in LATCHED:
            self._enter("clear")
            self.leases.end("the arm was stopped or at fault, and cleared")
            self._forget_faults()
            self._stop_reason, self._idle_since = "", now
            self.events.record_event("cleared", "clears")

    def _latch(self, event: Event, words: str, counter: str) -> None:
        self._demo_allowed, self._idle_since = False, None
        self.leases.end(words)
        self._enter(event)
        self.events.record_event(words, counter)

    def _forget_faults(self) -> None:
        self.fault_class, self._fault_reason = None, ""
        self._causes.clear()

    def _enter(self, event: Event) -> None:
        mode = next_mode(self.mode, event)
        if mode is None:
            raise RuntimeError(f"event {event!r} is not allowed in mode {self.mode!r}")
        self.mode = mode
        self.command = None
