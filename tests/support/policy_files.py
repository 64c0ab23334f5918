"""Policy files for tests: a hand-written pusher, so that tests need no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.observation import PUSH_OBSERVATION, manifest_fields

PUSH_GRAPH = """
<ir_version: 10, opset_import: ["" : 20]>
push (float[batch,28] observation, float[batch,3] previous_action, float[batch,2] skill,
      float[batch,2] goal, float[batch,1] use_goal{inputs})
  => (float[batch,3] action, float[batch,2] skill_used{outputs})
<int64[2] cube_xy = {{6, 7}}, int64[2] rel_xy = {{19, 20}}, int64[2] gap_xy = {{22, 23}},
 int64[1] hand_z = {{2}}, int64[1] gap_z = {{24}}, int64[1] last = {{1}},
 float one = {{1}}, float minus_one = {{-1}}, float tiny = {{1e-6}}, float gain = {{12.5}},
 float half = {{0.5}}, float zero = {{0}}, float behind_m = {{0.06}}, float stop_m = {{0.02}},
 float least_along = {{0.02}}, float most_across = {{0.03}}, float low_m = {{0.045}},
 float push_z = {{0.02}}, float fly_z = {{0.09}}, float push = {{0.6}}>
{{
  cube = Gather <axis = 1> (observation, cube_xy)
  rel = Gather <axis = 1> (observation, rel_xy)
  gap = Gather <axis = 1> (observation, gap_xy)
  height = Gather <axis = 1> (observation, hand_z)
  height_gap = Gather <axis = 1> (observation, gap_z)

  to_goal = Sub (goal, cube)
  distance = ReduceL2 (to_goal, last)
  safe_distance = Max (distance, tiny)
  goal_direction = Div (to_goal, safe_distance)
  by_goal = Greater (use_goal, half)
  skill_used = Where (by_goal, goal_direction, skill)

  weighted = Mul (rel, skill_used)
  along = ReduceSum (weighted, last)
  ahead = Mul (along, skill_used)
  across = Sub (rel, ahead)
  offset = ReduceL2 (across, last)
  is_behind = Greater (along, least_along)
  is_aligned = Less (offset, most_across)
  ready = And (is_behind, is_aligned)
  is_low = Less (height, low_m)
  pushing = And (ready, is_low)

  back = Mul (skill_used, behind_m)
  to_back = Sub (rel, back)
  remaining = Sub (to_back, gap)
  fly_xy = Mul (remaining, gain)
  forward = Mul (skill_used, push)
  centring = Mul (across, gain)
  push_xy = Add (forward, centring)
  xy = Where (pushing, push_xy, fly_xy)

  wanted_z = Where (ready, push_z, fly_z)
  setpoint_z = Add (height, height_gap)
  climb = Sub (wanted_z, setpoint_z)
  z = Mul (climb, gain)
  raw = Concat <axis = 1> (xy, z)
  bounded = Clip (raw, minus_one, one)
  near = Less (distance, stop_m)
  arrived = And (by_goal, near)
  action = Where (arrived, zero, bounded)
  {extra}
}}
"""
"""The policy: it flies around the cube, descends behind it (seen in the direction of the skill) and
pushes."""

MEMORY_EXTRA = """
  decay = Mul (memory, half)
  next_memory = Add (decay, cube)
  context = Identity (next_memory)
"""


def push_graph(*, recurrent: bool = False) -> onnx.ModelProto:
    """Returns the pusher; ``recurrent`` adds ``next_memory = memory / 2 + cube xy``."""
    text = PUSH_GRAPH.format(
        inputs=", float[batch,2] memory" if recurrent else "",
        outputs=", float[batch,2] next_memory, float[batch,2] context" if recurrent else "",
        extra=MEMORY_EXTRA if recurrent else "",
    )
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model


def push_manifest(
    *,
    recurrent: bool | list[dict[str, Any]] = False,
    **overrides: Any,  # noqa: ANN401  a manifest's fields have many types
) -> PolicyManifest:
    """Returns a manifest for :func:`push_graph`; ``overrides`` replace top-level fields."""
    fields: dict[str, Any] = {
        "name": "push_by_hand",
        "algorithm": "hand-written",
        "description": "Pushes the cube the way the skill points; written by hand for tests.",
        "control_rate_hz": 25.0,
        "observation": [field.model_dump() for field in manifest_fields(PUSH_OBSERVATION)],
        "action": [
            {
                "name": "end_effector_displacement",
                "size": 3,
                "scale": 0.04,
                "unit": "m",
                "frame": "world",
            }
        ],
        "skill": {"kind": "sphere", "size": 2, "hold_steps": 100},
        "goal": {
            "field": "cube_position",
            "components": [0, 1],
            "unit": "m",
            "frame": "world",
            "stop_radius": 0.02,
            "low": [-0.15, -0.15],
            "high": [0.15, 0.15],
        },
        "representation": {
            "inputs": ["cube_position"],
            "form": "rotation",
            "size": 2,
            "singular_value_ratio": 1.0,
        },
        "plant": {
            "robot": "panda",
            "task": "tabletop",
            "physics_step_s": 0.005,
            "joint_stiffness": [600, 600, 600, 600, 250, 150, 50],
            "joint_damping": [49, 49, 49, 49, 31.6, 24.5, 14.1],
            "max_setpoint_error_m": 0.06,
            "workspace_low_m": [-0.30, -0.32, 0.015],
            "workspace_high_m": [0.15, 0.32, 0.25],
            "velocity_limit_share": 0.9,
        },
        "trained_on": {
            "cube_mass": {"low": 0.4, "high": 1.6, "unit": "kg"},
            "cube_table_friction": {"low": 0.2, "high": 0.8, "unit": "1"},
        },
        "provenance": {
            "command": "none: written by hand",
            "code_revision": "test",
            "seed": 0,
            "environment_steps": 0,
            "gradient_steps": 0,
            "wall_time_s": 0.0,
            "created": "2026-01-01T00:00:00Z",
            "machine": "none",
            "versions": {},
            "config": {},
        },
    }
    if recurrent is True:
        fields["recurrent"] = [{"name": "memory", "shape": [2], "trained_horizon_steps": 100}]
        fields["context"] = {"size": 2}
    elif recurrent:
        fields["recurrent"] = recurrent
    return PolicyManifest.model_validate(fields | overrides)


def write_policy_file(
    directory: Path,
    *,
    filename: str = "push.onnx",
    recurrent: bool | list[dict[str, Any]] = False,
    model: onnx.ModelProto | None = None,
    manifest: str | None = None,
    beside: bool = False,
    **overrides: Any,  # noqa: ANN401  a manifest's fields have many types
) -> Path:
    """Writes a policy file into ``directory`` and returns its path.

    Args:
        directory: Folder of the file.
        filename: Name of the file.
        recurrent: Whether the policy has a state tensor ``memory`` and outputs a context; or
            the manifest's list of states, with a ``model`` that has them.
        model: The graph; by default the hand-written pusher.
        manifest: Text to store as the manifest; an empty text stores no manifest.
        beside: Whether to store the manifest in a JSON file beside the graph instead of in it.
        overrides: Top-level fields of the manifest to replace, e.g. ``skill=...``.
    """
    model = model or push_graph(recurrent=recurrent is True)
    if manifest is None:
        manifest = push_manifest(recurrent=recurrent, **overrides).to_json()
    path = directory / filename
    if beside:
        path.with_suffix(".manifest.json").write_text(manifest)
    elif manifest:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, manifest
    onnx.save(model, path)
    return path


GOAL_EXTRA = """
<ir_version: 10, opset_import: ["" : 20]>
estimator (float[batch,2] context) => (float[batch,2] estimate)
{ estimate = Exp (context) }
"""


def write_goal_policy_file(directory: Path) -> Path:
    """Writes the hand-written pusher as a recurrent policy of goals alone, and returns its path.

    Its context is ``memory / 2 + cube xy``, which is independent of mass and friction. Output
    ``estimate`` is the exponential of the context, so that a test can compute the expected value.
    """
    graph = push_graph(recurrent=True)
    for name, value in (("skill", [[0.0, 0.0]]), ("use_goal", [[1.0]])):
        graph.graph.input.remove(next(i for i in graph.graph.input if i.name == name))
        graph.graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    graph.graph.output.remove(next(o for o in graph.graph.output if o.name == "skill_used"))
    extra = onnx.parser.parse_model(GOAL_EXTRA).graph
    graph.graph.node.extend(extra.node)
    graph.graph.output.extend(extra.output)
    onnx.checker.check_model(graph, full_check=True)
    return write_policy_file(
        directory,
        filename="push_to_goal.onnx",
        model=graph,
        recurrent=True,
        name="push_to_goal",
        skill={"kind": "none", "size": 0},
        representation=None,
        context={
            "size": 2,
            "center": [0.0, 0.0],
            "whitening": [[10.0, 0.0], [0.0, 10.0]],
            "typical_distance": 2.0,
            "estimates": [
                {"name": "cube_mass", "unit": "kg", "log_r2": 0.8},
                {"name": "cube_table_friction", "unit": "1", "log_r2": None},
            ],
        },
    )
