"""Export: one self-describing file that equals the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from tests.support.discovery import algorithm_of, graph_of, manifest_of

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.observation import PUSH_OBSERVATION
from skill_training.errors import ExportError
from skill_training.export.onnx_file import PARITY_TOLERANCE, export_policy, parity
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.policy import Graph
from skill_training.run.policy_export import run_facts

TinyConfig = Callable[..., SkillConfig]

HAND = ("end_effector_position.0", "end_effector_position.1")
FACTS = {"code_revision": "abc", "machine": "a machine", "versions": {"torch": "2"}}
METRICS = {"moved_share_10cm": 0.97, "phi_singular_value_ratio": 0.9, "goal_mean_distance_m": 0.02}
STATE = {"env_steps": 320, "updates": 30, "wall_time_s": 1.0, "final_metrics": METRICS}


def _manifest(config: SkillConfig) -> PolicyManifest:
    return manifest_of(config, run_facts(config, FACTS, STATE))


def _graph(config: SkillConfig) -> Graph:
    return graph_of(config)


def _of_form(config: SkillConfig, form: str) -> SkillConfig:
    seen = replace(config.algorithm.representation, form=form)
    return replace(config, algorithm=replace(config.algorithm, representation=seen))


@pytest.mark.parametrize(
    ("algorithm", "form"), [("csf", "rotation"), ("csf", "mlp"), ("metra", "linear")]
)
def test_torch_and_onnx_agree(
    algorithm: str, form: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = _of_form(tiny_config(algorithm), form)
    config = replace(config, algorithm=replace(config.algorithm, hidden=(256, 256)))
    path = tmp_path / "models" / "policy.onnx"
    worst = export_policy(_graph(config), _manifest(config), path)
    assert worst <= PARITY_TOLERANCE
    assert [file.name for file in path.parent.iterdir()] == ["policy.onnx"]


def test_the_file_keeps_the_contract(tiny_config: TinyConfig, tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    export_policy(_graph(tiny_config()), _manifest(tiny_config()), path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in session.get_inputs() + session.get_outputs()}
    assert shapes == {
        "observation": ["batch", 28],
        "previous_action": ["batch", 3],
        "skill": ["batch", 2],
        "goal": ["batch", 2],
        "use_goal": ["batch", 1],
        "action": ["batch", 3],
        "skill_used": ["batch", 2],
    }
    for n in (1, 7):
        feed = {
            value.name: np.zeros((n, value.shape[1]), np.float32) for value in session.get_inputs()
        }
        action, skill = session.run(("action", "skill_used"), feed)
        assert action.shape == (n, 3)
        assert skill.shape == (n, 2)


@pytest.mark.parametrize(("opset", "ir_version"), [(18, 8)])
def test_older_runtimes_open_the_file(
    tiny_config: TinyConfig, tmp_path: Path, opset: int, ir_version: int
) -> None:
    path = tmp_path / "policy.onnx"
    export_policy(_graph(tiny_config()), _manifest(tiny_config()), path, opset)
    model = onnx.load(path)
    assert [entry.version for entry in model.opset_import] == [opset]
    assert model.ir_version == ir_version
    assert "ReduceL2" not in {node.op_type for node in model.graph.node}


def test_a_policy_without_goals_exports_without_goal_inputs(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config()
    seen = replace(config.algorithm.representation, inputs=HAND)
    config = replace(config, algorithm=replace(config.algorithm, representation=seen))
    manifest = _manifest(config)
    assert manifest.goal is None
    path = tmp_path / "policy.onnx"
    export_policy(_graph(config), manifest, path)
    names = [value.name for value in ort.InferenceSession(path).get_inputs()]
    assert names == ["observation", "previous_action", "skill"]


def test_the_manifest_travels_in_the_file(tiny_config: TinyConfig, tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    config = tiny_config(seed=5)
    export_policy(_graph(config), _manifest(config), path)
    metadata = ort.InferenceSession(path).get_modelmeta().custom_metadata_map
    manifest = PolicyManifest.from_json(metadata[METADATA_KEY])
    assert manifest == _manifest(config).model_copy(update={"provenance": manifest.provenance})
    assert manifest.observation_names == PUSH_OBSERVATION
    assert manifest.control_rate_hz == 25.0
    assert (manifest.action_size, manifest.goal_size, manifest.skill.size) == (3, 2, 2)
    assert manifest.skill.hold_steps == 10
    assert manifest.plant.joint_stiffness == (600, 600, 600, 600, 250, 150, 50)
    assert manifest.trained_on["cube_mass"].low == 0.4
    assert manifest.trained_on["cube_table_friction"].high == 0.8
    assert manifest.provenance.command.startswith("skill-train csf --seed 5 ")
    assert manifest.representation is not None
    assert manifest.representation.singular_value_ratio == 0.9
    assert manifest.evaluation is not None
    assert manifest.evaluation.metrics == METRICS


def test_the_file_contains_no_path_of_the_machine(tiny_config: TinyConfig, tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    export_policy(_graph(tiny_config()), _manifest(tiny_config()), path)
    onnx.checker.check_model(onnx.load(path))
    content = path.read_bytes()
    for telltale in (b".py", b"site-packages", str(Path.home()).encode() + b"/"):
        assert telltale not in content


def test_a_file_that_differs_from_torch_is_not_written(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, path = tiny_config(), tmp_path / "policy.onnx"
    export_policy(_graph(config), _manifest(config), path)
    before = path.read_bytes()
    other = _graph(tiny_config(seed=1))
    assert parity(other, _manifest(config), path) > PARITY_TOLERANCE
    monkeypatch.setattr("skill_training.export.onnx_file.PARITY_TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="differ by"):
        export_policy(other, _manifest(config), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["policy.onnx"]


def test_a_diverged_policy_is_named_as_the_cause(tiny_config: TinyConfig, tmp_path: Path) -> None:
    config, path = tiny_config(), tmp_path / "policy.onnx"
    for value, reason in (
        (float("nan"), r"policy\.actor\..*weight is nan"),
        (float("inf"), r"policy\.actor\..*weight is inf"),
        (1e38, "its output action is nan for ordinary inputs"),
    ):
        graph = _graph(config)
        with torch.no_grad():
            for parameter in graph.parameters():
                if parameter.ndim == 2:
                    parameter.fill_(value)
                    break
        with pytest.raises(ExportError, match=reason) as caught:
            export_policy(graph, _manifest(config), path)
        assert "lower learning rate" in str(caught.value)
        assert "differ" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_onnx_runtime_alone_is_named_if_only_its_output_is_not_finite(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_training.export.onnx_file.parity", lambda *_: float("inf"))
    with pytest.raises(ExportError, match="ONNX Runtime computes NaN or infinity"):
        export_policy(_graph(tiny_config()), _manifest(tiny_config()), tmp_path / "policy.onnx")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_networks_on_cuda_export_the_same_file(tiny_config: TinyConfig, tmp_path: Path) -> None:
    config = tiny_config()
    graph = graph_of(config, algorithm_of(config, "cuda"))
    assert export_policy(graph, _manifest(config), tmp_path / "policy.onnx") <= PARITY_TOLERANCE
