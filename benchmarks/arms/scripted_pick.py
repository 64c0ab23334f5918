"""The scripted pick-and-place controller as a policy that the served arms can run.

The controller was written for a simulated hand that opens and closes within three control steps. A
Franka Hand moves at 0.1 m/s and needs 0.4 s to close on the cube, so here the controller waits for
the hand: without this it loses the cube, and then presses the half-closed fingers on it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.skill_aware.scripted.motion import (
    CLEAR_HEIGHT_M,
    Action,
    SceneState,
    scene_states,
    to_width,
    travel,
)
from skill_robots.tasks.skill_aware.scripted.pick import PickConfig, PickController
from skill_runtime.policy import PolicyOutput, load_manifest

PICK = "pick"
"""Name of the controller among the policies of the ladder."""

INTERFACE = Path("models/saccm_panda.onnx")
"""A policy file with the same observation, action and goal."""

CONFIG = PickConfig(close_steps=12)
"""Of the controller: 0.48 s to close the hand."""

OPEN_M, PASSES_M = 0.08, 0.07
"""Width of the open hand, and the least with which it goes down on a cube [m]."""


class ScriptedPick:
    """The pick of the skill-aware benchmark; implements ``TickPolicy``.

    Attributes:
        manifest: observation, action and goal of the skill-aware policies.
    """

    def __init__(self) -> None:
        self.manifest: PolicyManifest = load_manifest(INTERFACE)
        self.reset_slot(0)

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """Returns the next action of the pick for one observation ``(O,)``."""
        del skill, previous_action
        if goal is None:
            raise ValueError("the scripted pick needs a goal")
        (state,) = scene_states(np.asarray(observation)[None], np.asarray(goal)[None])
        return PolicyOutput(
            action=np.array([self._act(state)], np.float32),
            skill_used=np.zeros((1, 0), np.float32),
            context=None,
            is_finite=np.ones(1, np.bool_),
        )

    def reset_slot(self, slot: int) -> None:
        """Begins a new pick."""
        del slot
        self._pick = PickController(CONFIG)

    def _act(self, state: SceneState) -> Action:
        """Returns the action of the controller, or waits above the cube until the hand is open."""
        action = self._pick.act(state)
        if self._pick.phase != "approach" or state.width > PASSES_M:
            return action
        x, y, z = state.hand
        return (*travel(state, x, y, max(z, CLEAR_HEIGHT_M)), to_width(state, OPEN_M))
