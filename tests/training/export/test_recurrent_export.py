"""Graphs with recurrent states: export, and episodes in comparison with torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.support.training_runs import provenance
from torch import Tensor, nn

from skill_proto.manifest import (
    ActionPart,
    Context,
    GoalSpace,
    PolicyManifest,
    RecurrentState,
    SkillSpace,
)
from skill_proto.plant import Plant
from skill_robots.observation import PUSH_OBSERVATION, manifest_fields
from skill_training.errors import ExportError
from skill_training.export import onnx_file as export
from skill_training.export.graph import PolicyGraph, TorchPolicy
from skill_training.export.inputs import check_names, random_inputs
from skill_training.export.onnx_file import PARITY_TOLERANCE, export_policy, parity

HIDDEN, CONTEXT = 12, 6


class _Encoder(PolicyGraph):
    """An LSTM over observation and previous action, and a policy that sees its context."""

    input_names = ("observation", "previous_action", "goal", "lstm_h", "lstm_c")
    output_names = ("action", "context", "next_lstm_h", "next_lstm_c")

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.cell = nn.LSTMCell(28 + 3, HIDDEN)
            self.head = nn.Linear(HIDDEN, CONTEXT)
            self.actor = nn.Linear(28 + CONTEXT + 2, 3)

    def forward(
        self, observation: Tensor, previous_action: Tensor, goal: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step."""
        h, c = self.cell(torch.cat((observation, previous_action), dim=-1), (h, c))
        context = self.head(h)
        return torch.tanh(self.actor(torch.cat((observation, context, goal), -1))), context, h, c


class _Drift(_Encoder):
    """The encoder with a cell state that grows by ``rate`` at every step."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(
        self, observation: Tensor, previous_action: Tensor, goal: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step."""
        action, context, h, _ = super().forward(observation, previous_action, goal, h, c)
        return action, context, h, c + self.rate


def _manifest(*, recurrent: bool = True) -> PolicyManifest:
    states = tuple(
        RecurrentState(name=name, shape=(HIDDEN,), trained_horizon_steps=120)
        for name in ("lstm_h", "lstm_c")
    )
    return PolicyManifest(
        name="goal_panda",
        algorithm="goal",
        description="Pushes a cube to a goal.",
        control_rate_hz=25.0,
        observation=manifest_fields(PUSH_OBSERVATION),
        action=(
            ActionPart(
                name="end_effector_displacement", size=3, scale=0.03, unit="m", frame="world"
            ),
        ),
        skill=SkillSpace(kind="none", size=0),
        goal=GoalSpace(
            field="cube_position",
            components=(0, 1),
            unit="m",
            frame="world",
            stop_radius=0.02,
            low=(-0.2, -0.2),
            high=(0.2, 0.2),
        ),
        recurrent=states if recurrent else (),
        context=Context(size=CONTEXT),
        plant=Plant(
            robot="panda",
            task="tabletop",
            physics_step_s=0.005,
            joint_stiffness=(600.0,) * 7,
            joint_damping=(50.0,) * 7,
            max_setpoint_error_m=0.05,
            workspace_low_m=(-0.3, -0.3, 0.0),
            workspace_high_m=(0.3, 0.3, 0.3),
            velocity_limit_share=0.5,
        ),
        trained_on={},
        provenance=provenance(),
    )


def test_an_encoder_is_exported_and_agrees_with_torch(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    assert export_policy(_Encoder(), _manifest(), path) <= PARITY_TOLERANCE
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in session.get_inputs() + session.get_outputs()}
    assert shapes == {
        "observation": ["batch", 28],
        "previous_action": ["batch", 3],
        "goal": ["batch", 2],
        "lstm_h": ["batch", HIDDEN],
        "lstm_c": ["batch", HIDDEN],
        "action": ["batch", 3],
        "context": ["batch", CONTEXT],
        "next_lstm_h": ["batch", HIDDEN],
        "next_lstm_c": ["batch", HIDDEN],
    }


def test_the_file_follows_a_torch_policy_through_an_episode(tmp_path: Path) -> None:
    path, graph = tmp_path / "policy.onnx", _Encoder()
    export_policy(graph, _manifest(), path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    states = {"lstm_h": (HIDDEN,), "lstm_c": (HIDDEN,)}
    policy = TorchPolicy(graph, action_size=3, goal_size=2, states=states)
    policy.reset(2)
    random = np.random.default_rng(0)
    goal = random.normal(size=(2, 2))
    action = np.zeros((2, 3), np.float32)
    recurrent = [np.zeros((2, HIDDEN), np.float32)] * 2
    for _ in range(50):
        observation = random.normal(size=(2, 28))
        ours = policy.act(observation, goal=goal)
        feed = [observation.astype(np.float32), action, goal.astype(np.float32), *recurrent]
        action, context, *recurrent = session.run(
            graph.output_names, dict(zip(graph.input_names, feed, strict=True))
        )
        np.testing.assert_allclose(action, ours, atol=1e-5)
        np.testing.assert_allclose(context, policy.outputs["context"].numpy(), atol=1e-5)
    policy.reset(2)
    fresh = TorchPolicy(graph, action_size=3, goal_size=2, states=states)
    fresh.reset(2)
    np.testing.assert_array_equal(
        policy.act(observation, goal=goal), fresh.act(observation, goal=goal)
    )


def test_an_error_that_grows_over_an_episode_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "policy.onnx"
    export_policy(_Drift(0.001), _manifest(), path)
    other = _Drift(0.001 + 5e-6)
    assert parity(other, _manifest(), path) > 10 * PARITY_TOLERANCE
    monkeypatch.setattr(export, "PARITY_STEPS", 1)
    assert parity(other, _manifest(), path) < PARITY_TOLERANCE


def test_random_states_have_the_manifests_shapes() -> None:
    inputs = random_inputs(_Encoder(), _manifest(), 4000, torch.Generator().manual_seed(0))
    shapes = [tuple(value.shape) for value in inputs]
    assert shapes == [(4000, 28), (4000, 3), (4000, 2), (4000, HIDDEN), (4000, HIDDEN)]
    assert float(inputs[3].std()) == pytest.approx(0.5, rel=0.05)


def test_a_graph_that_does_not_match_its_manifest_is_refused() -> None:
    graph = _Encoder()
    check_names(graph, _manifest())
    with pytest.raises(ExportError, match=r"the graph has inputs \['lstm_c', 'lstm_h'\]"):
        check_names(graph, _manifest(recurrent=False))
    graph.input_names = graph.input_names[:-1]
    with pytest.raises(ExportError, match="lack lstm_c, which its manifest names"):
        check_names(graph, _manifest())
    graph = _Encoder()
    graph.output_names = ("action", "next_lstm_h", "next_lstm_c")
    with pytest.raises(ExportError, match=r"outputs .* lack context"):
        check_names(graph, _manifest())
