"""Drafts the manifest of a graph that others trained: ``python -m skill_runtime.policy.draft``.

The draft has everything that the graph and the served arm determine. Values that only the author of
the policy knows are null, and the observation has a single field without a valid name, so that the
draft is refused until both are filled in. The error of skill-serve then names what is missing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.observation import FIELDS
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.model_bytes import read_model
from skill_runtime.policy.onnx_file.session import open_session
from skill_runtime.policy.onnx_file.tensor_match import Node

USAGE = "usage: python -m skill_runtime.policy.draft FILE.onnx > FILE.manifest.json"

_NOT_KNOWN = None
"""A value that only the author of the policy knows; no field of a manifest accepts it."""


def draft_manifest(path: Path) -> dict[str, Any]:
    """Returns the draft for the graph of a file, as JSON data.

    Raises:
        PolicyFileError: The file is not an ONNX model that this machine can load.
    """
    content, found = read_model(path)
    session = open_session(path, content, found, "cpu")
    inputs: list[Node] = list(session.get_inputs())
    outputs: list[Node] = list(session.get_outputs())
    if not inputs or not outputs:
        raise PolicyFileError(
            path,
            f"the graph has {len(inputs)} inputs and {len(outputs)} outputs",
            "a graph that takes an observation and gives an action",
            "export the policy with its inputs",
        )
    observation, action = _take(inputs, "obs"), _take(outputs, "act")
    states = _pair_states(inputs, outputs)
    return {
        "schema_version": 1,
        "name": path.stem,
        "algorithm": "unknown",
        "description": f"A foreign policy; its graph takes {observation.name} and {action.name}.",
        "license": "unknown",
        "control_rate_hz": _NOT_KNOWN,
        "observation": [
            {
                "name": f"replace this by fields of: {', '.join(FIELDS)}"[:128],
                "size": _entries(observation),
                "unit": "1",
                "frame": "none",
            }
        ],
        "action": [
            {
                "name": "end_effector_displacement",
                "size": _entries(action),
                "scale": _NOT_KNOWN,
                "unit": "m",
                "frame": "world",
            }
        ],
        "skill": {"kind": "none", "size": 0},
        "goal": None,
        "recurrent": [
            {"name": node.name, "shape": [_entries(node)], "trained_horizon_steps": _NOT_KNOWN}
            for node, _ in states
        ],
        "plant": _plant(),
        "trained_on": {},
        "provenance": _provenance(),
        "tensors": _tensors(observation, action, states),
    }


def main(arguments: Sequence[str]) -> int:
    """Prints the draft; returns the exit code."""
    if list(arguments) in (["-h"], ["--help"]):
        sys.stdout.write(f"{USAGE}\n")
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        draft = draft_manifest(Path(arguments[0]))
    except PolicyFileError as error:
        sys.stderr.write(f"draft: {error}\n")
        return 2
    sys.stdout.write(json.dumps(draft, indent=1) + "\n")
    sys.stderr.write(
        "draft: fill in the observation, every null, and the plant of the training (the draft has "
        "that of the served arm); docs/policy-file.md explains each field\n"
    )
    return 0


def _take(nodes: list[Node], part: str) -> Node:
    """Removes and returns the first tensor with ``part`` in its name, or else the first."""
    chosen = next((node for node in nodes if part in node.name.lower()), nodes[0])
    nodes.remove(chosen)
    return chosen


def _pair_states(inputs: Sequence[Node], outputs: list[Node]) -> list[tuple[Node, Node]]:
    """Pairs each further input with the first further output of the same shape."""
    pairs: list[tuple[Node, Node]] = []
    for node in inputs:
        same = next((new for new in outputs if list(new.shape) == list(node.shape)), None)
        if same is not None:
            outputs.remove(same)
            pairs.append((node, same))
    return pairs


def _tensors(
    observation: Node, action: Node, states: Sequence[tuple[Node, Node]]
) -> dict[str, Any]:
    """Returns the names in the graph that differ from ours, and the batch axis."""
    names = {"action": action.name} | {f"next_{node.name}": new.name for node, new in states}
    has_rows = all(len(node.shape) == 2 for node in (observation, action))
    batched = has_rows and all(len(node.shape) <= 2 for node, _ in states)
    return {
        "inputs": {} if observation.name == "observation" else {"observation": observation.name},
        "outputs": {ours: theirs for ours, theirs in names.items() if ours != theirs},
        "batch_axis": 0 if batched else None,
        "action_low": -1.0,
        "action_high": 1.0,
    }


def _entries(node: Node) -> int:
    """Returns the number of entries of a tensor for a batch of one."""
    return prod(size if isinstance(size, int) else 1 for size in node.shape)


def _plant() -> dict[str, Any]:
    """Returns the plant of the served arm."""
    action = ActionConfig()
    return {
        "robot": PANDA.name,
        "task": TABLETOP.name,
        "physics_step_s": TabletopConfig().physics_step_s,
        "joint_stiffness": PANDA.stiffness.tolist(),
        "joint_damping": PANDA.damping.tolist(),
        "max_setpoint_error_m": action.max_setpoint_error,
        "workspace_low_m": list(action.workspace_low),
        "workspace_high_m": list(action.workspace_high),
        "velocity_limit_share": ShaperConfig().limit_share,
        "displacement_origin": action.origin,
    }


def _provenance() -> dict[str, Any]:
    return {
        "command": "unknown",
        "code_revision": "unknown",
        "seed": 0,
        "environment_steps": 0,
        "gradient_steps": 0,
        "wall_time_s": 0.0,
        "created": "unknown",
        "machine": "unknown",
        "versions": {},
        "config": {},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
