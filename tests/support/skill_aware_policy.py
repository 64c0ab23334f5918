"""A policy file for the skill-aware benchmark, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import onnx.parser
from tests.support.policy_files import push_manifest, write_policy_file

from skill_proto.manifest import PolicyManifest
from skill_robots.observation import manifest_fields
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_robots.tasks.skill_aware.task import SKILL_AWARE

GRAPH = """
<ir_version: 10, opset_import: ["" : 20]>
g (float[batch,23] observation, float[batch,4] previous_action, float[batch,2] goal)
  => (float[batch,4] action)
<int64[2] hand = {0, 1}, float gain = {5}, int64[4] pads = {0, 0, 0, 2}>
{ at = Gather <axis = 1> (observation, hand)
  away = Sub (goal, at)
  wanted = Mul (away, gain)
  action = Pad (wanted, pads) }
"""
"""The policy: it moves the hand towards the goal in the table plane, and leaves the cube alone."""


def _fields() -> dict[str, Any]:
    plant = push_manifest().plant.model_dump()
    return {
        "name": "reach",
        "observation": [field.model_dump() for field in manifest_fields(OBSERVATION)],
        "action": [
            {
                "name": "end_effector_displacement",
                "size": 3,
                "scale": 0.05,
                "unit": "m",
                "frame": "world",
            },
            {
                "name": "gripper_width_displacement",
                "size": 1,
                "scale": 0.2,
                "unit": "m",
                "frame": "none",
            },
        ],
        "skill": {"kind": "none", "size": 0},
        "representation": None,
        "plant": plant | {"task": SKILL_AWARE.name, "displacement_origin": "measured"},
    }


def skill_aware_manifest() -> PolicyManifest:
    """Returns the manifest of :func:`write_skill_aware_policy_file`."""
    return push_manifest(**_fields())


def write_skill_aware_policy_file(directory: Path) -> Path:
    """Writes the policy file into ``directory`` and returns its path."""
    model = onnx.parser.parse_model(GRAPH)
    return write_policy_file(directory, filename="reach.onnx", model=model, **_fields())
