"""The judge: what must hold at every tick, from its own books and not from what the server thinks.

It hears what goes in and what is answered, keeps books of lease, command, stop and fault from
that, and looks at what reaches the motors (motion_judge.py).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skill_proto.faults import FAULTS
from skill_proto.messages import FaultClass, Mode
from skill_runtime.authority.authority import IdleTimeout
from skill_runtime.authority.lease import DEFAULT_VALIDITY_S, FUTURE_TOLERANCE_S
from skill_runtime.authority.modes import LATCHED, POLICY_MODES
from skill_runtime.fault_injection.motion_oracle import InvariantError, MotionOracle
from skill_runtime.fault_injection.virtual_transport import PortName, Sent

POLICY_PERIOD_S = 0.04
"""Of the shipped policies [s]."""
CAUSE_LASTS_S = 0.05
"""A fault comes this soon after its cause, or has another [s]."""
LOOKS_S = 1e-3
"""Time that the clock may move on between a decision and the set-point it leads to [s]."""

MODE_OF: dict[str, Mode] = {
    "skill": "skill",
    "goal": "goal",
    "servo_joint": "servo",
    "servo_pose": "servo",
}


@dataclass
class Held:
    """The lease as the judge knows it."""

    token: str
    priority: int
    ttl_s: float
    ends: float
    seq: int


class Unled(NamedTuple):
    """An arm whose lease has ended."""

    since: float
    """Server time at which the lease did [s]."""
    noticed: float
    """Server time by which a tick must have seen that [s]."""


@dataclass
class Oracle:
    """Keeps books, and raises :class:`InvariantError` at the first contradiction.

    Args:
        motion: looks at the set-points.
        patience: how long an arm that nobody commands may hold.
        pose_timeout_s: the policy may not run on a tracked pose older than this; None without a
            tracker [s].

    Attributes:
        seen: what has happened, by name: a run in which nothing happens shows nothing.
        tick: the present one.
    """

    motion: MotionOracle
    patience: IdleTimeout
    pose_timeout_s: float | None = None
    seen: Counter[str] = field(default_factory=Counter[str])
    tick: int = 0
    _lease: Held | None = None
    _allowed: tuple[Mode, float] | None = None
    _show: bool = True
    _stopped: bool = False
    _unled: Unled | None = None
    _reading: dict[PortName, Sent] = field(default_factory=dict[PortName, Sent])
    _unled_ticks: int = 0
    _pose: float = -math.inf
    _counters: Counter[str] = field(default_factory=Counter[str])
    _caused: dict[FaultClass, int] = field(default_factory=dict[FaultClass, int])
    _fault_in_force: bool = False
    _mode_before: Mode = "hold"
    _old_pose_ticks: int = 0
    _fault_class: FaultClass | None = None

    # What goes in and out -----------------------------------------------------------------------

    def delivered(self, port: PortName, message: Sent) -> None:
        """The server begins to read a message: that before it must have been answered."""
        before = self._reading.pop(port, None)
        if before is not None:
            raise InvariantError(f"no answer to {before.frames[0][:80]!r} on {port}")
        self._reading[port] = message

    def replied(
        self, port: PortName, receiver: bytes, content: bytes, *, broken: bool
    ) -> dict[str, Any]:
        """The server answers; only where it is ``broken`` on purpose may it say that it failed."""
        asked = self._reading.pop(port, None)
        if asked is None or asked.sender != receiver:
            raise InvariantError(f"an answer to nobody's question: {content[:80]!r}")
        reply: dict[str, Any] = json.loads(content)
        if port == "stop":
            self._stop_answered(reply)
        elif reply["type"] == "error":
            self.seen[f"refused {reply['code']}"] += 1
            if reply["code"] == "internal" and not broken:
                raise InvariantError(f"the server failed: {reply['message']}")
        else:
            self._accepted(json.loads(asked.frames[0]), reply)
        return reply

    def _stop_answered(self, reply: dict[str, Any]) -> None:
        if reply["type"] == "ok":
            self.seen["stop"] += 1
            self._stopped, self._show = True, False
            self._lease = self._allowed = self._unled = None

    def _accepted(self, asked: dict[str, Any], reply: dict[str, Any]) -> None:
        kind, now = asked["type"], float(reply["time"])
        self.seen[kind] += 1
        if kind == "acquire":
            self._granted(asked, reply, now)
        elif kind == "clear":
            if self._stopped or self._fault_in_force:
                self._lease = self._allowed = None
                self._unled = Unled(now - LOOKS_S, now)
            self._stopped, self._fault_in_force = False, False
        elif kind == "track":
            self._pose = float(asked["captured"])
        elif "lease" in asked:
            held = self._holder(asked, now)
            if kind == "renew":
                held.ends = now + held.ttl_s
            elif kind == "release":
                self._lease = self._allowed = None
                self._unled = Unled(now - LOOKS_S, now)
            else:
                self._commanded(asked, held, now)

    def _granted(self, asked: dict[str, Any], reply: dict[str, Any], now: float) -> None:
        priority, held = int(asked.get("priority", 0)), self._lease
        if self._stopped or self._fault_in_force:
            raise InvariantError("a lease was granted while stopped or at fault")
        if held is not None and now < held.ends:
            self.seen["takeover"] += 1
            if priority <= held.priority:
                raise InvariantError("a lease was taken from one of the same or a higher priority")
        ttl = float(reply["ttl_s"])
        self._lease = Held(reply["lease"], priority, ttl, now + ttl, int(reply["seq"]))
        self._allowed, self._show, self._unled = None, False, None

    def _holder(self, asked: dict[str, Any], now: float) -> Held:
        held = self._lease
        if held is None or held.token != asked["lease"]:
            raise InvariantError(f"{asked['type']!r} was accepted from somebody without the lease")
        if now >= held.ends:
            late = now - held.ends
            raise InvariantError(f"{asked['type']!r} was accepted {late:.3f} s after the lease")
        return held

    def _commanded(self, asked: dict[str, Any], held: Held, now: float) -> None:
        if self._stopped:
            raise InvariantError(f"{asked['type']!r} was accepted while stopped")
        if asked["seq"] <= held.seq:
            raise InvariantError(f"{asked['type']!r} was accepted out of order")
        expires = asked["reference_time"] + asked.get("valid_for_s", DEFAULT_VALIDITY_S)
        if expires <= now or asked["reference_time"] > now + FUTURE_TOLERANCE_S:
            late = now - expires
            raise InvariantError(f"{asked['type']!r} was accepted {late:.3f} s after its end")
        held.seq = asked["seq"]
        if asked["type"] != "scene":
            mode = MODE_OF.get(asked["type"])
            self._allowed = None if mode is None else (mode, expires)
            if mode is not None:
                self._unled_ticks = 0  # it may run for one tick and be over by the end of it

    # What is done to the machines ---------------------------------------------------------------

    def cause(self, kind: FaultClass) -> None:
        """What leads to a fault of this class is there, in the coming or present tick."""
        self._caused[kind] = self.tick

    def must_be_at_fault(self, kind: FaultClass, mode: Mode, found: FaultClass | None) -> None:
        """A cause is there: the arm must be at a fault at least as grave, if below a stop."""
        ranks = list(FAULTS)
        if mode in LATCHED and found and ranks.index(found) >= ranks.index(kind):
            return
        told = f"mode {mode!r}, fault {found!r}"
        raise InvariantError(f"a fault of class {kind!r} was not reported: {told}")

    def shut_down(self) -> None:
        """The server was told to end, which is a stop."""
        self._stopped = True
        self._lease = self._allowed = self._unled = None

    # Every tick ---------------------------------------------------------------------------------

    def saw(self, mode: Mode, fault: FaultClass | None, now: float) -> None:
        """A look before the server reads a message, which may end what began in this tick."""
        self._check_fault(mode, fault)
        self._check_stop(mode, now)

    def end_of_tick(self, mode: Mode, fault: FaultClass | None, decided: float) -> None:
        """Looks at everything; ``decided`` is the time at which the tick looked at the clock."""
        self.tick += 1
        self._check_fault(mode, fault)
        self._check_stop(mode, decided)
        self._check_patience(mode, decided)
        self._check_mode(mode, decided)
        self._check_pose(mode, decided)
        self._check_rest(mode, decided)
        self._mode_before = mode

    def _check_fault(self, mode: Mode, fault: FaultClass | None) -> None:
        if mode == "fault" and not self._fault_in_force:
            self._new_fault(fault)
        if self._fault_in_force and mode not in LATCHED:
            known = self._fault_class
            if known is None or not FAULTS[known].recovers:
                raise InvariantError(f"a fault of class {known!r} has ended by itself")
        self._fault_in_force, self._fault_class = mode == "fault", fault
        if mode == "fault" and fault is not None and not FAULTS[fault].recovers:
            self._lease = self._unled = None

    def _new_fault(self, fault: FaultClass | None) -> None:
        if fault is None or not self._has_cause(fault):
            raise InvariantError(f"a fault out of the blue: {fault!r}")
        self.seen[f"fault {fault}"] += 1
        self._allowed, self._show = None, False

    def _has_cause(self, fault: FaultClass) -> bool:
        if fault == "tracker":  # how old the pose is, _check_pose knows
            return self.pose_timeout_s is not None
        caused = self._caused.get(fault)
        return caused is not None and (self.tick - caused) * self.motion.period_s <= CAUSE_LASTS_S

    def _check_stop(self, mode: Mode, now: float) -> None:
        if self._stopped and mode != "stopped":
            raise InvariantError(f"stopped, but the mode is {mode!r}")
        if mode == "stopped" and not self._stopped:
            unled = self._unled
            if unled is None or now - unled.since < self.patience.stop_after_s:
                raise InvariantError(f"stopped by itself; without a lease: {unled}")
            self.seen["stopped by patience"] += 1
            self._stopped, self._lease, self._allowed, self._unled = True, None, None, None

    def _check_patience(self, mode: Mode, decided: float) -> None:
        held, unled = self._lease, self._unled
        if held is not None and unled is None and held.ends <= decided:
            self._unled = Unled(held.ends - LOOKS_S, decided)
        # At the end of a fault it is the next tick that counts the time.
        if unled is None or {mode, self._mode_before} & LATCHED:
            return
        alone = decided - unled.noticed
        if alone >= self.patience.stop_after_s:
            raise InvariantError(f"{mode!r} {alone:.3f} s after the lease")

    def _check_mode(self, mode: Mode, decided: float) -> None:
        if mode not in MODE_OF.values() or self._show:
            return
        if not self._led(decided):
            raise InvariantError(f"mode {mode!r} without a lease")
        allowed = self._allowed
        if allowed is None or not self._fresh(decided):
            raise InvariantError(f"mode {mode!r} without a fresh command")
        if allowed[0] != mode:
            raise InvariantError(f"mode {mode!r}, commanded was {allowed[0]!r}")

    def _led(self, decided: float) -> bool:
        return self._lease is not None and self._lease.ends > decided - LOOKS_S

    def _fresh(self, decided: float) -> bool:
        return self._allowed is not None and self._allowed[1] > decided - LOOKS_S

    def _check_pose(self, mode: Mode, decided: float) -> None:
        if self.pose_timeout_s is None or mode not in POLICY_MODES:
            return
        # It looks once in a period of its own, and time may have been lost since.
        slack = POLICY_PERIOD_S + 0.01
        age = decided - self._pose
        if self._mode_before not in POLICY_MODES or age <= self.pose_timeout_s + slack:
            self._old_pose_ticks = 0
            return
        self._old_pose_ticks += 1
        if self._old_pose_ticks * self.motion.period_s > slack:
            raise InvariantError(f"the policy runs on a pose {age:.3f} s old")

    def _check_rest(self, mode: Mode, decided: float) -> None:
        moving = mode in MODE_OF.values()
        if self._show or (moving and self._led(decided) and self._fresh(decided)):
            self._unled_ticks = 0
            return
        self._unled_ticks += 1  # not in time: a clock that jumps leaves an arm no time to brake
        unled_s = self._unled_ticks * self.motion.period_s
        if unled_s > self.motion.rest_within_s and self.motion.moves(decided):
            raise InvariantError(f"still moving {self._unled_ticks} ticks after it had to rest")

    def published(self, state: dict[str, Any], mode: Mode, fault: FaultClass | None) -> None:
        """Telemetry goes out: it must say what is, and have counted what has happened."""
        told = state["mode"], state["fault"]
        if told != (mode, fault):
            raise InvariantError(f"telemetry says {told}, and it is {(mode, fault)}")
        if self._stopped and mode != "stopped":
            raise InvariantError(f"stopped, but telemetry says {mode!r}")
        now = Counter[str](state["counters"])
        if any(now[name] < count for name, count in self._counters.items()):
            raise InvariantError("a counter in telemetry has fallen")
        self._counters = now
        self._check_counts(now)

    def _check_counts(self, counters: Counter[str]) -> None:
        for kind in FAULTS:
            if counters[f"faults.{kind}"] < self.seen[f"fault {kind}"]:
                raise InvariantError(f"not every fault of class {kind!r} was counted")
        if counters["stops"] < self.seen["stop"]:
            raise InvariantError("not every stop was counted")

    def end_of_run(self, counters: Counter[str]) -> None:
        """Compares the books with the server's own count."""
        self._check_counts(counters)
