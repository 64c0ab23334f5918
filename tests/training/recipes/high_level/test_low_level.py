"""The skills of a policy file act as the file does; unusable files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
import tyro

from skill_robots.observation import PUSH_OBSERVATION, scales
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.errors import ConfigError
from skill_training.recipes.high_level.low_level import LowLevel, read_low_level

MODELS = Path(__file__).parents[4] / "models"
CSF = MODELS / "csf_panda.onnx"


def test_the_actor_is_that_of_the_file() -> None:
    low = read_low_level(CSF)
    assert (low.kind, low.skill_size) == ("sphere", 2)
    random = np.random.default_rng(0)
    observation = random.normal(size=(50, 28)) * scales(PUSH_OBSERVATION)
    skill = random.normal(size=(50, 2))
    session = ort.InferenceSession(CSF, providers=["CPUExecutionProvider"])
    feed = {
        "observation": observation.astype(np.float32),
        "previous_action": np.zeros((50, 3), np.float32),
        "skill": skill.astype(np.float32),
        "goal": np.zeros((50, 2), np.float32),
        "use_goal": np.zeros((50, 1), np.float32),
    }
    names = {tensor.name for tensor in session.get_inputs()}
    theirs = session.run(["action"], {key: feed[key] for key in names})[0]
    np.testing.assert_allclose(low.policy().act(observation, skill=skill), theirs, atol=1e-5)


def test_a_state_needs_no_file() -> None:
    low = read_low_level(CSF)
    state = low.state_dict()
    again = LowLevel.from_state_dict(state)
    assert again.manifest == low.manifest
    assert again.is_that_of(state)
    state["actor"]["body.0.bias"] = state["actor"]["body.0.bias"] + 1.0
    assert not low.is_that_of(state)
    assert not any(parameter.requires_grad for parameter in again.actor.parameters())


@pytest.mark.parametrize("name", ["goal_panda.onnx", "saccm_panda.onnx"])
def test_a_policy_without_skills_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no skills to choose from"):
        read_low_level(MODELS / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.onnx: there is no such file in .*csf_ant"):
        read_low_level(tmp_path / "nowhere.onnx")


def test_what_is_there_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"it is a folder; give a policy file"):
        read_low_level(tmp_path)
    empty = tmp_path / "empty.onnx"
    empty.touch()
    with pytest.raises(ConfigError, match=r"it is a folder, which contains empty\.onnx; "):
        read_low_level(tmp_path)
    with pytest.raises(ConfigError, match=r"empty\.onnx: the file is empty; give a policy file"):
        read_low_level(empty)


def test_a_word_with_a_folder_is_no_name_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named, typed = (
        tyro.cli(HighLevelConfig, args=["--low-level", word]).low_level
        for word in ("csf_ant", "./csf_ant")
    )
    assert read_low_level(named).actor is not None
    with pytest.raises(ConfigError, match="there is no such file"):
        read_low_level(typed)


def test_an_actor_with_a_missing_layer_is_refused(tmp_path: Path) -> None:
    model = onnx.load(CSF)
    (bias,) = [one for one in model.graph.initializer if one.name == "actor.body.2.bias"]
    bias.name = "other"
    for node in model.graph.node:
        node.input[:] = ["other" if name == "actor.body.2.bias" else name for name in node.input]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ConfigError, match=r"not one of skill-train .*body\.2\.bias"):
        read_low_level(tmp_path / "other.onnx")


def test_the_frozen_actor_has_the_scales_of_the_file() -> None:
    scale = read_low_level(CSF).actor.normalizer.scale
    torch.testing.assert_close(scale, torch.as_tensor(scales(PUSH_OBSERVATION)).float())
