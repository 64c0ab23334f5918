"""The scripted pick-and-place controller as a policy that the served arms can run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.skill_aware.scripted.policies import Pick
from skill_runtime.policy import PolicyOutput, load_manifest

PICK = "pick"
"""Name of the controller among the policies of the ladder."""

INTERFACE = Path("models/saccm_panda.onnx")
"""A policy file with the same observation, action and goal."""


class ScriptedPick:
    """The pick of the skill-aware benchmark; implements ``TickPolicy``.

    Attributes:
        manifest: observation, action and goal of the skill-aware policies.
    """

    def __init__(self) -> None:
        self.manifest: PolicyManifest = load_manifest(INTERFACE)
        self._pick = Pick()
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
        action = self._pick.act(np.asarray(observation)[None], goal=np.asarray(goal)[None])
        return PolicyOutput(
            action=action.astype(np.float32),
            skill_used=np.zeros((1, 0), np.float32),
            context=None,
            is_finite=np.ones(1, np.bool_),
        )

    def reset_slot(self, slot: int) -> None:
        """Begins a new pick."""
        del slot
        self._pick.reset(1)
