"""Drafts the manifest of a graph that others trained.

The draft has everything that the graph, its metadata and the arm determine. A value that only
the author of the policy knows is null, which no field of a manifest accepts, so a draft is refused
until it is filled in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skill_proto.manifest import METADATA_KEY
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.observation import FIELDS
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_runtime.policy.foreign.graph_facts import GraphFacts, State, entries, find_facts
from skill_runtime.policy.foreign.metadata import ExportedMetadata, read_metadata
from skill_runtime.policy.foreign.terms import ARM_JOINTS, fields_of
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.model_bytes import read_model
from skill_runtime.policy.onnx_file.session import open_session

ARMS: dict[str, ArmSpec] = {"panda": PANDA, "fr3": FR3}
"""Arms that a draft can take its plant from."""

_UNKNOWN = None
"""A value that only the author of the policy knows."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A draft, and the work that is left for a person."""

    manifest: dict[str, Any]
    """JSON data."""
    to_do: tuple[str, ...]
    """One sentence per value that a person must fill in or confirm."""


def draft_manifest(path: Path, like: str | None = None) -> Draft:
    """Returns the draft for the graph of a file.

    Args:
        path: The ONNX file.
        like: Arm whose plant is the plant of training, a name of :data:`ARMS`; None if unknown.

    Raises:
        PolicyFileError: The file is not an ONNX model that this machine can load, or carries a
            manifest of its own.
    """
    content, found = read_model(path)
    session = open_session(path, content, found, "cpu")
    stored = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY in stored:
        raise PolicyFileError(
            path,
            "it carries its own manifest, so one beside it would be ignored",
            "an ONNX file without a manifest",
            f"read what its manifest says with: skill-manifest check {path}",
        )
    facts = find_facts(session)
    if facts is None or not facts.observations:
        raise PolicyFileError(
            path,
            "the graph has no input that could be an observation, or no output",
            "a graph that takes an observation and gives an action",
            "export the policy with its inputs",
        )
    metadata = read_metadata(stored)
    to_do: list[str] = ["control_rate_hz: the rate at which training ran the policy [Hz]"]
    observation = _observation(facts, metadata, to_do)
    action, bound = _action(entries(facts.action), metadata, to_do)
    goal = _goal(observation, to_do)
    states = [_state(state, facts, to_do) for state in facts.states]
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "name": path.stem,
        "license": "unknown",
        "control_rate_hz": _UNKNOWN,
        "observation": observation,
        "action": action,
        **({"goal": goal} if goal else {}),
        **({"recurrent": states} if states else {}),
        "plant": _plant(like, metadata, to_do),
        "tensors": _tensors(facts, bound),
    }
    if facts.unread:
        to_do.append(f"outputs that nobody reads: {', '.join(facts.unread)}")
    return Draft(manifest=manifest, to_do=tuple(to_do))


def _observation(
    facts: GraphFacts, metadata: ExportedMetadata, to_do: list[str]
) -> list[dict[str, Any]]:
    if len(facts.observations) == 1:
        width = entries(facts.observations[0])
        fields = fields_of(metadata, entries(facts.action), width)
        if fields is not None:
            to_do.append(
                "observation: confirm the fields, which are read from the names "
                + ", ".join(metadata.observation_names)
            )
            to_do += [
                f"observation {k}: name, unit and frame of {field['size']} entries"
                for k, field in enumerate(fields)
                if field["name"] is None or field["unit"] is None
            ]
            return fields
    placeholders: list[dict[str, Any]] = []
    for node in facts.observations:
        own = _own_name(node.name, facts)
        size = entries(node)
        if own == "desired_goal":
            placeholders.append({"name": "goal", "size": size, "unit": "m", "frame": "world"})
        else:
            placeholders.append({"name": None, "size": size, "unit": None, "frame": None})
            to_do.append(
                f"observation: replace the {size} entries of input {node.name!r} by fields, in "
                f"the order of training: {', '.join(FIELDS)}, previous_action, goal, constant"
            )
        if own != "observation":
            placeholders[-1]["input"] = own
    return placeholders


def _own_name(name: str, facts: GraphFacts) -> str:
    """Returns our name of an observation input: the only one is ``observation``."""
    return "observation" if len(facts.observations) == 1 else name


_ACTIONS: dict[int, list[tuple[str, int, str, str]]] = {
    3: [("end_effector_displacement", 3, "m", "world")],
    4: [
        ("end_effector_displacement", 3, "m", "world"),
        ("gripper_width_displacement", 1, "m", "none"),
    ],
    6: [
        ("end_effector_displacement", 3, "m", "world"),
        ("end_effector_rotation", 3, "rad", "world"),
    ],
    7: [("joint_position", 7, "rad", "joint")],
    8: [("joint_position", 7, "rad", "joint"), ("grasp", 1, "m", "none")],
}
"""The most frequent meaning of an action of this size: panda-gym, robosuite, Isaac Lab."""


def _action(
    size: int, metadata: ExportedMetadata, to_do: list[str]
) -> tuple[list[dict[str, Any]], float]:
    """Returns the parts of the action, and the bound of the graph's output."""
    parts: list[dict[str, Any]] = [
        {"name": name, "size": n, "scale": _UNKNOWN, "unit": unit, "frame": frame}
        for name, n, unit, frame in _ACTIONS.get(size, [("", size, "", "")])
    ]
    if size not in _ACTIONS:
        parts[0] |= {"name": None, "unit": None, "frame": None}
    by_metadata = _joint_scale(parts, metadata)
    if by_metadata is None:
        to_do.append(
            f"action: confirm the parts of the {size} entries, and give the physical value of an "
            "action of 1 as scale; tensors.action_low and action_high are the graph's bounds"
        )
        return parts, 1.0
    scale, bound = by_metadata
    default = list(metadata.default_joint_pos[:ARM_JOINTS])
    parts[0] |= {"scale": [round(bound * each, 6) for each in scale], "offset": default}
    to_do.append(
        f"action: confirm joint_position; its scale is action_scale times {bound:g}, because "
        f"outputs of -{bound:g} to {bound:g} cover the range of the joints"
    )
    to_do += [f"action {part['name']}: scale" for part in parts[1:]]
    return parts, bound


def _joint_scale(
    parts: Sequence[dict[str, Any]], metadata: ExportedMetadata
) -> tuple[list[float], float] | None:
    """Returns scale per joint [rad] and bound of the output by which the joints have their range.

    Exports of mjlab and Isaac Lab do not bound their outputs: a joint goes to
    ``default_joint_pos + action_scale * output``.
    """
    scale, default = metadata.action_scale, metadata.default_joint_pos
    if parts[0]["name"] != "joint_position" or len(default) < ARM_JOINTS or not scale:
        return None
    per_joint = list(scale[:ARM_JOINTS]) if len(scale) >= ARM_JOINTS else [scale[0]] * ARM_JOINTS
    if min(per_joint) <= 0.0:
        return None
    middle = np.array(default[:ARM_JOINTS])
    room = np.maximum(PANDA.position_high - middle, middle - PANDA.position_low)
    return per_joint, float(np.ceil((room / np.array(per_joint)).max()))


def _goal(observation: Sequence[dict[str, Any]], to_do: list[str]) -> dict[str, Any] | None:
    """Returns an empty goal if the observation has one."""
    field = next((each for each in observation if each["name"] == "goal"), None)
    if field is None:
        to_do.append("goal: only if the policy takes one, as the field 'goal' of its observation")
        return None
    to_do.append(
        "goal: the field whose desired value it is, stop_radius, and the box of goals of training"
    )
    return {
        "field": _UNKNOWN,
        "components": list(range(field["size"])),
        "unit": field["unit"],
        "frame": field["frame"],
        "stop_radius": _UNKNOWN,
        "low": _UNKNOWN,
        "high": _UNKNOWN,
    }


def _state(state: State, facts: GraphFacts, to_do: list[str]) -> dict[str, Any]:
    to_do.append(
        f"recurrent {state.name}: trained_horizon_steps, the longest sequence that training "
        "unrolled (num_steps_per_env of rsl_rl, n_steps of RecurrentPPO), or beyond_horizon "
        "'carry' for a state that may grow old"
    )
    axis = state.batch_axis
    differs = axis is not None and facts.has_rows and axis != 0
    return {
        "name": state.name,
        "shape": list(state.shape),
        "trained_horizon_steps": _UNKNOWN,
        **({"batch_axis": axis} if differs else {}),
    }


def _tensors(facts: GraphFacts, bound: float) -> dict[str, Any]:
    """Returns the names in the graph that differ from ours, and the batch axis."""
    inputs = {_own_name(node.name, facts): node.name for node in facts.observations}
    outputs = {"action": facts.action.name}
    outputs |= {f"next_{state.name}": state.result.name for state in facts.states}
    batched = facts.has_rows and all(state.batch_axis is not None for state in facts.states)
    return {
        "inputs": {ours: theirs for ours, theirs in inputs.items() if ours != theirs},
        "outputs": {ours: theirs for ours, theirs in outputs.items() if ours != theirs},
        "batch_axis": 0 if batched else None,
        "action_low": -bound,
        "action_high": bound,
    }


def _plant(like: str | None, metadata: ExportedMetadata, to_do: list[str]) -> dict[str, Any]:
    """Returns the plant of an arm; values of the metadata count before those of the arm."""
    spec, action = (None if like is None else ARMS[like]), ActionConfig()
    stiffness, damping = metadata.joint_stiffness, metadata.joint_damping
    if spec is None:
        to_do.append(
            "plant: robot, physics_step_s, and stiffness and damping if they are null "
            "(--like panda fills in the plant of docs/plant.md)"
        )
    return {
        "robot": _UNKNOWN if spec is None else spec.name,
        "task": TABLETOP.name,
        "physics_step_s": _UNKNOWN if spec is None else TabletopConfig().physics_step_s,
        "joint_stiffness": list(stiffness[:ARM_JOINTS])
        or (_UNKNOWN if spec is None else spec.stiffness.tolist()),
        "joint_damping": list(damping[:ARM_JOINTS])
        or (_UNKNOWN if spec is None else spec.damping.round(2).tolist()),
        "max_setpoint_error_m": action.max_setpoint_error,
        "workspace_low_m": list(action.workspace_low),
        "workspace_high_m": list(action.workspace_high),
        "velocity_limit_share": ShaperConfig().limit_share,
        "displacement_origin": "measured",
    }
