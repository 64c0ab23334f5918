"""Whether the goal in force is approached, reached, or pursued without progress.

Only the distance between the goal and the achieved value counts. A robot that leans against the end
of its workspace acts, but the distance does not fall.

The constants are chosen by simulated runs of the shipped policies, whose hands take a few seconds
to move around the object; such a pause is no lack of progress.
"""

from __future__ import annotations

import math

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace
from skill_proto.messages import GoalStatus
from skill_robots.arm import ArmState, ObjectUnseenError
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.observation import FIELDS

NO_PROGRESS_S = 5.0
"""Time without progress after which the status is ``no_progress`` [s]."""

PROGRESS_SHARE = 0.5
"""A fall of the distance by more than this share of ``stop_radius`` is progress."""

RELEASE_SHARE = 1.5
"""A goal stays reached up to this multiple of ``stop_radius``. An object at rest on the border
would otherwise change the status with the noise of its sensor."""


class GoalMonitor:
    """Observes the distance of one arm from its goal.

    Progress is a distance below the best one so far. An object that is pushed away and brought back
    makes no progress until it is nearer than ever before: a policy that repeats such a cycle would
    otherwise make progress for ever. An object that gets farther away than ever before, because it
    slid or a person moved it, starts a new best distance there; its way back is progress.

    A new goal starts over. A goal that differs by no more than the smallest progress is the same
    goal, because a client may measure its goal. No goal also starts over, as does leaving a goal
    that was reached.

    Args:
        goal_space: the manifest's; None for a policy without goals.

    Attributes:
        distance: distance from the goal, in the unit of the goal space; None without a goal, and
            while the achieved value is unknown.
        status: None exactly if ``distance`` is None.
    """

    def __init__(self, goal_space: GoalSpace | None) -> None:
        self.distance: float | None = None
        self.status: GoalStatus | None = None
        radius = 0.0 if goal_space is None else goal_space.stop_radius
        self._components = () if goal_space is None else goal_space.components
        self._radius = radius
        self._release = RELEASE_SHARE * radius
        self._progress = PROGRESS_SHARE * radius
        self._reset()

    def _reset(self) -> None:
        """Forgets the goal."""
        self._goal: list[float] | None = None
        self._start_over()

    def _start_over(self) -> None:
        self._reached = False
        self._best, self._farthest = math.inf, -math.inf
        self._stalled_s = 0.0
        self._seen_at: float | None = None

    def update(self, goal: Array | None, achieved: Array | None, now: float) -> None:
        """Takes the measurement of one tick.

        Args:
            goal: the goal in force, ``(G,)``; None if there is none.
            achieved: current value of the whole field that the goal refers to, ``(size,)``; None if
                it is unknown. Time without a value, or with one that is not finite, does not count
                as time without progress.
            now: server time [s].
        """
        if goal is None or not self._components:
            if self._goal is not None:
                self._reset()
            self.distance = self.status = None
            return
        wanted: list[float] = goal.tolist()
        if self._goal is None or math.dist(wanted, self._goal) > self._progress:
            self._goal = wanted
            self._start_over()
        self.distance = self._distance(wanted, achieved)
        if self.distance is None:
            self._seen_at = self.status = None
            return
        self.status = self._judge(self.distance, now)

    def _distance(self, wanted: list[float], achieved: Array | None) -> float | None:
        if achieved is None:
            return None
        values: list[float] = achieved.tolist()
        found = math.dist(wanted, [values[index] for index in self._components])
        return found if math.isfinite(found) else None

    def _judge(self, distance: float, now: float) -> GoalStatus:
        if distance <= (self._release if self._reached else self._radius):
            self._reached = True
            return "reached"
        if self._reached:
            self._start_over()
        if self._seen_at is not None:
            self._stalled_s += max(now - self._seen_at, 0.0)
        self._seen_at = now
        if distance > self._farthest:
            self._farthest = self._best = distance
        elif distance < self._best - self._progress:
            self._best, self._stalled_s = distance, 0.0
        return "no_progress" if self._stalled_s > NO_PROGRESS_S else "approaching"


def achieved_value(
    goal_space: GoalSpace | None, state: ArmState, adapter: PolicyAdapter
) -> Array | None:
    """Returns the measured value of the whole field that the goals refer to, ``(size,)``.

    Positions and velocities of objects and joints, such as ``cube_position``, are read from
    ``state``, which costs no copy. Other fields are computed as for the policy.

    Args:
        goal_space: the manifest's; None gives None.
        state: the newest measurement.
        adapter: of the arm.

    Returns:
        The value, or None if the object of the field is not reported, or if its orientation or
        relative position is asked for and the policy observes nothing of the object.
    """
    if goal_space is None:
        return None
    field = FIELDS[goal_space.field]
    if field.object is not None:
        pose = state.objects.get(field.object)
        if pose is None:
            return None
        quantity = goal_space.field.removeprefix(f"{field.object}_")
        if quantity in ("position", "velocity", "angular_velocity"):
            value: Array = getattr(pose, quantity)
            return value
        if field.object not in adapter.objects:
            return None
    elif field.name in ("joint_position", "joint_velocity"):
        joints: Array = getattr(state, field.name)
        return joints
    try:
        return field.compute(adapter.world(state))[0]
    except ObjectUnseenError:
        return None
