"""Tracker: where objects are, as reported from outside, and how old that is.

A real arm does not see what it pushes. Poses come over the wire with the time at which they were
true on the server's clock; one that is older than the one before it, or too old to be of use, is
refused, so that neither a queue nor a tracker that starts again moves an object back in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Track
from skill_robots.arm import Pose
from skill_runtime.authority.lease import FUTURE_TOLERANCE_S
from skill_runtime.authority.refusal import Refusal

DIFFERENCE_S = 0.02
"""Shortest time over which a velocity is taken from poses: less amplifies a tracker's noise [s]."""


@dataclass(frozen=True, kw_only=True)
class TrackConfig:
    """Which objects are reported from outside."""

    objects: tuple[str, ...] = ()
    """Their names; what the arm itself reports of them is not used."""
    timeout_s: float = 0.2
    """A pose older than this is of no use [s]."""


@dataclass(kw_only=True)
class _Sighting:
    pose: Pose
    captured: float
    base: tuple[float, Array]
    """Time and position that the velocity is taken from."""


@dataclass
class ObjectTracker:
    """Newest poses by name."""

    config: TrackConfig = field(default_factory=TrackConfig)
    _seen: dict[str, _Sighting] = field(default_factory=dict[str, _Sighting], init=False)

    def put(self, message: Track, now: float) -> None:
        """Takes a pose.

        Raises:
            Refusal: ``not_supported`` (the object is not tracked), ``stale``, ``out_of_order`` or
                ``invalid`` (a quaternion of length 0).
        """
        name = message.object
        if name not in self.config.objects:
            tracked = ", ".join(self.config.objects) or "none"
            raise Refusal(
                "not_supported",
                f"{name!r} is not tracked from outside; tracked objects: {tracked}",
                f"start the server with --track {name}, or leave the object to the arm",
            )
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
        """The newest of each object, however old."""
        return {name: sighting.pose for name, sighting in self._seen.items()}

    def age_s(self, name: str, now: float) -> float:
        """Of the newest pose of a tracked object; infinite where there is none."""
        sighting = self._seen.get(name)
        return math.inf if sighting is None else max(0.0, now - sighting.captured)

    def late(self, name: str, now: float) -> str | None:
        """What is wrong where a tracked object has no fresh pose, in words."""
        age = self.age_s(name, now)
        if age <= self.config.timeout_s:
            return None
        if math.isinf(age):
            return f"no pose of {name!r} has come yet"
        return f"the newest pose of {name!r} is {age:.2f} s old"

    def _check_time(self, message: Track, now: float) -> None:
        ahead = message.captured - now
        if ahead > FUTURE_TOLERANCE_S:
            raise Refusal(
                "stale",
                f"captured {message.captured:.3f} is {ahead:.3f} s ahead of server time {now:.3f}",
                "take it from the 'time' of this server's telemetry, plus what has passed since",
            )
        if -ahead > self.config.timeout_s:
            raise Refusal(
                "stale",
                f"the pose is {-ahead:.3f} s old; at most {self.config.timeout_s:g} s are of use",
                "send poses as they are captured",
            )
        before = self._seen.get(message.object)
        if before is not None and message.captured <= before.captured:
            raise Refusal(
                "out_of_order",
                f"a pose of {message.object!r} captured at {before.captured:.3f} is there already",
                "send poses in the order of their capture, from one tracker alone",
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
