"""A goal policy begins as the skill policy of its initial actor; unusable files are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.observation import PUSH_OBSERVATION, layout, scales
from skill_training.algorithms.context_sac import ContextSac
from skill_training.cli import main
from skill_training.errors import ConfigError
from skill_training.recipes.goal.config import GoalConfig, GoalSacConfig
from skill_training.recipes.goal.recipe import build_algorithm, start
from skill_training.recipes.goal.start_actor import SkillFile

MODELS = Path(__file__).parents[4] / "models"
CSF, METRA = MODELS / "csf_panda.onnx", MODELS / "metra_panda.onnx"

PolicyFileFactory = Callable[..., Path]


def _begun(settings: GoalSacConfig) -> ContextSac:
    algorithm = build_algorithm(GoalConfig(algorithm=settings), torch.device("cpu"))
    start(algorithm, settings.start_from)
    return algorithm


def _inputs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Observations with the cube on the table, and goals 5 cm and more away."""
    random = np.random.default_rng(0)
    observation = random.normal(size=(n, 28)) * scales(PUSH_OBSERVATION)
    place = layout(PUSH_OBSERVATION)["cube_position"].start
    cube = random.uniform(-0.12, 0.12, (n, 2))
    observation[:, place : place + 2] = cube
    angle, way = random.uniform(-np.pi, np.pi, n), random.uniform(0.06, 0.2, n)
    goal = cube + way[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return observation.astype(np.float32), goal.astype(np.float32)


@pytest.mark.parametrize("knowledge", ["inferred", "told", "untold"])
def test_the_initial_policy_pushes_to_far_goals_as_the_skill_policy_does(knowledge: str) -> None:
    observation, goal = _inputs(200)
    session = ort.InferenceSession(CSF, providers=["CPUExecutionProvider"])
    feed = {
        "observation": observation,
        "previous_action": np.zeros((200, 3), np.float32),
        "skill": np.zeros((200, 2), np.float32),
        "goal": goal,
        "use_goal": np.ones((200, 1), np.float32),
    }
    names = {tensor.name for tensor in session.get_inputs()}
    theirs = session.run(["action"], {key: feed[key] for key in names})[0]
    algorithm = _begun(GoalSacConfig(start_from=CSF, knowledge=knowledge))
    context = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    given = torch.from_numpy(observation), torch.from_numpy(goal)
    ours = algorithm.act(*given, context, deterministic=True)
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)
    # The context has no effect before training.
    torch.testing.assert_close(algorithm.act(*given, 0 * context, deterministic=True), ours)


@pytest.mark.parametrize("path", [CSF, METRA])
def test_directions_are_rotated_into_the_skills_of_the_file(path: Path) -> None:
    skills = SkillFile(path, PUSH_OBSERVATION)
    rotation = skills.rotation()
    # An orthogonal matrix: a rotation, with or without a mirror.
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(2), atol=0.05, rtol=0)
    for angle in np.linspace(0, 2 * np.pi, 7):
        way = np.array([np.cos(angle), np.sin(angle)])
        skill = skills.skill_towards((0.1 * way[0], 0.1 * way[1]))
        turned = rotation @ torch.tensor(way, dtype=torch.float32)
        torch.testing.assert_close(turned, skill, atol=0.05, rtol=0)


def test_a_run_can_start_with_random_weights() -> None:
    algorithm = _begun(GoalSacConfig(start_from=None, hidden=(8,)))
    assert torch.equal(algorithm.task.rotation, torch.eye(2))


# Refused files ------------------------------------------------------------------------------------


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(ConfigError) as error:
        _begun(GoalSacConfig(start_from=path, **settings))
    said = str(error.value)
    assert str(path) in said
    return said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    said = _refused(tmp_path / "nowhere.onnx")
    assert "csf_panda" in said


@pytest.mark.parametrize("content", [b"", b"not a graph at all", b"\x08\x0a" * 40])
def test_a_file_that_is_not_onnx_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    assert "cannot start from" in _refused(path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "cannot start from" in _refused(tmp_path)


def test_a_graph_without_a_manifest_is_refused(tmp_path: Path) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    node = helper.make_node("Identity", ["x"], ["y"])
    opset = [helper.make_opsetid("", 20)]
    model = helper.make_model(
        helper.make_graph([node], "g", [x], [y]), opset_imports=opset, ir_version=10
    )
    onnx.save(model, tmp_path / "plain.onnx")
    assert "manifest" in _refused(tmp_path / "plain.onnx")


def test_a_foreign_policy_is_refused(policy_file: Path) -> None:
    assert "not a skill policy" in _refused(policy_file)


def test_a_policy_with_another_observation_is_refused(tmp_path: Path) -> None:
    model = onnx.load(CSF)
    (entry,) = [entry for entry in model.metadata_props if entry.key == METADATA_KEY]
    manifest = PolicyManifest.from_json(entry.value)
    seen = manifest.observation
    entry.value = manifest.model_copy(update={"observation": seen[1:] + seen[:1]}).to_json()
    onnx.save(model, tmp_path / "other.onnx")
    said = _refused(tmp_path / "other.onnx")
    assert "end_effector_position, end_effector_velocity" in said


@pytest.mark.parametrize("hidden", [(64, 64), (256,), (256, 256, 256)])
def test_an_actor_of_other_sizes_is_refused(hidden: tuple[int, ...]) -> None:
    said = _refused(CSF, hidden=hidden)
    assert "actor of other sizes" in said
    assert "--goal.hidden" in said


@pytest.mark.parametrize(("renamed", "words"), [(False, "other scales"), (True, "no scales")])
def test_an_actor_with_another_normalisation_is_refused(
    renamed: bool, words: str, tmp_path: Path
) -> None:
    model, name = onnx.load(CSF), "actor.normalizer.scale"
    (tensor,) = [one for one in model.graph.initializer if one.name == name]
    if renamed:
        tensor.name = "scale"
        for node in model.graph.node:
            node.input[:] = ["scale" if given == name else given for given in node.input]
    else:
        scale = numpy_helper.to_array(tensor).copy()
        scale[3] *= 2
        tensor.CopyFrom(numpy_helper.from_array(scale, name))
    onnx.save(model, tmp_path / "scaled.onnx")
    assert f"divides its observation by {words}" in _refused(tmp_path / "scaled.onnx")


@pytest.mark.parametrize(("given", "shown"), [("nowhere.onnx",) * 2, ("./csf_panda", "/csf_panda")])
def test_the_program_prints_the_error_and_leaves_no_directory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    given: str,
    shown: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(["goal", "--goal.start-from", given, "--run-dir", "run"])
    said = "".join(capfd.readouterr())
    assert exit_info.value.code == 2
    assert "cannot start from " in said
    assert f"{shown}: " in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
