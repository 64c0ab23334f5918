"""The judge: what must hold at every tick, worked out without asking the server what it thinks.

It hears what goes in and what is answered, keeps its own books of lease, command and stop from
that, and looks at what reaches the motors.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skill_proto.messages import FaultClass, Mode, Telemetry
from skill_robots.arm import JointTarget
from skill_robots.motion_limits import Motion, MotionLimits
from skill_robots.panda import kinematics
from skill_runtime.faults import FAULTS
from skill_runtime.lease import DEFAULT_VALIDITY_S, FUTURE_TOLERANCE_S
from skill_runtime.simulation.transport import PortName, Sent

Vector = NDArray[np.float64]

REST_WITHIN_S = 0.5
"""Time from the end of what allowed a motion to a set-point at rest [s]."""
CONSISTENT_RAD_S = 0.01
AT_REST = 0.01
"""A set-point slower than this is at rest: the shaper comes to its end exponentially [rad/s]."""
REST_ALONE_S = 0.02
"""An arm that no set-point reaches for this long is taken to rest where the last one led it [s]."""
STILL = 1e-6
"""A set-point slower than this has not moved to speak of [rad/s]."""
POLICY_PERIOD_S = 0.04
LOOKS_S = 1e-3
"""Time that the clock may move on between a decision and the set-point it leads to [s]."""
ROUNDING = 1e-5

MODE_OF: dict[str, Mode] = {
    "skill": "skill",
    "goal": "goal",
    "servo_joint": "servo",
    "servo_pose": "servo",
}


class InvariantError(BaseException):
    """Something that must never be, was.

    Not an ``Exception``: the loop takes those for faults of its own and goes on.
    """


@dataclass
class Held:
    """The lease as the judge knows it."""

    token: str
    priority: int
    ttl_s: float
    ends: float
    seq: int


@dataclass
class Judge:
    """Keeps books, and raises :class:`InvariantError` at the first contradiction.

    Args:
        limits: of the arm; its surroundings are those of the governor.
        period_s: servo period [s].
        expected: classes of faults that are brought about in this run.
        pose_timeout_s: the policy may not run on a tracked pose older than this; None without a
            tracker [s].

    Attributes:
        seen: what has happened, by name: a run in which nothing happens shows nothing.
        tick: the present one.
    """

    limits: MotionLimits
    period_s: float
    expected: frozenset[FaultClass]
    pose_timeout_s: float | None = None
    seen: Counter[str] = field(default_factory=Counter[str])
    tick: int = 0
    _lease: Held | None = None
    _allowed: tuple[Mode, float] | None = None
    _show: bool = True
    _stopped: bool = False
    _reading: dict[PortName, Sent] = field(default_factory=dict[PortName, Sent])
    _told: Motion | None = None
    _unled_ticks: int = 0
    _least_room: float = 0.0
    _pose: float = -math.inf
    _counters: Counter[str] = field(default_factory=Counter[str])
    _fault_in_force: bool = False
    _mode_before: Mode = "hold"
    _old_pose_ticks: int = 0
    _lost: int = 0
    _fresh: bool = False
    _fault_class: FaultClass | None = None
    _clears: int = 0
    _most_excess: float = 0.0

    def fail(self, what: str) -> None:
        """Ends the run.

        Raises:
            InvariantError: always.
        """
        raise InvariantError(f"tick {self.tick}: {what}")

    # What goes in and out -----------------------------------------------------------------------

    def delivered(self, port: PortName, message: Sent) -> None:
        """The server begins to read a message: that before it must have been answered."""
        before = self._reading.pop(port, None)
        if before is not None:
            self.fail(f"no answer to {before.frames[0][:80]!r} on {port}")
        self._reading[port] = message

    def replied(self, port: PortName, receiver: bytes, content: bytes) -> dict[str, Any]:
        """The server answers."""
        asked = self._reading.pop(port, None)
        if asked is None or asked.sender != receiver:
            self.fail(f"an answer to nobody's question: {content[:80]!r}")
        assert asked is not None
        reply: dict[str, Any] = json.loads(content)
        if port == "stop":
            self._stop_answered(reply)
        elif reply["type"] == "error":
            self.seen[f"refused {reply['code']}"] += 1
            if reply["code"] == "internal":
                self.fail(f"the server failed: {reply['message']}")
        else:
            self._accepted(json.loads(asked.frames[0]), reply)
        return reply

    def _stop_answered(self, reply: dict[str, Any]) -> None:
        if reply["type"] == "ok":
            self.seen["stop"] += 1
            self._stopped, self._show = True, False
            self._lease = self._allowed = None

    def _accepted(self, asked: dict[str, Any], reply: dict[str, Any]) -> None:
        kind, now = asked["type"], float(reply["time"])
        self.seen[kind] += 1
        if kind == "acquire":
            self._granted(asked, reply, now)
        elif kind == "clear":
            if self._stopped or self._fault_in_force:
                self._lease = self._allowed = None
            self._stopped, self._fault_in_force = False, False
        elif kind == "track":
            self._pose = float(asked["captured"])
        elif "lease" in asked:
            held = self._holder(asked, now)
            if kind == "renew":
                held.ends = now + held.ttl_s
            elif kind == "release":
                self._lease = self._allowed = None
            else:
                self._commanded(asked, held, now)

    def _granted(self, asked: dict[str, Any], reply: dict[str, Any], now: float) -> None:
        priority, held = int(asked.get("priority", 0)), self._lease
        if self._stopped or self._fault_in_force:
            self.fail("a lease was granted while stopped or at fault")
        if held is not None and now < held.ends:
            self.seen["takeover"] += 1
            if priority <= held.priority:
                self.fail("a lease was taken from one of the same or a higher priority")
        ttl = float(reply["ttl_s"])
        self._lease = Held(reply["lease"], priority, ttl, now + ttl, int(reply["seq"]))
        self._allowed, self._show = None, False

    def _holder(self, asked: dict[str, Any], now: float) -> Held:
        held = self._lease
        if held is None or held.token != asked["lease"]:
            self.fail(f"{asked['type']!r} was accepted from somebody without the lease")
        assert held is not None
        if now >= held.ends:
            self.fail(f"{asked['type']!r} was accepted {now - held.ends:.3f} s after the lease")
        return held

    def _commanded(self, asked: dict[str, Any], held: Held, now: float) -> None:
        if self._stopped:
            self.fail(f"{asked['type']!r} was accepted while stopped")
        if asked["seq"] <= held.seq:
            self.fail(f"{asked['type']!r} was accepted out of order")
        expires = asked["basis"] + asked.get("valid_for_s", DEFAULT_VALIDITY_S)
        if expires <= now or asked["basis"] > now + FUTURE_TOLERANCE_S:
            self.fail(f"{asked['type']!r} was accepted {now - expires:.3f} s after its end")
        held.seq = asked["seq"]
        if asked["type"] != "scene":
            mode = MODE_OF.get(asked["type"])
            self._allowed = None if mode is None else (mode, expires)
            if mode is not None:
                self._unled_ticks = 0  # it may run for one tick and be over by the end of it

    # What is done to the machines ---------------------------------------------------------------

    def must_be_at_fault(self, kind: FaultClass, mode: Mode, found: FaultClass | None) -> None:
        """A cause is there: the arm must be at a fault at least as grave, or stopped."""
        ranks = list(FAULTS)
        if mode == "stopped" or (
            mode == "fault" and found and ranks.index(found) >= ranks.index(kind)
        ):
            return
        self.fail(f"a fault of class {kind!r} was not reported: mode {mode!r}, fault {found!r}")

    def lost(self) -> None:
        """A set-point may not have reached the motors; after some an arm rests by itself."""
        self._lost += 1
        if self._told is not None and self._lost * self.period_s > REST_ALONE_S:
            rest = np.zeros_like(self._told.position)
            self._told = Motion(self._told.position, rest, rest)

    def started_afresh(self) -> None:
        """The simulated scene was put at a new start, arm and all."""
        self._fresh = True

    def settled(self, position: Vector, *, released: bool) -> None:
        """The set-point was put on the measured joints.

        Only an arm at rest may bear that, or one that has let go of its set-points.
        """
        speed = 0.0 if self._told is None else float(np.abs(self._told.velocity).max())
        if speed > AT_REST and not released and not self._fresh:
            self.fail(f"the set-point was moved at {speed:.3f} rad/s")
        self._fresh = False
        rest = np.zeros_like(position)
        self._most_excess = max(0.0, self._excess(position)) + ROUNDING
        self._least_room = min(0.0, *self.limits.room(position)) - ROUNDING
        self._told = Motion(position.copy(), rest, rest)

    # Every tick ---------------------------------------------------------------------------------

    def commanded(self, target: JointTarget) -> None:
        """A set-point reaches the motors."""
        position = target.position.copy()
        if not np.isfinite(position).all():
            self.fail(f"a set-point is not finite: {position.tolist()}")
        self._lost = 0
        if self._told is None:
            self.fail("a set-point before any start")
            return
        width = target.hand_width
        if width is not None and not 0.0 <= width <= self.limits.spec.hand_width_max:
            self.fail(f"the hand is told to open {width} m")
        after = self._told.then(position, self.period_s)
        if np.abs(target.velocity - after.velocity).max() > CONSISTENT_RAD_S:
            self.fail(f"the velocity fed forward is not that of the set-points: {target.velocity}")
        self._check_limits(self._told, after)
        self._check_range(position)
        self._told = after

    def _check_limits(self, before: Motion, after: Motion) -> None:
        broken = self.limits.broken_by_step(before, after)
        if broken is not None:
            self.fail(f"a set-point breaks {broken}")
        low, high = self.limits.speed_bounds(after.position)
        if (after.velocity < low - ROUNDING).any() or (after.velocity > high + ROUNDING).any():
            self.fail(f"a joint is too fast: {after.velocity.tolist()}")
        points = kinematics.forward(np.stack([before.position, after.position])).position
        speed = float(np.linalg.norm(points[1] - points[0])) / self.period_s
        if speed > self.limits.spec.end_effector_speed * (1.0 + ROUNDING):
            self.fail(f"the end effector is told to go {speed:.2f} m/s")
        if np.abs(after.velocity).max() <= STILL:
            return  # where it is was looked at when it came here
        if min(self.limits.room(after.position)) < self._least_room:
            self.fail(f"too near: {self.limits.room(after.position)}")

    def _check_range(self, position: Vector) -> None:
        excess = self._excess(position)
        if excess > self._most_excess:
            self.fail(f"a joint is {excess:.2g} rad beyond its end")

    def _excess(self, position: Vector) -> float:
        """By how much the joint farthest out is beyond its end [rad]; negative inside."""
        spec = self.limits.spec
        beyond = np.maximum(spec.position_low - position, position - spec.position_high)
        return float(beyond.max())

    def end_of_tick(
        self, mode: Mode, fault: FaultClass | None, decided: float, latest: Telemetry | None
    ) -> None:
        """Looks at everything; ``decided`` is the time at which the tick looked at the clock."""
        self.tick += 1
        if mode == "fault" and not self._fault_in_force:
            self._new_fault(fault)
        cleared, self._clears = self.seen["clear"] != self._clears, self.seen["clear"]
        if self._fault_in_force and mode not in ("fault", "stopped") and not cleared:
            known = self._fault_class
            if known is None or not FAULTS[known].recovers:
                self.fail(f"a fault of class {known!r} has ended by itself")
        self._fault_in_force = mode == "fault"
        self._fault_class = fault
        if self._stopped and mode != "stopped":
            self.fail(f"stopped, but the mode is {mode!r}")
        if mode == "stopped" and not self._stopped:
            # By itself: nobody has commanded for a while.
            self.seen["stopped by patience"] += 1
            self._stopped, self._lease, self._allowed = True, None, None
        self._check_motion(mode, decided)
        if latest is not None:
            self._check_telemetry(latest)

    def _new_fault(self, fault: FaultClass | None) -> None:
        if fault is None or fault not in self.expected:
            self.fail(f"a fault out of the blue: {fault!r}")
        assert fault is not None
        self.seen[f"fault {fault}"] += 1
        self._allowed, self._show = None, False
        if not FAULTS[fault].recovers:
            self._lease = None

    def _check_motion(self, mode: Mode, decided: float) -> None:
        since = decided - LOOKS_S
        held, allowed = self._lease, self._allowed
        led = held is not None and held.ends > since
        fresh = allowed is not None and allowed[1] > since
        if mode in MODE_OF.values() and not self._show:
            if not led:
                self.fail(f"mode {mode!r} without a lease")
            if not fresh or allowed is None:
                self.fail(f"mode {mode!r} without a fresh command")
            elif allowed[0] != mode:
                self.fail(f"mode {mode!r}, commanded was {allowed[0]!r}")
        if mode in ("skill", "goal") and self.pose_timeout_s is not None:
            age = decided - self._pose
            # It looks once in a period of its own, and time may have been lost since.
            if (
                self._mode_before in ("skill", "goal")
                and age > self.pose_timeout_s + POLICY_PERIOD_S + 0.01
            ):
                self._old_pose_ticks += 1
                if self._old_pose_ticks * self.period_s > POLICY_PERIOD_S + 0.01:
                    self.fail(f"the policy runs on a pose {age:.3f} s old")
            else:
                self._old_pose_ticks = 0
        self._mode_before = mode
        if self._show or (led and fresh and mode in MODE_OF.values()):
            self._unled_ticks = 0
            return
        self._unled_ticks += 1  # not in time: a clock that jumps leaves an arm no time to brake
        speed = 0.0 if self._told is None else float(np.abs(self._told.velocity).max())
        if self._unled_ticks * self.period_s > REST_WITHIN_S and speed > AT_REST:
            self.fail(f"still moving {self._unled_ticks} ticks after it had to rest")

    def _check_telemetry(self, latest: Telemetry) -> None:
        now = Counter(latest.counters)
        if any(now[name] < count for name, count in self._counters.items()):
            self.fail("a counter in telemetry has fallen")
        self._counters = now
        if (latest.mode == "fault") != (latest.fault is not None):
            self.fail(f"telemetry says mode {latest.mode!r} and fault {latest.fault!r}")
        if not math.isfinite(latest.time):
            self.fail("telemetry has no time")

    def end_of_run(self, counters: Counter[str]) -> None:
        """Compares the books with the server's own count."""
        for kind in FAULTS:
            if counters[f"faults.{kind}"] < self.seen[f"fault {kind}"]:
                self.fail(f"not every fault of class {kind!r} was counted")
        if counters["stops"] < self.seen["stop"]:
            self.fail("not every stop was counted")
