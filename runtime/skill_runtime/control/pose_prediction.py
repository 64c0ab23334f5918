"""Carries the pose of an object on the table from its capture to now.

A pose from a tracker has an age when a policy observes it, and the hand is measured now. A
cube that the hand pushes would appear to be inside the hand. The prediction therefore has two
parts: the object slides on with its measured velocity and a constant deceleration of friction, and
the hand, whose path since the capture is known, pushes it ahead.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

HORIZON_S = 0.1
"""Longest prediction; an older pose is carried by this time only [s]."""

SLIDING_M_S2 = 3.0
"""Deceleration of a sliding object: a friction coefficient of 0.3. The tabletop draws 0.2 to 0.8
[m/s^2]."""

CONTACT_M = 0.035
"""Horizontal distance between end effector and centre of a cube of 4 cm at which the finger touches
it: half of the cube and half of the finger [m]."""

ABOVE_M = 0.03
"""A hand more than this above the object's centre passes over it [m]."""

MAX_CARRIED_M = 0.1
"""Longest way that a pose is carried [m]."""

MAX_CARRIED_SPEED = 1.0
"""An object that appears to be faster is not carried, because the tracker's pose has jumped, and a
hand that appears to be faster pushes nothing, because the arm was moved by other means [m/s]."""

HAND_PERIOD_S = 0.004
"""Shortest time between two places of the hand that are kept: less than a servo period of 5 ms
[s]."""

Hand = tuple[float, float, float, float]
"""Server time [s] and position of the end effector in the world frame [m]."""


class HandPath:
    """The places of the hand during the last :data:`HORIZON_S` and the age of a usable pose."""

    def __init__(self) -> None:
        self._places: deque[Hand] = deque(maxlen=64)

    def due(self, now: float) -> bool:
        """Returns whether :meth:`add` would keep a place at server time ``now`` [s]."""
        return not self._places or now - self._places[-1][0] >= HAND_PERIOD_S

    def add(self, now: float, x: float, y: float, z: float) -> None:
        """Keeps the measured place of the end effector, world frame [m]; see :meth:`due`."""
        self._places.append((now, x, y, z))

    def between(self, start: float, end: float) -> list[Hand]:
        """Returns the path from ``start`` to ``end`` [s], both ends interpolated.

        It begins later if the path does, and is empty if nothing of it lies in this time.
        """
        path: list[Hand] = []
        before: Hand | None = None
        for place in self._places:
            if place[0] > start:
                if not path and before is not None:
                    path.append(_at(start, before, place))
                if place[0] >= end:
                    if before is not None and before[0] < end:
                        path.append(_at(end, before, place))
                    return path
                path.append(place)
            before = place
        return path


def _at(time_s: float, first: Hand, second: Hand) -> Hand:
    share = (time_s - first[0]) / (second[0] - first[0])
    x, y, z = (a + share * (b - a) for a, b in zip(first[1:], second[1:], strict=True))
    return time_s, x, y, z


@dataclass(slots=True)
class _Slider:
    """An object in the table plane: position [m] and velocity [m/s]."""

    x: float
    y: float
    dx: float
    dy: float

    def slide(self, duration: float) -> None:
        """Slides on for ``duration`` [s], or until it rests."""
        speed = math.hypot(self.dx, self.dy)
        if speed == 0.0 or duration <= 0.0:
            return
        left = max(speed - SLIDING_M_S2 * duration, 0.0)
        travel = (speed * speed - left * left) / (2.0 * SLIDING_M_S2)
        self.x += travel * self.dx / speed
        self.y += travel * self.dy / speed
        self.dx *= left / speed
        self.dy *= left / speed

    def push(self, before: Hand, now: Hand, contact: float) -> None:
        """Lets the hand, which has moved from ``before`` to ``now``, push the object ahead."""
        duration = now[0] - before[0]
        from_x, from_y = self.x - now[1], self.y - now[2]
        distance = math.hypot(from_x, from_y)
        if distance >= contact or distance == 0.0:
            return
        normal_x, normal_y = from_x / distance, from_y / distance
        advance = (now[1] - before[1]) * normal_x + (now[2] - before[2]) * normal_y
        speed = advance / duration
        gain = speed - (self.dx * normal_x + self.dy * normal_y)
        if not 0.0 < speed <= MAX_CARRIED_SPEED or gain <= 0.0:
            return
        shift = min(contact - distance, advance)
        self.x += shift * normal_x
        self.y += shift * normal_y
        self.dx += gain * normal_x
        self.dy += gain * normal_y


def carried(
    position: tuple[float, float, float],
    velocity: tuple[float, float],
    captured: float,
    now: float,
    path: HandPath,
) -> tuple[float, float]:
    """Returns x and y of an object at ``now`` in the world frame [m].

    The height stays, and so do orientation and velocity. The change is at most
    :data:`MAX_CARRIED_M`, and exactly 0 for an object at rest that no hand pushes.

    Args:
        position: at the capture, world frame [m].
        velocity: x and y at the capture [m/s].
        captured: server time of the capture [s].
        now: server time [s].
        path: of the hand.
    """
    dx, dy = velocity
    if math.hypot(dx, dy) > MAX_CARRIED_SPEED:
        dx = dy = 0.0
    body = _Slider(position[0], position[1], dx, dy)
    _advance(body, position[2], captured, min(now, captured + HORIZON_S), path)
    way_x, way_y = body.x - position[0], body.y - position[1]
    way = math.hypot(way_x, way_y)
    if way <= MAX_CARRIED_M:
        return body.x, body.y
    share = MAX_CARRIED_M / way
    return position[0] + share * way_x, position[1] + share * way_y


def _advance(body: _Slider, height: float, start: float, end: float, path: HandPath) -> None:
    """Lets the object slide and be pushed from ``start`` to ``end`` [s]."""
    hand = path.between(start, end)
    if not hand:
        body.slide(end - start)
        return
    before = hand[0]
    body.slide(before[0] - start)
    # An object nearer than in contact is one that the hand holds, or one of another shape.
    contact = min(CONTACT_M, math.hypot(body.x - before[1], body.y - before[2]))
    for place in hand[1:]:
        body.slide(place[0] - before[0])
        if place[3] < height + ABOVE_M:
            body.push(before, place, contact)
        before = place
    body.slide(end - before[0])
