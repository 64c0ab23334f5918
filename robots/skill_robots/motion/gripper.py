"""A policy's action on the gripper -> widths, or commands to open and to grasp.

- ``gripper_width``: the action names a width, from 0 for -1 to ``scale`` for 1. A simulated gripper
  follows it: its set-point approaches this width at the gripper's own speed, in every servo period
  (:class:`FollowedGripper`), in training as in serving. The set-point runs past the surface of an
  object between the fingers, and their servo grips the harder the farther. A real gripper carries
  out one motion at a time, and a new one stops the last. There the action only opens and grasps,
  with a dead band between (:class:`SwitchedGripper`).
- ``grasp``: the action closes the gripper on an object, or opens it (:class:`BinaryGripper`).
- ``gripper_width_displacement``: the action adds to the measured width (:class:`DisplacedGripper`),
  as in the skill-aware benchmark, whose gripper has no limit of speed.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_proto.manifest import ActionPart, PolicyManifest
from skill_robots.arm import ArmSpec

WIDTH = "gripper_width"
"""Name of the action part that names a width."""

WIDTH_DISPLACEMENT = "gripper_width_displacement"
"""Name of the action part that adds to the measured width."""

GRASP = "grasp"
"""Name of the action part that grasps below 0, and opens from 0 on."""

GRASPS_BELOW, OPENS_ABOVE = 0.4, 0.6
"""Shares of the range at which a real gripper grasps and opens. A policy that aims between them
changes nothing: its noise there would stop every motion of the gripper."""


class GripperCommand(NamedTuple):
    """A command of the gripper for one servo period."""

    width: float | None
    """[m]; None leaves the gripper unchanged."""
    grasp: bool
    """Close on the object and hold it by force instead of by width."""


UNCHANGED = GripperCommand(None, False)


class GripperDrive(Protocol):
    """Drives one gripper by the actions of a policy."""

    def act(self, action: float, measured: float) -> None:
        """Takes a new action.

        Args:
            action: in [-1, 1].
            measured: width [m].
        """
        ...

    def step(self) -> GripperCommand:
        """Returns the command for the coming servo period."""
        ...

    def hold(self, measured: float) -> None:
        """Ends the motion. The gripper keeps its present width until the next action.

        Further calls before the next action have no effect.

        Args:
            measured: present width [m].
        """
        ...

    def interrupt(self, command: GripperCommand) -> None:
        """Takes note of a command of a client, which has the gripper until it releases it."""
        ...

    def reset(self, measured: float) -> None:
        """Forgets the past: the gripper may have moved by other means, to ``measured`` [m]."""
        ...

    def applied(self, measured: float) -> float:
        """Returns the action in [-1, 1] that names the present width; ``measured`` is in [m].

        It stands for the policy's own action while that has no effect.
        """
        ...


def gripper_part(manifest: PolicyManifest) -> ActionPart | None:
    """Returns the part of a policy's action that drives the gripper; None without one."""
    parts = (part for part in manifest.action if part.name in (WIDTH, WIDTH_DISPLACEMENT, GRASP))
    return next(parts, None)


def names_width(manifest: PolicyManifest) -> bool:
    """Returns whether the policy's action names the gripper's width."""
    part = gripper_part(manifest)
    return part is not None and part.name == WIDTH


def make_drive(
    part: ActionPart | None, spec: ArmSpec, servo_period_s: float, *, follows: bool
) -> GripperDrive | None:
    """Returns the drive for an action part; None without one.

    Args:
        part: of the policy's action.
        spec: the arm.
        servo_period_s: time between two commands [s].
        follows: whether the gripper follows a width in every servo period.
    """
    if part is None:
        return None
    if part.name == WIDTH_DISPLACEMENT:
        return DisplacedGripper(part.max_scale, spec.gripper_width_max, follows=follows)
    scale = min(part.max_scale, spec.gripper_width_max)  # a rounded scale may be larger
    if part.name == GRASP:
        return BinaryGripper(scale)
    if follows:
        longest_step = spec.gripper_speed * servo_period_s
        return FollowedGripper(scale, longest_step, spec.gripper_width_max)
    return SwitchedGripper(scale)


def _action_of(width: float, scale: float) -> float:
    """Returns the action that names a width [m]; ``scale`` is the width of an action of 1 [m]."""
    return min(max(2.0 * width / scale - 1.0, -1.0), 1.0)


class WidthSetpoints:
    """Set-points of n grippers, each of which approaches the width that its action names.

    Args:
        n: number of grippers.
        spec: the arm.
        servo_period_s: time between two set-points [s].

    Attributes:
        width: ``(n,)`` the set-points [m].
    """

    def __init__(self, n: int, spec: ArmSpec, servo_period_s: float) -> None:
        self.width: Array = np.zeros(n)
        self._goal, self._last_goal = np.zeros(n), np.zeros(n)
        self._scale = spec.gripper_width_max
        self._longest_step = spec.gripper_speed * servo_period_s

    def reset(self, ids: Ids, width: Array) -> None:
        """Puts the set-points of the grippers ``ids`` at ``width`` ``(k,)`` [m]."""
        self.width[ids] = self._goal[ids] = width

    def act(self, action: Array) -> None:
        """Takes the actions ``(n,)`` in [-1, 1] of a control step."""
        bounded = np.minimum(np.maximum(action, -1.0), 1.0)
        self._last_goal, self._goal = self._goal, self._scale * (1.0 + bounded) / 2.0

    def step(self, late: Flags) -> Array:
        """Moves the set-points by one servo period, and returns them.

        Args:
            late: ``(n,)``: grippers for which the action before is still in force.
        """
        goal = np.where(late, self._last_goal, self._goal)
        step = np.minimum(np.maximum(goal - self.width, -self._longest_step), self._longest_step)
        self.width = self.width + step
        return self.width


class _CommandedGripper:
    """A gripper with one command in force until the next."""

    def __init__(self) -> None:
        self._command = UNCHANGED
        self._acts = False

    def step(self) -> GripperCommand:
        """Returns the command in force."""
        return self._command

    def hold(self, measured: float) -> None:
        """Ends a motion of the policy."""
        if self._acts:
            self._command = self._held(measured)
        self._acts = False

    def interrupt(self, command: GripperCommand) -> None:
        """Begins no motion until an action after the client's command."""
        if command != UNCHANGED:
            self._command, self._acts = UNCHANGED, False

    def reset(self, measured: float) -> None:
        """Holds a gripper that the policy has moved.

        The width is measured anew: a gripper may have gone on while it took no commands.
        """
        self._acts = self._command != UNCHANGED
        self.hold(measured)

    def _begin(self, command: GripperCommand) -> None:
        self._command, self._acts = command, True

    def _held(self, measured: float) -> GripperCommand:
        """Returns the command that ends a motion at the width ``measured`` [m]."""
        raise NotImplementedError


class DisplacedGripper(_CommandedGripper):
    """Adds the action to the measured width.

    Args:
        scale: change of the width for an action of 1 [m].
        width_max: opening of the gripper [m].
        follows: whether the gripper follows a width in every servo period. Such a gripper keeps
            its last width in a hold: a grip is as strong as its width is too small.
    """

    def __init__(self, scale: float, width_max: float, *, follows: bool) -> None:
        super().__init__()
        self._scale, self._width_max, self._follows = scale, width_max, follows

    def act(self, action: float, measured: float) -> None:
        """Sets the width."""
        self._begin(self._at(measured + self._scale * action))

    def applied(self, measured: float) -> float:
        """Returns the action that changes no width: 0."""
        del measured
        return 0.0

    def _held(self, measured: float) -> GripperCommand:
        return UNCHANGED if self._follows else self._at(measured)

    def _at(self, width: float) -> GripperCommand:
        return GripperCommand(min(max(width, 0.0), self._width_max), False)


class FollowedGripper:
    """Moves the set-point of the width towards the one that the action names.

    The set-point goes on from the last one, also after a hold: a set-point that began at the
    measured width would let go of a held object.

    Args:
        scale: width of an action of 1 [m].
        longest_step: largest change of the set-point in a servo period [m].
        width_max: opening of the gripper [m].
    """

    def __init__(self, scale: float, longest_step: float, width_max: float) -> None:
        self._scale, self._longest_step, self._width_max = scale, longest_step, width_max
        self._width: float | None = None
        self._goal: float | None = None

    def act(self, action: float, measured: float) -> None:
        """Sets the width to approach."""
        if self._width is None:
            self._width = min(max(measured, 0.0), self._width_max)
        # Floats, unlike WidthSetpoints: a control loop has no time for arrays of one.
        self._goal = self._scale * (1.0 + min(max(action, -1.0), 1.0)) / 2.0

    def step(self) -> GripperCommand:
        """Moves the set-point by one servo period."""
        if self._goal is None or self._width is None:
            return UNCHANGED
        longest = self._longest_step
        self._width += min(max(self._goal - self._width, -longest), longest)
        return GripperCommand(self._width, False)

    def hold(self, measured: float) -> None:
        """Stops the set-point."""
        del measured
        self._goal = None

    def interrupt(self, command: GripperCommand) -> None:
        """Continues later from the width that the command has set."""
        if command == UNCHANGED:
            return
        self._goal = None
        self._width = 0.0 if command.width is None else command.width

    def reset(self, measured: float) -> None:
        """Begins again at the width that is measured at the next action."""
        del measured
        self._width = self._goal = None

    def applied(self, measured: float) -> float:
        """Returns the action that names the set-point; before the first, the measured width."""
        return _action_of(measured if self._width is None else self._width, self._scale)


class SwitchedGripper(_CommandedGripper):
    """Grasps and opens; an action between the thresholds keeps the last command.

    A hold names the measured width. A real gripper ends its motion for it, and one that holds an
    object ignores it (``franka_driver.hand.hand_driver``).

    Args:
        scale: width of an action of 1, to which it opens [m].
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def act(self, action: float, measured: float) -> None:
        """Switches if the action passes a threshold."""
        del measured
        share = (1.0 + action) / 2.0
        if share < GRASPS_BELOW:
            self._begin(GripperCommand(None, True))
        elif share > OPENS_ABOVE:
            self._begin(GripperCommand(self._scale, False))

    def applied(self, measured: float) -> float:
        """Returns the action that names the measured width."""
        return _action_of(measured, self._scale)

    def _held(self, measured: float) -> GripperCommand:
        return GripperCommand(max(measured, 0.0), False)


class BinaryGripper(_CommandedGripper):
    """Grasps below an action of 0, and opens from 0 on, as a binary gripper of Isaac Lab does.

    Args:
        scale: width to which it opens [m].
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def act(self, action: float, measured: float) -> None:
        """Grasps or opens."""
        del measured
        self._begin(
            GripperCommand(None, True) if action < 0 else GripperCommand(self._scale, False)
        )

    def applied(self, measured: float) -> float:
        """Returns 1 for a gripper that is open by more than a half, else -1."""
        return 1.0 if measured > 0.5 * self._scale else -1.0

    def _held(self, measured: float) -> GripperCommand:
        return self._command if self._command.grasp else GripperCommand(max(measured, 0.0), False)
