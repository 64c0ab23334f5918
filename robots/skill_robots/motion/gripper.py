"""A policy's action on the gripper -> widths, or commands to open and to grasp.

- ``gripper_width``: the action names a width, from 0 for -1 to ``scale`` for 1. A simulated gripper
  follows it: its set-point approaches this width at the gripper's own speed, in every servo period
  (:class:`FollowedGripper`), in training as in serving. The set-point runs past the surface of an
  object between the fingers, and their servo grips the harder the farther. A real gripper carries
  out one motion at a time, and a new one stops the last. There the action only opens and grasps,
  with a dead band between (:class:`SwitchedGripper`).
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

    def hold(self) -> None:
        """Ends the motion: the gripper stays where it is until the next action."""
        ...

    def interrupt(self, command: GripperCommand) -> None:
        """Takes note of a command of a client, which has the gripper until it releases it."""
        ...

    def reset(self) -> None:
        """Forgets the past: the gripper was moved by other means."""
        ...


def gripper_part(manifest: PolicyManifest) -> ActionPart | None:
    """Returns the part of a policy's action that drives the gripper; None without one."""
    parts = (part for part in manifest.action if part.name in (WIDTH, WIDTH_DISPLACEMENT))
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
        return DisplacedGripper(part.scale, spec.gripper_width_max)
    if follows:
        return FollowedGripper(part.scale, spec.gripper_speed * servo_period_s)
    return SwitchedGripper(part.scale)


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


class DisplacedGripper:
    """Adds the action to the measured width.

    Args:
        scale: change of the width for an action of 1 [m].
        width_max: opening of the gripper [m].
    """

    def __init__(self, scale: float, width_max: float) -> None:
        self._scale, self._width_max = scale, width_max
        self._width: float | None = None

    def act(self, action: float, measured: float) -> None:
        """Sets the width."""
        width = measured + self._scale * action
        self._width = min(max(width, 0.0), self._width_max)

    def step(self) -> GripperCommand:
        """Returns the width of the last action."""
        return GripperCommand(self._width, False)

    def hold(self) -> None:
        """Leaves the gripper unchanged until the next action."""
        self._width = None

    def interrupt(self, command: GripperCommand) -> None:
        """Leaves the gripper unchanged until the next action."""
        del command
        self._width = None

    def reset(self) -> None:
        """Leaves the gripper unchanged until the next action."""
        self._width = None


class FollowedGripper:
    """Moves the set-point of the width towards the one that the action names.

    The set-point goes on from the last one, also after a hold: a set-point that began at the
    measured width would let go of a held object.

    Args:
        scale: width of an action of 1 [m].
        longest_step: largest change of the set-point in a servo period [m].
    """

    def __init__(self, scale: float, longest_step: float) -> None:
        self._scale, self._longest_step = scale, longest_step
        self._width: float | None = None
        self._goal: float | None = None

    def act(self, action: float, measured: float) -> None:
        """Sets the width to approach."""
        if self._width is None:
            self._width = min(max(measured, 0.0), self._scale)
        # Floats, unlike WidthSetpoints: a control loop has no time for arrays of one.
        self._goal = self._scale * (1.0 + min(max(action, -1.0), 1.0)) / 2.0

    def step(self) -> GripperCommand:
        """Moves the set-point by one servo period."""
        if self._goal is None or self._width is None:
            return UNCHANGED
        longest = self._longest_step
        self._width += min(max(self._goal - self._width, -longest), longest)
        return GripperCommand(self._width, False)

    def hold(self) -> None:
        """Stops the set-point."""
        self._goal = None

    def interrupt(self, command: GripperCommand) -> None:
        """Continues later from the width that the command has set."""
        if command == UNCHANGED:
            return
        self._goal = None
        self._width = 0.0 if command.width is None else command.width

    def reset(self) -> None:
        """Begins again at the measured width."""
        self._width = self._goal = None


class SwitchedGripper:
    """Grasps and opens; an action between the thresholds keeps the last command.

    Args:
        scale: width of an action of 1, to which it opens [m].
    """

    def __init__(self, scale: float) -> None:
        self._open = GripperCommand(scale, False)
        self._command = UNCHANGED

    def act(self, action: float, measured: float) -> None:
        """Switches if the action passes a threshold."""
        del measured
        share = (1.0 + action) / 2.0
        if share < GRASPS_BELOW:
            self._command = GripperCommand(None, True)
        elif share > OPENS_ABOVE:
            self._command = self._open

    def step(self) -> GripperCommand:
        """Returns the command in force."""
        return self._command

    def hold(self) -> None:
        """Begins no motion until the next action."""
        self._command = UNCHANGED

    def interrupt(self, command: GripperCommand) -> None:
        """Begins no motion until an action after the client's command."""
        if command != UNCHANGED:
            self._command = UNCHANGED

    def reset(self) -> None:
        """Begins no motion until the next action."""
        self._command = UNCHANGED
