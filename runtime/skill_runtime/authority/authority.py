"""Authority: mode, lease and running command of one arm, changed only together.

Every event goes through here, so that the mode never contradicts the lease or the command. Pure
state: time is passed in, no sockets, no arm.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from skill_proto.arrays import Array
from skill_proto.faults import FAULTS, more_severe
from skill_proto.messages import Acquire, FaultClass, Mode
from skill_runtime.authority.command import DEMO, ActiveCommand, CommandHeader
from skill_runtime.authority.lease import Lease, LeaseManager
from skill_runtime.authority.modes import LATCHED, Event, next_mode
from skill_runtime.authority.refusal import Refusal


@dataclass(frozen=True, kw_only=True)
class IdleTimeout:
    """How long things may stay as they are."""

    stop_after_s: float = 60.0
    """An arm whose lease has ended holds for this long, then it is stopped; may be infinite [s]."""


class Authority:
    """Who commands the arm, what it does, and what has happened so far.

    Args:
        patience: how long an arm that nobody commands holds.

    Attributes:
        mode: see modes.py.
        command: the running command; None in hold, stopped and fault.
        seq: number of the last command accepted, over all leases.
        counters: events since the start by name; they only rise.
        last_event: the newest event in words.
        fault_class: of the gravest fault since the last ``clear``, on top of which a stop may lie;
            None without one.
    """

    def __init__(self, patience: IdleTimeout | None = None) -> None:
        self.patience = patience or IdleTimeout()
        self.fault_class: FaultClass | None = None
        self._unled_since: float | None = None
        self.mode: Mode = "hold"
        self.leases = LeaseManager()
        self.command: ActiveCommand | None = None
        self.seq = 0
        self.counters: Counter[str] = Counter()
        self.last_event = "started"
        self._show_allowed = True
        self._stopped_by = self._fault_by = ""
        self._causes: set[FaultClass] = set()

    @property
    def lease(self) -> Lease | None:
        """The lease in force."""
        return self.leases.lease

    @property
    def demo_allowed(self) -> bool:
        """Whether the internal controller may move the arm.

        Never again once anybody has had the lease, stopped the arm, or it had a fault.
        """
        return self._show_allowed

    def note(self, event: str, counter: str = "") -> None:
        """Records an event, and counts it under ``counter``."""
        self.last_event = event
        if counter:
            self.counters[counter] += 1

    def advance(self, now: float) -> None:
        """Ends the lease and the command if they have run out."""
        lease = self.leases.expire(now)
        if lease is not None:
            self._lease_ended(f"lease of {lease.holder!r} ran out", now, "lease_lost")
        if self.command is not None and now >= self.command.expires:
            self._enter("expire")
            self.note(f"command {self.seq} expired", "expired")
        unled, limit = self._unled_since, self.patience.stop_after_s
        if unled is not None and now - unled >= limit and self.mode not in LATCHED:
            self.stop(f"nobody has had the lease for {limit:g} s")

    # The lease ----------------------------------------------------------------------------------

    def acquire(self, message: Acquire, now: float) -> Lease:
        """Grants the lease.

        Raises:
            Refusal: ``lease_held``, or ``not_now`` while the arm is stopped or at fault.
        """
        self.advance(now)
        self._allowed("acquire")
        before = self.lease
        lease = self.leases.acquire(message.holder, message.ttl_s, now, message.priority)
        self._show_allowed, self._unled_since = False, None
        self._enter("acquire")
        if before is None:
            self.note(f"{lease.holder!r} took the lease", "leases")
        else:
            self.counters["leases"] += 1
            self.note(f"{lease.holder!r} took the lease over from {before.holder!r}", "takeovers")
        return lease

    def renew(self, token: str, now: float) -> Lease:
        """Keeps the lease for another time to live.

        Raises:
            Refusal: ``no_lease``.
        """
        self.advance(now)
        return self.leases.renew(token, now)

    def release(self, token: str, now: float) -> None:
        """Gives the lease back; the arm holds.

        Raises:
            Refusal: ``no_lease``.
        """
        self.advance(now)
        lease = self.leases.release(token, now)
        self._lease_ended(f"{lease.holder!r} gave the lease back", now)

    def _lease_ended(self, event: str, now: float, counter: str = "") -> None:
        self._unled_since = now
        self._enter("lease_end")
        self.note(event, counter)

    # Commands -----------------------------------------------------------------------------------

    def check(self, order: CommandHeader, event: Event | None, now: float) -> float:
        """Time at which the command would expire; changes nothing but what time itself ends.

        ``event`` is None for a command that leaves the mode as it is.

        Raises:
            Refusal: the sender may not command, the command is stale, or the mode forbids it.
        """
        self.advance(now)
        expires = self.leases.check_command(
            order.lease, order.seq, order.reference_time, order.valid_for_s, now
        )
        if event is not None:
            self._allowed(event)
        return expires

    def accept(
        self, order: CommandHeader, event: Event | None, command: ActiveCommand | None = None
    ) -> None:
        """Carries out a command that :meth:`check` has passed."""
        self.leases.accept(order.seq)
        self.seq = order.seq
        if event is not None:
            self._enter(event)
            self.command = command

    def demo(self, event: Event, vector: Array) -> None:
        """Lets the internal controller run the policy; does nothing where it may not."""
        if self._show_allowed:
            self._enter(event)
            self.command = ActiveCommand(kind=DEMO, vector=vector, expires=math.inf)

    def _allowed(self, event: Event) -> None:
        if next_mode(self.mode, event) is None:
            state = "stopped" if self.mode == "stopped" else "at fault"
            why = "; ".join(filter(None, (self._stopped_by, self._fault_by)))
            fix = "see that it is safe, send 'clear', then 'acquire' a new lease"
            if self.may_recover:
                fix = f"send it again once the fault has ended by itself, with {self._ends}"
            raise Refusal("not_now", f"the arm is {state} ({why})", fix)

    @property
    def may_recover(self) -> bool:
        """Whether the arm is at a fault that ends with its cause."""
        return (
            self.mode == "fault"
            and self.fault_class is not None
            and FAULTS[self.fault_class].recovers
        )

    @property
    def _ends(self) -> str:
        return "" if self.fault_class is None else FAULTS[self.fault_class].ends

    # What anyone, or the machine itself, may do -------------------------------------------------

    def stop(self, reason: str) -> None:
        """Latches ``stopped`` and revokes the lease."""
        self._stopped_by = f"stop: {reason}" if reason else "stop"
        self._latch("stop", self._stopped_by, "stops")

    def fault(self, reason: str, kind: FaultClass = "internal") -> None:
        """Latches ``fault``; revokes the lease unless the fault may end by itself."""
        self._causes.add(kind)
        self.counters[f"faults.{kind}"] += 1
        words = f"fault: {reason}"
        if more_severe(kind, self.fault_class) != kind:
            self.counters["faults"] += 1  # what it lies below is what is to be told
            return
        self.fault_class, self._fault_by = kind, words
        if not FAULTS[kind].recovers or self.mode == "stopped":
            self._latch("fault", words, "faults")
            return
        self._show_allowed = False
        self._enter("fault")
        self.note(words, "faults")

    def at_fault_of(self, kind: FaultClass) -> bool:
        """Whether a fault of this class is known, if only below a more_severe one or a stop."""
        return self.mode in LATCHED and kind in self._causes

    def recover(self) -> None:
        """Ends a fault whose cause is gone; does nothing where it needs ``clear``."""
        if self.may_recover:
            self._enter("recover")
            self._forget_faults()
            self.note("the fault has ended by itself", "recoveries")

    def _latch(self, event: Event, words: str, counter: str) -> None:
        self._show_allowed, self._unled_since = False, None
        self.leases.end(words)
        self._enter(event)
        self.note(words, counter)

    def clear(self, now: float) -> None:
        """Leaves ``stopped`` or ``fault``, and ends the lease; elsewhere does nothing."""
        if self.mode in LATCHED:
            self._enter("clear")
            self.leases.end("the arm was stopped or at fault, and cleared")
            self._forget_faults()
            self._stopped_by, self._unled_since = "", now
            self.note("cleared", "clears")

    def _forget_faults(self) -> None:
        self.fault_class, self._fault_by = None, ""
        self._causes.clear()

    def _enter(self, event: Event) -> None:
        mode = next_mode(self.mode, event)
        if mode is None:
            raise RuntimeError(f"event {event!r} is not allowed in mode {self.mode!r}")
        self.mode = mode
        self.command = None
