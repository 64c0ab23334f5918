"""The lease: which client may command the arm, and whether a command is in order and fresh.

One client at a time holds the lease. Four rules protect it:

- The holder renews the lease within its time to live, as proof that it is alive.
- A random token identifies the holder.
- ``seq`` rises from command to command.
- ``reference_time`` is the newest server time that the sender had seen. A command that waited in a
  queue carries an old one and has expired on arrival.

Time is an argument; this module reads no clock.
"""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass

from skill_runtime.authority.refusal import Refusal

FUTURE_TOLERANCE_S = 0.05
"""Longest lead of ``reference_time`` over the server's clock; clients may extrapolate it [s]."""

DEFAULT_VALIDITY_S = 2.0
"""Validity of a command without ``valid_for_s`` (hold, reset, scene) [s]."""

ENDS_KEPT = 16
"""Number of ended leases whose end a refusal can still explain to their former holders."""

ACQUIRE = "acquire the lease again: send 'acquire' and use the token of its reply"
"""What the sender of a message without a lease in force should do."""

UNKNOWN_TOKEN = "the token is not that of the lease in force"
"""Why a message with a token that was never granted is refused."""


@dataclass(kw_only=True)
class Lease:
    """The right to command."""

    token: str
    holder: str
    ttl_s: float
    """Time from the last renewal to the end of the lease [s]."""
    renewed_at: float
    """Server time of the last renewal [s]."""
    priority: int = 0
    seq: int = 0
    """``seq`` of the last command accepted."""

    @property
    def ends_at(self) -> float:
        """Server time at which the lease ends unless it is renewed [s]."""
        return self.renewed_at + self.ttl_s


class LeaseManager:
    """Grants at most one lease at a time.

    Attributes:
        lease: the lease in force, or None. It may have run out already: :meth:`expire` ends it.
    """

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self._ends: deque[tuple[str, str]] = deque(maxlen=ENDS_KEPT)

    def acquire(self, holder: str, ttl_s: float, now: float, priority: int = 0) -> Lease:
        """Grants a lease, and ends one of lower priority that is in force.

        Raises:
            Refusal: ``lease_held``, a lease of the same or a higher priority is in force.
        """
        self.expire(now)
        held = self.lease
        if held is not None:
            if held.priority >= priority:
                raise Refusal(
                    "lease_held",
                    f"{held.holder!r} holds the lease, with priority {held.priority}",
                    f"wait until it is released (it ends {held.ttl_s:g} s after its last renewal), "
                    "or take it over with a higher 'priority' if you may",
                )
            self.end(f"{holder!r} took it over, with priority {priority}")
        token = secrets.token_hex(16)
        self.lease = Lease(
            token=token, holder=holder, ttl_s=ttl_s, renewed_at=now, priority=priority
        )
        return self.lease

    def check(self, token: str, now: float) -> Lease:
        """Returns the lease in force if ``token`` is its token.

        Raises:
            Refusal: ``no_lease``, the token is unknown, or its lease has ended.
        """
        lease = self.lease
        if lease is not None and secrets.compare_digest(lease.token.encode(), token.encode()):
            if now < lease.ends_at:
                return lease
            raise Refusal("no_lease", f"the lease has ended: {_not_renewed(lease)}", ACQUIRE)
        for ended, why in self._ends:
            if token == ended:
                raise Refusal("no_lease", f"the lease has ended: {why}", ACQUIRE)
        raise Refusal("no_lease", UNKNOWN_TOKEN, ACQUIRE)

    def check_command(
        self, token: str, seq: int, reference_time: float, valid_for_s: float | None, now: float
    ) -> float:
        """Returns the time at which a command would expire.

        Args:
            token: token of the sender's lease.
            seq: the command's number; it must exceed that of the last command accepted.
            reference_time: newest server time that the sender had seen [s].
            valid_for_s: None takes :data:`DEFAULT_VALIDITY_S`.
            now: server time [s].

        Raises:
            Refusal: ``no_lease``, ``out_of_order`` or ``stale``.
        """
        lease = self.check(token, now)
        if seq <= lease.seq:
            raise Refusal(
                "out_of_order",
                f"seq {seq} does not exceed {lease.seq}, that of the last command accepted",
                "number the commands of a lease upwards from 1",
            )
        if reference_time > now + FUTURE_TOLERANCE_S:
            ahead_s = reference_time - now
            raise Refusal(
                "stale",
                f"reference_time {reference_time:.3f} lies {ahead_s:.3f} s ahead of server time "
                f"{now:.3f}",
                "take reference_time from the 'time' of a reply or of telemetry of this server",
            )
        expires = reference_time + (DEFAULT_VALIDITY_S if valid_for_s is None else valid_for_s)
        if expires <= now:
            age_s = now - reference_time
            raise Refusal(
                "stale",
                f"the command expired {now - expires:.3f} s ago: it is {age_s:.3f} s old",
                "read telemetry for a new 'time', use it as reference_time and send again",
            )
        return expires

    def accept(self, seq: int) -> None:
        """Stores the number of an accepted command of the lease in force."""
        if self.lease is not None:
            self.lease.seq = seq

    def renew(self, token: str, now: float) -> Lease:
        """Extends the lease by its time to live.

        Raises:
            Refusal: ``no_lease``; an expired lease cannot be renewed.
        """
        lease = self.check(token, now)
        lease.renewed_at = now
        return lease

    def release(self, token: str, now: float) -> Lease:
        """Ends the lease at its holder's request and returns it.

        Raises:
            Refusal: ``no_lease``.
        """
        lease = self.check(token, now)
        self.end("released")
        return lease

    def expire(self, now: float) -> Lease | None:
        """Ends the lease if its time is over, and returns it; returns None otherwise."""
        lease = self.lease
        if lease is None or now < lease.ends_at:
            return None
        self.end(_not_renewed(lease))
        return lease

    def end(self, why: str) -> Lease | None:
        """Ends the lease, if there is one, and returns it."""
        lease, self.lease = self.lease, None
        if lease is not None:
            self._ends.append((lease.token, why))
        return lease


def _not_renewed(lease: Lease) -> str:
    return f"not renewed for {lease.ttl_s:g} s"
