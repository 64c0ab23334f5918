"""The observation that a foreign graph takes: selection, scale, history, several inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from skill_proto.manifest import PolicyManifest
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.observation_inputs import ObservationInputs
from skill_runtime.policy.recurrent_state import Tensors

PLANT = {
    "robot": "panda",
    "task": "tabletop",
    "physics_step_s": 0.005,
    "joint_stiffness": [600] * 7,
    "joint_damping": [49] * 7,
    "max_setpoint_error_m": 0.06,
    "workspace_low_m": [-0.3, -0.32, 0.015],
    "workspace_high_m": [0.15, 0.32, 0.25],
    "velocity_limit_share": 0.9,
}
POSITION = {"name": "end_effector_position", "size": 3, "unit": "m", "frame": "world"}
WIDTH = {"name": "gripper_width", "size": 1, "unit": "m", "frame": "none"}
GOAL = {"name": "goal", "size": 2, "unit": "m", "frame": "world"}
PREVIOUS = {"name": "previous_action", "size": 3, "unit": "1", "frame": "none"}


def data(observation: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:  # noqa: ANN401  passed on
    return {
        "schema_version": 1,
        "name": "foreign",
        "control_rate_hz": 25.0,
        "observation": observation,
        "action": [
            {
                "name": "end_effector_displacement",
                "size": 3,
                "scale": 0.05,
                "unit": "m",
                "frame": "world",
            }
        ],
        "plant": PLANT,
    } | changes


def inputs(observation: list[dict[str, Any]], n: int = 1, **changes: Any) -> ObservationInputs:  # noqa: ANN401  passed on
    return ObservationInputs(PolicyManifest.model_validate(data(observation, **changes)), n)


def given(*rows: list[float], **others: list[list[float]]) -> Tensors:
    arrays = {"observation": np.array(rows, np.float32)}
    return arrays | {name: np.array(value, np.float32) for name, value in others.items()}


ONE = np.arange(1)


def test_selected_entries_are_shifted_scaled_and_clipped() -> None:
    field = POSITION | {
        "components": [2, 0],
        "offset": [1.0, 0.5],
        "scale": 10.0,
        "clip": [-4.0, 4.0],
    }
    constant = {"name": "constant", "size": 2, "unit": "1", "frame": "none", "offset": [7.0, -8.0]}
    found = inputs([field, constant]).assemble(ONE, given([0.6, 9.0, 1.2]))
    # (1.2 - 1) * 10 = 2; (0.6 - 0.5) * 10 = 1.
    np.testing.assert_allclose(found["observation"], [[2.0, 1.0, 7.0, -8.0]], atol=1e-5)
    found = inputs([field]).assemble(ONE, given([0.0, 0.0, 99.0]))
    np.testing.assert_allclose(found["observation"], [[4.0, -4.0]])


@pytest.mark.parametrize(
    ("layout", "second", "third"),
    [
        ({}, [1, 2, 10, 20], [2, 3, 20, 30]),
        ({"newest": "first"}, [2, 1, 20, 10], [3, 2, 30, 20]),
        ({"grouped_by": "step"}, [1, 10, 2, 20], [2, 20, 3, 30]),
        ({"grouped_by": "step", "newest": "first"}, [2, 20, 1, 10], [3, 30, 2, 20]),
    ],
)
def test_history_is_ordered_as_the_exporter_orders_it(
    layout: dict[str, str], second: list[float], third: list[float]
) -> None:
    fields = [WIDTH | {"history": 2}, POSITION | {"components": [0], "history": 2}]
    made = inputs(fields, tensors={"history": layout})
    steps = [
        made.assemble(ONE, given([k, 10.0 * k, 0, 0]))["observation"][0].tolist() for k in (1, 2, 3)
    ]
    assert steps[1:] == [second, third]


def test_an_episode_starts_with_its_first_observation_or_zeros() -> None:
    fields = [WIDTH | {"history": 3}]
    repeated = inputs(fields)
    assert repeated.assemble(ONE, given([5.0]))["observation"].tolist() == [[5, 5, 5]]
    zeros = inputs(fields, tensors={"history": {"start": "zero"}})
    assert zeros.assemble(ONE, given([5.0]))["observation"].tolist() == [[0, 0, 5]]
    repeated.assemble(ONE, given([6.0]))
    repeated.reset(0)
    assert repeated.assemble(ONE, given([7.0]))["observation"].tolist() == [[7, 7, 7]]


def test_slots_have_histories_of_their_own_that_can_be_set_back() -> None:
    made = inputs([WIDTH | {"history": 2}], n=2)
    both = np.arange(2)
    made.assemble(both, given([1.0], [10.0]))
    saved = made.save(both)
    second = np.array([1])
    assert made.assemble(second, given([20.0]))["observation"].tolist() == [[10, 20]]
    made.restore(both, saved, slice(None))
    assert made.assemble(both, given([2.0], [30.0]))["observation"].tolist() == [[1, 2], [10, 30]]


def test_lengths_of_history_may_differ_between_fields() -> None:
    made = inputs([WIDTH | {"history": 3}, POSITION])
    for k in (1.0, 2.0, 3.0):
        found = made.assemble(ONE, given([k, k, 0, 0]))["observation"]
    assert found.tolist() == [[1, 2, 3, 3, 0, 0]]


# With graphs ------------------------------------------------------------------------------------


def policy(folder: Path, graph: str, manifest: dict[str, Any], **more: Any) -> OnnxPolicy:  # noqa: ANN401  passed on
    path = folder / "foreign.onnx"
    onnx.save(onnx.parser.parse_model(graph), path)
    path.with_suffix(".manifest.json").write_text(json.dumps(manifest))
    return OnnxPolicy(path, **more)


def test_goal_and_previous_action_within_the_observation(tmp_path: Path) -> None:
    goal = {
        "field": "end_effector_position", "components": [0, 1], "unit": "m", "frame": "world",
        "stop_radius": 0.05, "low": [-1, -1], "high": [1, 1],
    }  # fmt: skip
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,8] obs) => (float[1,3] mu) <int64[3] pick = {3, 4, 5}>
        { mu = Gather <axis = 1> (obs, pick) }"""
    made = policy(
        tmp_path,
        graph,
        data(
            [POSITION, GOAL, PREVIOUS],
            goal=goal,
            tensors={
                "inputs": {"observation": "obs"},
                "outputs": {"action": "mu"},
                "action_low": -2.0,
                "action_high": 2.0,
            },
        ),
        slots=2,
    )
    assert made.manifest.observation_size == 3
    first = made.step(np.zeros((2, 3)), goal=np.array([[0.5, -0.5], [1.0, 0.0]]))
    # The graph returns goal x, goal y and the previous action, mapped from [-2, 2] to [-1, 1].
    np.testing.assert_allclose(first.action, [[0.25, -0.25, 0.0], [0.5, 0.0, 0.0]])
    second = made.step(np.zeros((2, 3)), goal=np.array([[0.5, -0.5], [1.0, 0.0]]))
    np.testing.assert_allclose(second.action[:, 2], [0.25, 0.5])


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ([WIDTH], 0),
        ([WIDTH | {"history": 3}], 2),
        ([WIDTH, PREVIOUS], 1),
        ([WIDTH, PREVIOUS | {"history": 3}], 3),
        ([WIDTH | {"history": 5}, PREVIOUS | {"history": 3}], 4),
    ],
)
def test_a_policy_depends_on_the_steps_of_its_history(
    tmp_path: Path, fields: list[dict[str, Any]], steps: int
) -> None:
    """Three previous actions are those of the last three steps."""
    width = sum(field["size"] * field.get("history", 1) for field in fields)
    graph = f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[batch,{width}] observation) => (float[batch,3] action)
        <int64[3] pick = {{0, 0, 0}}>
        {{ action = Gather <axis = 1> (observation, pick) }}"""
    assert policy(tmp_path, graph, data(fields)).memory_steps == steps


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_precisions_are_converted_at_the_border(tmp_path: Path, kind: str) -> None:
    graph = f"""<ir_version: 8, opset_import: ["" : 17]>
        g ({kind}[batch,4] observation, {kind}[batch,2] h) => ({kind}[batch,3] action,
        {kind}[batch,2] next_h) <int64[3] first = {{0, 1, 2}}>
        {{ action = Gather <axis = 1> (observation, first)
           next_h = Add (h, h) }}"""
    state = {"name": "h", "shape": [2], "trained_horizon_steps": 9}
    made = policy(tmp_path, graph, data([POSITION, WIDTH], recurrent=[state]), slots=3)
    rows = np.linspace(0, 1, 12).reshape(3, 4)
    found = made.step(rows).action
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, rows[:, :3], atol=1e-3)


def test_states_with_the_batch_in_the_middle_step_as_one_batch(tmp_path: Path) -> None:
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[batch,4] obs, float[2,batch,3] h_in) => (float[batch,3] actions,
        float[2,batch,3] h_out) <int64[1] axes = {0}, float[1] one = {1.0}>
        { actions = ReduceMax <axes = [0], keepdims = 0> (h_in)
          h_out = Add (h_in, one) }"""
    state = {
        "name": "h", "shape": [2, 3], "batch_axis": 1,
        "trained_horizon_steps": 9, "beyond_horizon": "carry",
    }  # fmt: skip
    names = {
        "inputs": {"observation": "obs", "h": "h_in"},
        "outputs": {"action": "actions", "next_h": "h_out"},
        "action_low": -10.0,
        "action_high": 10.0,
    }
    made = policy(
        tmp_path, graph, data([POSITION, WIDTH], recurrent=[state], tensors=names), slots=2
    )
    for k in range(3):
        found = made.step(np.zeros((2, 4))).action
        np.testing.assert_allclose(found, np.full((2, 3), k / 10.0), atol=1e-6)
    made.reset_slot(1)
    found = made.step(np.zeros((2, 4))).action
    np.testing.assert_allclose(found[:, 0], [0.3, 0.0], atol=1e-6)


def test_a_dictionary_of_observations_has_several_inputs(tmp_path: Path) -> None:
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,3] achieved_goal, float[1,3] desired_goal, float[1,1] observation)
          => (float[1,3] action, float[1,1] value)
        { action = Sub (desired_goal, achieved_goal)
          value = Identity (observation) }"""
    goal = {
        "field": "end_effector_position", "components": [0, 1, 2], "unit": "m", "frame": "world",
        "stop_radius": 0.05, "low": [-1, -1, -1], "high": [1, 1, 1],
    }  # fmt: skip
    fields = [
        POSITION | {"input": "achieved_goal"},
        GOAL | {"size": 3, "input": "desired_goal"},
        WIDTH,
    ]
    made = policy(tmp_path, graph, data(fields, goal=goal))
    found = made.step(np.array([0.1, 0.2, 0.3, 9.0]), goal=np.array([0.5, 0.5, 0.5])).action
    np.testing.assert_allclose(found, [[0.4, 0.3, 0.2]], atol=1e-6)


def test_the_texts_of_a_manifest_are_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    attack = "__import__('os').system('touch pwned')"
    graph = """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,4] obs) => (float[1,3] mu) <int64[3] pick = {0, 1, 2}>
        { mu = Gather <axis = 1> (obs, pick) }"""
    manifest = data(
        [POSITION, WIDTH],
        name=attack,
        description="!!python/object/apply:os.system ['touch pwned']",
        provenance={"command": attack, "config": {"__reduce__": attack, "class_name": attack}},
        tensors={"inputs": {"observation": "obs"}, "outputs": {"action": "mu"}},
    )
    made = policy(tmp_path, graph, manifest)
    made.step(np.zeros(4))
    assert made.manifest.name == attack
    assert not (tmp_path / "pwned").exists()
