"""The invariants of every tick, checked against a model and not against the server's own state.

The oracle observes every command that the controller executes, every reply, and every stop. From
these it models lease, command, stop and fault. ``motion_oracle`` checks the set-points that reach
the motors.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from skill_proto.faults import FAULTS
from skill_proto.messages import Error, FaultClass, Inbound, Message, Mode, Telemetry
from skill_runtime.authority.authority import IdleTimeout
from skill_runtime.authority.lease import DEFAULT_VALIDITY_S, FUTURE_TOLERANCE_S
from skill_runtime.authority.modes import LATCHED, POLICY_MODES
from skill_runtime.fault_injection.oracles.motion import InvariantError, MotionOracle
from skill_runtime.server.stop_reader import SILENCE_S

POLICY_PERIOD_S = 0.04
"""Period of the shipped policies [s]."""
LISTENER_SILENCE_S = SILENCE_S
CAUSE_LASTS_S = 0.05
"""Longest time from a cause to its fault [s]."""
READINGS_S = 1e-3
"""Longest advance of the clock between a decision and its set-point [s]."""

MODE_OF: dict[str, Mode] = {
    "skill": "skill",
    "goal": "goal",
    "servo_joint": "servo",
    "servo_pose": "servo",
}


@dataclass
class ModelLease:
    """The lease in the model."""

    token: str
    priority: int
    ttl_s: float
    ends: float
    seq: int


class Idle(NamedTuple):
    """An arm without a lease."""

    since: float
    """Server time at which the lease ended [s]."""
    noticed: float
    """Server time by which a tick must have noticed the end [s]."""


@dataclass
class Oracle:
    """Models the server, and raises :class:`InvariantError` at the first contradiction.

    Args:
        motion: checks the set-points.
        idle_timeout: how long an arm without a lease may hold.
        pose_timeout_s: greatest age of a tracked pose that the policy may use; None without a
            tracker [s].

    Attributes:
        counts: number of events by name. A run without events proves little.
        tick: number of the present tick.
    """

    motion: MotionOracle
    idle_timeout: IdleTimeout
    pose_timeout_s: float | None = None
    counts: Counter[str] = field(default_factory=Counter[str])
    tick: int = 0
    _lease: ModelLease | None = None
    _allowed: tuple[Mode, float] | None = None
    _demo_allowed: bool = True
    _stopped: bool = False
    _idle: Idle | None = None
    _uncommanded_ticks: int = 0
    _pose: float = -math.inf
    _counters: Counter[str] = field(default_factory=Counter[str])
    _caused: dict[FaultClass, int] = field(default_factory=dict[FaultClass, int])
    _fault_in_force: bool = False
    _mode_before: Mode = "hold"
    _old_pose_ticks: int = 0
    _fault_class: FaultClass | None = None
    _silent_ticks: int = 0
    _listener_is_new: bool = False

    # Commands and stops -------------------------------------------------------------------------

    def executed(self, message: Inbound, reply: Message, *, broken: bool) -> None:
        """The controller has executed or refused a command.

        An internal error is allowed only if one was injected (``broken``).
        """
        if isinstance(reply, Error):
            if reply.code == "internal" and not broken:
                raise InvariantError(f"the server failed: {reply.message}")
            return
        self._accepted(message.model_dump(), reply.model_dump())

    def stops_executed(self, count: int) -> None:
        """The controller has executed this number of stops."""
        self.counts["stop"] += count
        self._stopped, self._demo_allowed = True, False
        self._lease = self._allowed = self._idle = None

    def _accepted(self, asked: dict[str, Any], reply: dict[str, Any]) -> None:
        kind, now = asked["type"], float(reply["time"])
        self.counts[kind] += 1
        if kind == "acquire":
            self._granted(asked, reply, now)
        elif kind == "clear":
            if self._stopped or self._fault_in_force:
                self._lease = self._allowed = None
                self._idle = Idle(now - READINGS_S, now)
            self._stopped, self._fault_in_force = False, False
        elif kind == "track":
            self._pose = float(asked["captured"])
        elif asked.get("lease") is not None:
            held = self._holder(asked, now)
            if kind == "renew":
                held.ends = now + held.ttl_s
            elif kind == "release":
                self._lease = self._allowed = None
                self._idle = Idle(now - READINGS_S, now)
            else:
                self._commanded(asked, held, now)

    def _granted(self, asked: dict[str, Any], reply: dict[str, Any], now: float) -> None:
        priority, held = int(asked.get("priority", 0)), self._lease
        if self._stopped or self._fault_in_force:
            raise InvariantError("a lease was granted while stopped or at fault")
        if held is not None and now < held.ends:
            self.counts["takeover"] += 1
            if priority <= held.priority:
                raise InvariantError("a lease was taken from one of the same or a higher priority")
        ttl = float(reply["ttl_s"])
        self._lease = ModelLease(reply["lease"], priority, ttl, now + ttl, int(reply["seq"]))
        self._allowed, self._demo_allowed, self._idle = None, False, None

    def _holder(self, asked: dict[str, Any], now: float) -> ModelLease:
        held = self._lease
        if held is None or held.token != asked["lease"]:
            raise InvariantError(f"{asked['type']!r} was accepted without a lease of the sender")
        if now >= held.ends:
            late = now - held.ends
            raise InvariantError(f"{asked['type']!r} was accepted {late:.3f} s after the lease")
        return held

    def _commanded(self, asked: dict[str, Any], held: ModelLease, now: float) -> None:
        if self._stopped:
            raise InvariantError(f"{asked['type']!r} was accepted while stopped")
        if asked["seq"] <= held.seq:
            raise InvariantError(f"{asked['type']!r} was accepted out of order")
        expires = asked["reference_time"] + asked.get("valid_for_s", DEFAULT_VALIDITY_S)
        if expires <= now or asked["reference_time"] > now + FUTURE_TOLERANCE_S:
            late = now - expires
            raise InvariantError(f"{asked['type']!r} was accepted {late:.3f} s after its end")
        if not self.motion.accepts(asked.get("joint_position") or ()):
            raise InvariantError("a target was accepted beyond the joints' limits")
        held.seq = asked["seq"]
        if asked["type"] != "scene":
            mode = MODE_OF.get(asked["type"])
            self._allowed = None if mode is None else (mode, expires)
            if mode is not None:
                self._uncommanded_ticks = 0  # the command may end within the first tick

    # Injected faults ----------------------------------------------------------------------------

    def cause(self, kind: FaultClass) -> None:
        """A cause of a fault of this class is present, in the coming or present tick."""
        self._caused[kind] = self.tick

    def must_be_at_fault(self, kind: FaultClass, mode: Mode, found: FaultClass | None) -> None:
        """The arm must be at a fault of at least this severity, also below a stop."""
        ranks = list(FAULTS)
        if mode in LATCHED and found and ranks.index(found) >= ranks.index(kind):
            return
        state = f"mode {mode!r}, fault {found!r}"
        raise InvariantError(f"a fault of class {kind!r} was not reported: {state}")

    def shut_down(self) -> None:
        """The server was asked to end, which is a stop."""
        self._stopped = True
        self._lease = self._allowed = self._idle = None

    # Every tick ---------------------------------------------------------------------------------

    def before_command(
        self, mode: Mode, fault: FaultClass | None, now: float, *, watched: bool
    ) -> None:
        """Checks fault and stop before a command is executed, which may end them.

        The command may end the stop because of a new stop listener too, once the controller has
        looked at the listener in this tick (``watched``).
        """
        self._check_fault(mode, fault)
        self._check_listener(mode)
        self._check_stop(mode, now)
        if watched and mode == "stopped":
            self._listener_is_new = False

    def end_of_tick(self, mode: Mode, fault: FaultClass | None, decided: float) -> None:
        """Checks all invariants; ``decided`` is the tick's own time [s]."""
        self.tick += 1
        self._check_fault(mode, fault)
        self._check_listener(mode)
        if self._listener_is_new and mode != "stopped":
            raise InvariantError(f"{mode!r} though the stop listener was started again")
        self._listener_is_new = False
        self._check_stop(mode, decided)
        self._check_idle(mode, decided)
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
            self._lease = self._idle = None

    def _new_fault(self, fault: FaultClass | None) -> None:
        if fault is None or not self._has_cause(fault):
            raise InvariantError(f"a fault without a cause: {fault!r}")
        self.counts[f"fault {fault}"] += 1
        self._allowed, self._demo_allowed = None, False

    def _has_cause(self, fault: FaultClass) -> bool:
        if fault == "tracker":  # _check_pose checks the age of the pose
            return self.pose_timeout_s is not None
        caused = self._caused.get(fault)
        return caused is not None and (self.tick - caused) * self.motion.period_s <= CAUSE_LASTS_S

    def _check_stop(self, mode: Mode, now: float) -> None:
        if self._stopped and mode != "stopped":
            raise InvariantError(f"stopped, but the mode is {mode!r}")
        if mode == "stopped" and not self._stopped:
            idle = self._idle
            if idle is None or now - idle.since < self.idle_timeout.stop_after_s:
                raise InvariantError(f"stopped without a stop or an idle timeout: {idle}")
            self.counts["stopped by idle timeout"] += 1
            self._stopped, self._lease, self._allowed, self._idle = True, None, None, None

    def listener(self, *, silent: bool, started_again: bool) -> None:
        """The stop listener has, or has not, beaten since the last tick, or is a new process."""
        self._silent_ticks = self._silent_ticks + 1 if silent else 0
        self._listener_is_new = started_again

    def _check_listener(self, mode: Mode) -> None:
        """A silent or new stop listener stops the arm, and only such a one may do so."""
        silent_s = self._silent_ticks * self.motion.period_s
        if silent_s > LISTENER_SILENCE_S + 2.0 * self.motion.period_s and mode != "stopped":
            raise InvariantError(f"{mode!r} {silent_s:.3f} s after the stop listener's last sign")
        caused = self._listener_is_new or 2.0 * silent_s >= LISTENER_SILENCE_S
        if mode == "stopped" and not self._stopped and caused:
            self.counts["stopped without a stop listener"] += 1
            self._stopped, self._demo_allowed = True, False
            self._lease = self._allowed = self._idle = None

    def _check_idle(self, mode: Mode, decided: float) -> None:
        held, idle = self._lease, self._idle
        if held is not None and idle is None and held.ends <= decided:
            self._idle = Idle(held.ends - READINGS_S, decided)
        # At the end of a fault, the next tick counts the time.
        if idle is None or {mode, self._mode_before} & LATCHED:
            return
        idle_s = decided - idle.noticed
        if idle_s >= self.idle_timeout.stop_after_s:
            raise InvariantError(f"{mode!r} {idle_s:.3f} s after the lease")

    def _check_mode(self, mode: Mode, decided: float) -> None:
        if mode not in MODE_OF.values() or self._demo_allowed:
            return
        if not self._has_lease(decided):
            raise InvariantError(f"mode {mode!r} without a lease")
        allowed = self._allowed
        if allowed is None or not self._has_command(decided):
            raise InvariantError(f"mode {mode!r} without a fresh command")
        if allowed[0] != mode:
            raise InvariantError(f"mode {mode!r}, commanded was {allowed[0]!r}")

    def _has_lease(self, decided: float) -> bool:
        return self._lease is not None and self._lease.ends > decided - READINGS_S

    def _has_command(self, decided: float) -> bool:
        return self._allowed is not None and self._allowed[1] > decided - READINGS_S

    def _check_pose(self, mode: Mode, decided: float) -> None:
        if self.pose_timeout_s is None or mode not in POLICY_MODES:
            return
        # The policy observes once in its own period, and the loop may have lost time since.
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
        if self._demo_allowed or (
            moving and self._has_lease(decided) and self._has_command(decided)
        ):
            self._uncommanded_ticks = 0
            return
        # Counted in ticks: a clock that jumps leaves an arm no time to brake.
        self._uncommanded_ticks += 1
        uncommanded_s = self._uncommanded_ticks * self.motion.period_s
        if uncommanded_s > self.motion.rest_within_s and self.motion.is_moving(decided):
            raise InvariantError(f"still moving {self._uncommanded_ticks} ticks after its command")

    def published(self, state: Telemetry, mode: Mode, fault: FaultClass | None) -> None:
        """Checks a state that the controller has written against mode, fault and the counts."""
        reported = state.mode, state.fault
        if reported != (mode, fault):
            raise InvariantError(f"telemetry says {reported}, and it is {(mode, fault)}")
        if self._stopped and mode != "stopped":
            raise InvariantError(f"stopped, but telemetry says {mode!r}")
        now = Counter[str](state.counters)
        if any(now[name] < count for name, count in self._counters.items()):
            raise InvariantError("a counter in telemetry has fallen")
        self._counters = now
        self._check_counts(now)

    def _check_counts(self, counters: Counter[str]) -> None:
        for kind in FAULTS:
            if counters[f"faults.{kind}"] < self.counts[f"fault {kind}"]:
                raise InvariantError(f"not every fault of class {kind!r} was counted")
        if counters["stops"] < self.counts["stop"]:
            raise InvariantError("not every stop was counted")

    def end_of_run(self, counters: Counter[str]) -> None:
        """Compares the server's counters with the model."""
        self._check_counts(counters)
