"""The commands that a simulated arm executes until a client takes the lease.

A skill policy executes one skill per episode, from a fresh start each. A policy that takes only
goals pursues several goals from each start, drawn from the manifest's box, with time to come to
rest at each. The first lease, stop or fault ends the demo for good. A client that takes the lease
finds the scene reset once more, because the demo may leave the cube out of the arm's reach.
"""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.modes import Event
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController

EPISODE_S = 4.0
"""Length of an episode if the manifest does not give one [s]."""

GOAL_S = 6.0
"""Time for one goal, as in an evaluation (tasks/rollouts.py) [s]."""

GOALS_PER_START = 4
"""Goals from one start: enough for a recurrent policy to use its estimate of the context."""

GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
"""Steps of this angle cover a circle evenly after any number of steps (Vogel, 1979) [rad]."""


class DemoController:
    """The internal source of commands, with the lowest priority.

    Args:
        manifest: the manifest of the policy.
        seed: seed of its skills and goals.
    """

    def __init__(self, manifest: PolicyManifest, seed: int) -> None:
        self._manifest = manifest
        self._random = np.random.default_rng([seed, 3])
        self._angle = float(self._random.uniform(0, 2 * np.pi))
        held = manifest.skill.hold_steps
        self._by_goal = manifest.skill.kind == "none" and manifest.goal is not None
        self._command_s = held / manifest.control_rate_hz if held > 1 else EPISODE_S
        if self._by_goal:
            self._command_s = GOAL_S
        self._per_start = GOALS_PER_START if self._by_goal else 1
        self._ends = -math.inf
        self._count = 0

    def step(self, authority: Authority, controller: ArmController, now: float) -> None:
        """Gives the next command if the last one is over; called once a tick."""
        if not authority.demo_allowed:
            self._end(authority, controller)
            return
        if now < self._ends:
            return
        try:
            self._start(authority, controller, now)
        except Refusal as refusal:  # the arm does not answer; the controller reports the fault
            authority.events.record_event(str(refusal))

    def _start(self, authority: Authority, controller: ArmController, now: float) -> None:
        self._ends = now + self._command_s
        fresh = self._count % self._per_start == 0
        if fresh and self._count > 0:  # a new server is at a fresh start already
            controller.reset()
        event, vector = self._next()
        authority.demo(event, vector)
        episode = (self._count - 1) // self._per_start + 1
        authority.events.record_event(f"demo episode {episode}", "episodes" if fresh else "")

    def _end(self, authority: Authority, controller: ArmController) -> None:
        started, self._count = self._count > 0, 0
        if started and authority.lease is not None:
            try:
                controller.reset()
            except Refusal as refusal:
                authority.events.record_event(str(refusal))

    def _next(self) -> tuple[Event, Array]:
        space, goal = self._manifest.skill, self._manifest.goal
        self._count += 1
        if space.kind == "none" and goal is not None:
            return "goal", self._random.uniform(goal.low, goal.high)
        if space.kind == "one_hot":
            return "skill", np.eye(space.size)[(self._count - 1) % space.size]
        if space.size == 2:
            angle = self._angle + GOLDEN_ANGLE * self._count
            return "skill", np.array([np.cos(angle), np.sin(angle)])
        skill = self._random.standard_normal(space.size)
        return "skill", skill / max(float(np.linalg.norm(skill)), 1e-9)
