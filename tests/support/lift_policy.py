"""A policy that drives the gripper by its width: the scripted lifter, as a served policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.plant.scripted_lifter import ScriptedLifter
from tests.support.policy_files import push_manifest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.observation import GRIPPER_OBSERVATION, manifest_fields
from skill_runtime.policy import PolicyOutput

GRIPPER: dict[str, Any] = {
    "name": "gripper_width",
    "size": 1,
    "scale": 0.08,
    "unit": "m",
    "frame": "none",
}


def lift_manifest(**overrides: Any) -> PolicyManifest:  # noqa: ANN401  fields have many types
    """Returns a manifest with the gripper's width in action and observation."""
    first = push_manifest().model_dump(mode="json")["action"][0]
    fields: dict[str, Any] = {
        "name": "lift_by_hand",
        "observation": [field.model_dump() for field in manifest_fields(GRIPPER_OBSERVATION)],
        "action": [first, GRIPPER],
    }
    return push_manifest(**(fields | overrides))


class LiftPolicy:
    """The scripted lifter; implements ``TickPolicy``."""

    def __init__(self) -> None:
        self.manifest = lift_manifest()
        self._lifter = ScriptedLifter()
        self.reset_slot(0)

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """Returns the action for one observation ``(29,)``."""
        del goal, previous_action
        used = np.zeros((1, 2), np.float32) if skill is None else np.asarray([skill], np.float32)
        return PolicyOutput(
            action=np.asarray(self._lifter.act(np.asarray(observation)[None]), np.float32),
            skill_used=used,
            context=None,
            is_finite=np.ones(1, np.bool_),
        )

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode."""
        del slot
        self._lifter.reset(1)
