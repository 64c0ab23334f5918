"""The parts of the manifests that a person writes, and the number of their lines."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from benchmarks.serving.foreign.reach import BASE, HIGH, LOW, PERIOD_S, STEP_M, JointReach
from benchmarks.serving.foreign.rsl import STEPS_PER_ITERATION
from skill_runtime.cli.manifest.subcommands import format_manifest
from skill_runtime.policy.foreign.draft import draft_manifest

RATE_HZ = 1.0 / PERIOD_S
BOUND = 2.0
"""Outputs of the recurrent policy beyond this are clipped."""

GOAL = {
    "field": "end_effector_position",
    "components": [0, 1, 2],
    "unit": "m",
    "frame": "world",
    "stop_radius": 0.05,
    "low": LOW.tolist(),
    "high": HIGH.tolist(),
}
POSITION = {"name": "end_effector_position", "size": 3, "unit": "m", "frame": "world"}
FillIn = Callable[[dict[str, Any]], dict[str, Any]]
"""Draft of a manifest -> the manifest."""

GOAL_FIELD = {"name": "goal", "size": 3, "unit": "m", "frame": "world"}


def sb3_by_hand(draft: dict[str, Any]) -> dict[str, Any]:
    """Fills in the draft of the policy of Stable-Baselines3.

    ``FlattenObservation`` sorts the keys: achieved goal, desired goal, observation.
    """
    velocity = {"name": "end_effector_velocity", "size": 3, "unit": "m/s", "frame": "world"}
    return draft | {
        "control_rate_hz": RATE_HZ,
        "observation": [POSITION, GOAL_FIELD, POSITION, velocity],
        "action": [draft["action"][0] | {"scale": STEP_M}],
        "goal": GOAL,
    }


def rsl_by_hand(draft: dict[str, Any]) -> dict[str, Any]:
    """Fills in the draft of the recurrent policy of rsl_rl, whose outputs are not bounded."""
    default = [round(q, 4) for q in JointReach(1).default.tolist()]
    joints = {"size": 7, "unit": "rad", "frame": "joint"}
    speed = joints | {"name": "joint_velocity", "unit": "rad/s"}
    previous = {"name": "previous_action", "size": 7, "unit": "1", "frame": "none"}
    scale = JointReach.SCALE * BOUND
    return draft | {
        "control_rate_hz": RATE_HZ,
        "observation": [
            joints | {"name": "joint_position", "offset": default},
            speed,
            previous,
            GOAL_FIELD | {"offset": BASE.tolist()},
        ],
        "action": [draft["action"][0] | {"scale": scale, "offset": default}],
        "goal": GOAL,
        "recurrent": _horizons(draft),
        "tensors": draft["tensors"] | {"action_low": -BOUND, "action_high": BOUND},
    }


def metadata_by_hand(draft: dict[str, Any]) -> dict[str, Any]:
    """Fills in the draft of the same policy with the metadata of mjlab: much is known."""
    fields = [
        GOAL_FIELD | {"offset": BASE.tolist()} if field["name"] == "goal" else field
        for field in draft["observation"]
    ]
    return draft | {
        "control_rate_hz": RATE_HZ,
        "observation": fields,
        "goal": GOAL,
        "recurrent": _horizons(draft),
    }


def _horizons(draft: dict[str, Any]) -> list[dict[str, Any]]:
    return [state | {"trained_horizon_steps": STEPS_PER_ITERATION} for state in draft["recurrent"]]


def attach_metadata(path: Path) -> None:
    """Writes the metadata that mjlab's ``attach_metadata_to_onnx`` writes, three decimals each."""
    model = onnx.load(path)
    entries = {
        "joint_names": [f"joint{k}" for k in range(1, 8)],
        "default_joint_pos": [f"{q:.3f}" for q in JointReach(1).default],
        "action_scale": [f"{JointReach.SCALE:.3f}"] * 7,
        "observation_names": ["joint_pos", "joint_vel", "actions", "pose_command"],
        "command_names": ["pose_command"],
    }
    for key, value in entries.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, ",".join(value)
    onnx.save(model, path)


def write_manifest(path: Path, fill_in: FillIn) -> int:
    """Drafts and fills in the manifest beside a file; returns the number of lines by hand.

    Args:
        path: The ONNX file.
        fill_in: One of the functions above.
    """
    draft = draft_manifest(path, like="panda").manifest
    before, after = format_manifest(draft), format_manifest(fill_in(draft))
    path.with_suffix(".manifest.json").write_text(after)
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return sum(line.startswith("+") and not line.startswith("+++") for line in lines)
