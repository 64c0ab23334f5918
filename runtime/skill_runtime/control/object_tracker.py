"""Object poses that clients report, and their age.

A real arm does not measure the objects that it moves; a tracker sends their poses, each with its
capture time on the server's clock. A pose is refused if it is older than the previous one, or too
old to be used. Neither a queue nor a restarted tracker can therefore move an object back in time.

Policies observe poses that are carried from their capture to now (``pose_prediction``). Telemetry
and the distance from a goal use the poses as they were measured.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Track
from skill_robots.arm import Pose
from skill_runtime.authority.lease import FUTURE_TOLERANCE_S
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.pose_prediction import HandPath, carried

DIFFERENCE_S = 0.02
"""Shortest interval for a velocity from two poses; a shorter one amplifies the tracker's noise [s].
"""


REACH_M = 1.5
"""Largest distance of a tracked object from the world's origin, along x and y [m]. An arm reaches
less than 0.9 m from its base, which is 0.6 m from the origin."""

HEIGHT_M = (-0.1, 1.5)
"""Least and largest height of a tracked object above the table top [m]."""

MAX_SPEED = 20.0
"""Largest speed of a tracked object [m/s]; a fall from the largest height ends at 6 m/s."""

MAX_SPIN = 200.0
"""Largest angular speed of a tracked object [rad/s]."""

START_REMEDY = "start a tracker that sends 'track' (docs/protocol.md), e.g. examples/tag_tracker.py"
"""Remedy for a policy that waits for the first pose of an object."""


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """The objects whose poses clients report."""

    objects: tuple[str, ...] = ()
    """Names of the tracked objects; poses of these objects from the arm itself are ignored."""
    timeout_s: float = 0.2
    """A pose older than this is not used [s]."""


@dataclass(kw_only=True)
class _Sighting:
    pose: Pose
    captured: float
    base: tuple[float, Array]
    """Time and position from which the velocity is computed."""


@dataclass
class ObjectTracker:
    """Keeps the newest pose of each tracked object."""

    config: TrackConfig = field(default_factory=TrackConfig)
    _seen: dict[str, _Sighting] = field(default_factory=dict[str, _Sighting], init=False)
    _hand: HandPath = field(default_factory=HandPath, init=False)

    def put(self, message: Track, now: float) -> None:
        """Stores a pose.

        Raises:
            Refusal: ``not_supported`` (the object is not tracked), ``stale``, ``out_of_order`` or
                ``invalid`` (a quaternion of length 0, a place or a speed that no object here has).
        """
        name = message.object
        if name not in self.config.objects:
            tracked = ", ".join(self.config.objects) or "none"
            raise Refusal(
                "not_supported",
                f"{name!r} is not a tracked object; tracked objects: {tracked}",
                f"start the server with --track {name}, or leave the object to the arm",
            )
        _check_place(message)
        self._check_time(message, now)
        length = math.hypot(*message.quaternion)
        if length < 1e-6:
            raise Refusal("invalid", "the quaternion has length 0", "send w, x, y, z of a rotation")
        before = self._seen.get(name)
        position = np.array(message.position)
        velocity, base = self._velocity(message, position, before)
        spin = message.angular_velocity or (0.0, 0.0, 0.0)
        quaternion = np.array(message.quaternion) / length
        pose = Pose(
            position=position,
            quaternion=-quaternion if quaternion[0] < 0.0 else quaternion,
            velocity=velocity,
            angular_velocity=np.array(spin),
        )
        self._seen[name] = _Sighting(pose=pose, captured=message.captured, base=base)

    def poses(self) -> dict[str, Pose]:
        """Returns the newest pose of each object as it was measured, of any age."""
        return {name: sighting.pose for name, sighting in self._seen.items()}

    def hand_due(self, now: float) -> bool:
        """Returns whether :meth:`note_hand` is needed at server time ``now`` [s]."""
        return bool(self.config.objects) and self._hand.due(now)

    def note_hand(self, position: Array, now: float) -> None:
        """Records the measured end effector ``(3,)``, world frame [m], at server time ``now`` [s].

        Poses are carried by the pushes of the hand since their capture.
        """
        x, y, z = position.tolist()
        self._hand.add(now, x, y, z)

    def carried(self, now: float) -> dict[str, Pose]:
        """Returns the pose of each object, its x and y carried from its capture to ``now`` [s].

        Velocity and orientation stay as measured.
        """
        return {name: self._carry(sighting, now) for name, sighting in self._seen.items()}

    def _carry(self, sighting: _Sighting, now: float) -> Pose:
        x, y, z = sighting.pose.position.tolist()
        dx, dy, _ = sighting.pose.velocity.tolist()
        ahead = carried((x, y, z), (dx, dy), sighting.captured, now, self._hand)
        return replace(sighting.pose, position=np.array([*ahead, z]))

    def awaited(self, names: Iterable[str]) -> list[str]:
        """Returns those of the names that are tracked, and of which no pose has arrived yet."""
        tracked = self.config.objects
        if not tracked:
            return []
        return [name for name in names if name in tracked and name not in self._seen]

    def tracks(self, name: str) -> bool:
        """Returns whether clients report the pose of this object."""
        return name in self.config.objects

    def age_s(self, name: str, now: float) -> float | None:
        """Returns the age of the newest pose [s]; None for an object that is not tracked.

        The age is infinite before the first pose.
        """
        return self._age_s(name, now) if self.tracks(name) else None

    def _age_s(self, name: str, now: float) -> float:
        sighting = self._seen.get(name)
        return math.inf if sighting is None else max(0.0, now - sighting.captured)

    def missing(self, needed: Iterable[str], measured: Container[str], now: float) -> str | None:
        """Says which needed object has no fresh pose; returns None if all have one.

        Args:
            needed: names of objects.
            measured: names of the objects that the arm itself reports.
            now: server time [s].
        """
        for name in needed:
            if name in self.config.objects:
                late = self.late(name, now)
                if late is not None:
                    return late
            elif name not in measured:
                return f"no source reports the pose of {name!r}"
        return None

    def late(self, name: str, now: float) -> str | None:
        """Says how late the pose of a tracked object is; returns None if it is fresh."""
        age = self._age_s(name, now)
        if age <= self.config.timeout_s:
            return None
        if math.isinf(age):
            return f"no pose of {name!r} has arrived yet"
        return f"the newest pose of {name!r} is {age:.2f} s old"

    def _check_time(self, message: Track, now: float) -> None:
        ahead = message.captured - now
        if ahead > FUTURE_TOLERANCE_S:
            raise Refusal(
                "stale",
                f"captured {message.captured:.3f} is {ahead:.3f} s ahead of server time {now:.3f}",
                "use the 'time' of this server's telemetry plus the time since then",
            )
        if -ahead > self.config.timeout_s:
            raise Refusal(
                "stale",
                f"the pose is {-ahead:.3f} s old; the limit is {self.config.timeout_s:g} s",
                "send poses as they are captured",
            )
        before = self._seen.get(message.object)
        if before is not None and message.captured <= before.captured:
            raise Refusal(
                "out_of_order",
                f"a pose of {message.object!r} captured at {before.captured:.3f} is already stored",
                "send poses in the order of their capture, from one tracker only",
            )

    def _velocity(
        self, message: Track, position: Array, before: _Sighting | None
    ) -> tuple[Array, tuple[float, Array]]:
        here = (message.captured, position)
        if message.velocity is not None:
            return np.array(message.velocity), here
        if before is None or message.captured - before.captured > self.config.timeout_s:
            return np.zeros(3), here
        since, origin = before.base
        passed = message.captured - since
        if passed < DIFFERENCE_S:
            return before.pose.velocity, before.base
        return (position - origin) / passed, here


def _check_place(message: Track) -> None:
    x, y, z = message.position
    if max(abs(x), abs(y)) > REACH_M or not HEIGHT_M[0] <= z <= HEIGHT_M[1]:
        raise Refusal(
            "invalid",
            f"position {x:g} {y:g} {z:g} m is not near the table: x and y within {REACH_M:g} m of "
            f"the origin, z from {HEIGHT_M[0]:g} to {HEIGHT_M[1]:g} m",
            "send metres in the world frame: origin on the table top, 0.6 m in front of the base",
        )
    for name, limit, unit in (
        ("velocity", MAX_SPEED, "m/s"),
        ("angular_velocity", MAX_SPIN, "rad/s"),
    ):
        value = getattr(message, name)
        if value is not None and math.hypot(*value) > limit:
            raise Refusal(
                "invalid",
                f"{name} has length {math.hypot(*value):g} {unit}, more than {limit:g} {unit}",
                f"send {unit} in the world frame, or leave {name} out",
            )
