"""OnnxPolicy on real ONNX files: the contract, slots, goals, and graphs of other exporters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper

from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_runtime.policy import OnnxPolicy, PolicyError, load_manifest

PolicyFileFactory = Callable[..., Path]

EAST = np.array([1.0, 0.0])


def observations(n: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0.0, 0.1, (n, 28))


def cube_at(*xy: float) -> Array:
    observation = np.zeros(28)
    observation[layout(PUSH_OBSERVATION)["cube_position"]] = [*xy, 0.02]
    return observation


def test_the_manifest_is_read_back_unchanged(policy_file: Path) -> None:
    manifest = load_manifest(policy_file)
    assert manifest.name == "push_by_hand"
    assert OnnxPolicy(policy_file).manifest == manifest


def test_one_slot_takes_plain_vectors(policy_file: Path) -> None:
    output = OnnxPolicy(policy_file).step(observations(1)[0], EAST)
    assert output.action.shape == (1, 3)
    assert output.skill_used == pytest.approx(EAST[None])
    assert output.context is None


def test_a_batch_equals_its_rows_alone(policy_file: Path) -> None:
    batch, single = OnnxPolicy(policy_file, slots=8), OnnxPolicy(policy_file)
    rows = observations(8)
    skills = np.random.default_rng(1).normal(size=(8, 2))
    together = batch.step(rows, skills).action
    alone = [single.step(row, skill).action[0] for row, skill in zip(rows, skills, strict=True)]
    assert together == pytest.approx(np.array(alone), abs=1e-6)


def test_act_is_step_for_evaluation(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    policy.reset(5)
    action = policy.act(observations(5), skill=np.tile(EAST, (5, 1)))
    assert action.dtype == np.float64
    policy.reset(5)
    assert action == pytest.approx(policy.step(observations(5), EAST).action)


def test_the_caller_owns_the_results(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    first = policy.step(observations(1)[0], EAST)
    action, skill = first.action.copy(), first.skill_used.copy()
    policy.step(observations(1, seed=5)[0], -EAST)
    assert (first.action == action).all()
    assert (first.skill_used == skill).all()


def test_the_graph_turns_a_goal_into_a_skill(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    output = policy.step(cube_at(0.1, 0.0), goal=[0.1, -0.2])
    assert output.skill_used == pytest.approx(np.array([[0.0, -1.0]]))
    assert np.abs(output.action).max() > 0


def test_at_the_goal_the_action_is_zero(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    for goal in ([0.1, 0.0], [0.1, 0.019]):
        assert (policy.step(cube_at(0.1, 0.0), goal=goal).action == 0.0).all()


def test_a_goal_does_not_affect_the_next_skill(policy_file: Path) -> None:
    used, fresh = OnnxPolicy(policy_file), OnnxPolicy(policy_file)
    used.step(observations(1)[0], goal=[0.3, 0.3])
    after = used.step(observations(1)[0], EAST)
    assert (after.action == fresh.step(observations(1)[0], EAST).action).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"observation": np.zeros(28)}, "needs a skill of 2 numbers or a goal"),
        ({"observation": np.zeros(27), "skill": EAST}, r"observation has shape \(27,\)"),
        ({"observation": np.zeros(28), "skill": np.zeros(3)}, r"skill has shape \(3,\)"),
        ({"observation": np.zeros(28), "goal": np.zeros((2, 2))}, r"goal has shape \(2, 2\)"),
        ({"observation": 0.0, "skill": EAST}, r"observation has shape \(\)"),
        ({"observation": np.zeros(28), "skill": 1.0}, r"skill has shape \(\)"),
        (
            {"observation": np.zeros(28), "skill": EAST, "goal": EAST},
            "both a skill and a goal, which exclude each other; give one of them",
        ),
        (
            {"observation": np.zeros(28), "skill": np.zeros(2)},
            r"skill \[0.0, 0.0\] has length 0.0, so it has no direction; send a vector",
        ),
        ({"observation": np.zeros(28), "skill": [0, 0]}, "so it has no direction"),
        ({"observation": np.zeros(28), "skill": [np.nan, 0.0]}, "skill contains NaN.*: nan; give"),
        ({"observation": np.zeros(28), "skill": [0.0, 1e300]}, "skill contains NaN.*: 1e.300"),
        ({"observation": np.zeros(28), "goal": [0.0, np.inf]}, "goal contains NaN.*: inf"),
        ({"observation": ["up"] * 28, "skill": EAST}, "observation is not an array.*but of <U2"),
        ({"observation": [None] * 28, "skill": EAST}, "observation is not an array.*but of object"),
        ({"observation": np.zeros(28), "skill": EAST * 1j}, "skill is not an array.*complex128"),
        ({"observation": np.zeros(28), "skill": ["a", "b"]}, "skill is not an array of numbers"),
        ({"observation": np.zeros(28), "skill": [[1], [1, 0]]}, "skill is not an array of numbers"),
        (
            {"observation": np.zeros(28), "skill": EAST, "previous_action": ["a", "b", "c"]},
            "previous_action is not an array of numbers",
        ),
    ],
)
def test_a_wrong_argument_is_named(policy_file: Path, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        OnnxPolicy(policy_file).step(**arguments)


def test_the_row_of_a_skill_without_a_direction_is_named(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file, slots=2)
    with pytest.raises(PolicyError, match=r"skill, row 1 .* has length 0.0"):
        policy.act(observations(2), skill=np.array([[1.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize("n", [-1, 1.5, None])
def test_a_number_of_slots_that_is_none_is_refused(policy_file: Path, n: Any) -> None:  # noqa: ANN401  wrong types
    policy = OnnxPolicy(policy_file, slots=2)
    with pytest.raises(PolicyError, match="a number of slots is a whole number from 0"):
        policy.reset(n)
    assert policy.slots == 2


def test_a_skill_policy_refuses_goals_and_a_plain_one_refuses_skills(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    skill_only = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,2] skill) => (float[batch,3] action)
        <int64[3] first = {0, 1, 2}, float zero = {0}>
        { x = Gather <axis = 1> (observation, first)
          total = ReduceSum <keepdims = 1> (skill)
          ignored = Mul (total, zero)
          action = Add (x, ignored) }"""
    )
    policy = OnnxPolicy(make_policy_file(tmp_path, model=skill_only, goal=None))
    with pytest.raises(PolicyError, match="takes no goals"):
        policy.step(np.zeros(28), EAST, goal=[0.0, 0.0])
    assert policy.step(np.zeros(28), EAST).skill_used == pytest.approx(EAST[None])

    plain = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation) => (float[batch,3] action)
        <int64[3] first = {0, 1, 2}>
        { action = Gather <axis = 1> (observation, first) }"""
    )
    no_skill = {"kind": "none", "size": 0}
    path = make_policy_file(tmp_path, model=plain, goal=None, skill=no_skill)
    policy = OnnxPolicy(path)
    with pytest.raises(PolicyError, match="takes no skills"):
        policy.step(np.zeros(28), EAST)
    assert policy.step(np.zeros(28)).skill_used.shape == (1, 0)
    assert policy.step(np.zeros(28), np.zeros(0)).skill_used.shape == (1, 0)


# Recurrent state: memory' = memory / 2 + cube xy, returned as the context -----------------------


def test_recurrent_state_is_carried_per_slot(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    policy = OnnxPolicy(make_policy_file(tmp_path, recurrent=True), slots=2)
    seen = np.stack([cube_at(1.0, 0.0), cube_at(0.0, 2.0)])
    expected = np.zeros((2, 2))
    for _ in range(4):
        context = policy.step(seen, EAST).context
        expected = expected / 2 + seen[:, 6:8]
        assert context == pytest.approx(expected)


def test_a_slot_resets_alone(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    policy = OnnxPolicy(make_policy_file(tmp_path, recurrent=True), slots=2)
    seen = np.tile(cube_at(1.0, 0.0), (2, 1))
    policy.step(seen, EAST)
    policy.reset_slot(0)
    context = policy.step(seen, EAST).context
    assert context is not None
    assert context[:, 0] == pytest.approx([1.0, 1.5])


def test_loading_leaves_the_recurrent_state_zero(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    policy = OnnxPolicy(make_policy_file(tmp_path, recurrent=True))
    assert policy.step(cube_at(0.5, 0.25), EAST).context == pytest.approx(np.array([[0.5, 0.25]]))


def test_a_subset_of_the_slots_can_step(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    policy = OnnxPolicy(make_policy_file(tmp_path, recurrent=True), slots=4)
    rows = np.stack([cube_at(1.0, 0.0), cube_at(2.0, 0.0)])
    policy.step_slots([3, 1], rows, np.tile(EAST, (2, 1)))
    output = policy.step(np.zeros((4, 28)), EAST)
    assert output.context is not None
    assert output.context[:, 0] == pytest.approx([0.0, 1.0, 0.0, 0.5])
    with pytest.raises(PolicyError, match="twice"):
        policy.step_slots([1, 1], rows, np.tile(EAST, (2, 1)))


def test_the_previous_action_is_fed_back_and_reset(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    adds_up = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,3] previous_action) => (float[batch,3] action)
        <int64[3] first = {0, 1, 2}>
        { x = Gather <axis = 1> (observation, first)
          action = Add (x, previous_action) }"""
    )
    path = make_policy_file(tmp_path, model=adds_up, goal=None, skill={"kind": "none", "size": 0})
    policy = OnnxPolicy(path)
    row = np.zeros(28)
    row[:3] = [0.1, 0.2, 0.3]
    assert policy.step(row).action[0] == pytest.approx(row[:3])
    assert policy.step(row).action[0] == pytest.approx(2 * row[:3])
    policy.reset_slot(0)
    assert policy.step(row).action[0] == pytest.approx(row[:3])
    executed = np.array([[-0.1, 0.0, 0.5]])
    output = policy.step_slots([0], row[None], previous_action=executed)
    assert output.action[0] == pytest.approx([0.0, 0.2, 0.8])


def test_step_returns_nan_and_act_raises(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    broken = np.full((1, 28), np.nan)
    assert np.isnan(policy.step(broken, EAST).action).any()
    with pytest.raises(PolicyError, match="not a finite number"):
        policy.act(broken, skill=EAST[None])


# A graph of another exporter: an LSTM as rsl_rl exports it, batch of 1, its own names and bounds

HIDDEN = 4


def lstm_graph(seed: int = 0) -> onnx.ModelProto:
    """An LSTM: obs [1, 28], h_in and c_in [1, 1, H] -> actions [1, 3] in [-2, 4], h_out, c_out."""
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,28] obs, float[1,1,{HIDDEN}] h_in, float[1,1,{HIDDEN}] c_in)
          => (float[1,3] actions, float[1,1,{HIDDEN}] h_out, float[1,1,{HIDDEN}] c_out)
        <int64[1] time = {{0}}, int64[1] direction = {{1}}, float three = {{3}}, float one = {{1}},
         int64[1] row = {{0}}>
        {{ x = Unsqueeze (obs, time)
           y, h_out, c_out = LSTM <hidden_size = {HIDDEN}> (x, W, R, , , h_in, c_in)
           flat = Squeeze (h_out, row)
           mixed = MatMul (flat, head)
           squashed = Tanh (mixed)
           stretched = Mul (squashed, three)
           actions = Add (stretched, one) }}"""
    )
    generator = np.random.default_rng(seed)
    for name, shape in (
        ("W", (1, 4 * HIDDEN, 28)),
        ("R", (1, 4 * HIDDEN, HIDDEN)),
        ("head", (HIDDEN, 3)),
    ):
        values = generator.normal(0.0, 1.0, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


def reference_lstm(model: onnx.ModelProto, rows: Array) -> Array:
    """Actions of :func:`lstm_graph`, mapped to [-1, 1], from the ONNX definition of LSTM."""
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    w, r, head = weights["W"][0], weights["R"][0], weights["head"]
    h, c = np.zeros(HIDDEN), np.zeros(HIDDEN)
    actions: list[Array] = []
    for row in rows:
        gates = w @ row + r @ h
        i, o, f, g = np.split(gates, 4)  # ONNX orders the gates i, o, f, c

        def sigmoid(x: Array) -> Array:
            return 1.0 / (1.0 + np.exp(-x))

        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        actions.append(np.tanh(h @ head))
    return np.array(actions)


RENAMED = {
    "inputs": {"observation": "obs", "h": "h_in", "c": "c_in"},
    "outputs": {"action": "actions", "next_h": "h_out", "next_c": "c_out"},
    "batch_axis": None,
    "action_low": -2.0,
    "action_high": 4.0,
}
STATES = [{"name": name, "shape": [1, HIDDEN], "trained_horizon_steps": 24} for name in ("h", "c")]


@pytest.fixture
def foreign_policy_file(tmp_path: Path, make_policy_file: PolicyFileFactory) -> Path:
    return make_policy_file(
        tmp_path,
        filename="walk.onnx",
        model=lstm_graph(),
        beside=True,
        goal=None,
        skill={"kind": "none", "size": 0},
        recurrent=STATES,
        tensors=RENAMED,
    )


def test_an_lstm_of_another_exporter_matches_its_definition(foreign_policy_file: Path) -> None:
    policy = OnnxPolicy(foreign_policy_file)
    rows = np.random.default_rng(3).normal(size=(20, 28))
    expected = reference_lstm(lstm_graph(), rows)
    actions = np.concatenate([policy.step(row).action for row in rows])
    assert actions == pytest.approx(expected, abs=1e-5)


def test_a_graph_with_a_fixed_batch_serves_several_slots_in_turn(foreign_policy_file: Path) -> None:
    policy = OnnxPolicy(foreign_policy_file, slots=3)
    rows = np.random.default_rng(4).normal(size=(6, 3, 28))
    actions = np.stack([policy.step(step).action for step in rows])
    for slot in range(3):
        expected = reference_lstm(lstm_graph(), rows[:, slot])
        assert actions[:, slot] == pytest.approx(expected, abs=1e-5)


def test_a_batch_axis_other_than_the_first(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    sideways = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[28,batch] observation) => (float[3,batch] action)
        <int64[3] first = {0, 1, 2}>
        { action = Gather <axis = 0> (observation, first) }"""
    )
    path = make_policy_file(
        tmp_path,
        model=sideways,
        goal=None,
        skill={"kind": "none", "size": 0},
        tensors={"batch_axis": 1},
    )
    rows = observations(4)
    assert OnnxPolicy(path, slots=4).step(rows).action == pytest.approx(rows[:, :3], abs=1e-6)


def test_actions_outside_the_bounds_are_clipped(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    plain = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation) => (float[batch,3] action)
        <int64[3] first = {0, 1, 2}>
        { action = Gather <axis = 1> (observation, first) }"""
    )
    path = make_policy_file(tmp_path, model=plain, goal=None, skill={"kind": "none", "size": 0})
    row = np.zeros(28)
    row[:3] = [5.0, -7.0, 0.5]
    assert OnnxPolicy(path).step(row).action[0] == pytest.approx([1.0, -1.0, 0.5])


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_cuda_agrees_with_the_cpu(policy_file: Path) -> None:
    rows, skills = observations(64), np.tile(EAST, (64, 1))
    on_cpu = OnnxPolicy(policy_file, slots=64).step(rows, skills).action
    on_gpu = OnnxPolicy(policy_file, device="cuda", slots=64).step(rows, skills).action
    assert on_gpu == pytest.approx(on_cpu, abs=1e-5)
