"""Presets: the settings of the papers, and every difference that remains."""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.discovery.comparison.rows import PANDA

import skill_training
from skill_robots.worlds.registry import make_world
from skill_training.cli import config_of, main
from skill_training.config import config_to_json, flat_settings
from skill_training.errors import ConfigError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.inputs import network_inputs
from skill_training.recipes.discovery.policy import build_algorithm
from skill_training.recipes.discovery.presets import (
    PRESETS,
    check_preset,
    deviations,
    preset_config,
    remarks,
)
from skill_training.recipes.discovery.published import PUBLISHED
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.run.config_io import config_from_json, shortest_command

PAPERS = [key for key in PRESETS if key[1].startswith("paper-")]


def test_csf_on_ant_has_the_settings_of_its_script() -> None:
    """scripts/pretrain/csf/csf_ant.sh, and the defaults of run/train.py."""
    found = flat_settings(preset_config("csf", "paper-ant"))
    expected = {
        "preset": "paper-ant",
        "algorithm.hidden": [1024, 1024],
        "algorithm.batch_size": 256,
        "algorithm.learning_rate": 1e-4,
        "algorithm.discount": 0.99,
        "algorithm.target_rate": 0.005,
        "algorithm.initial_entropy_coefficient": 0.01,
        "algorithm.contrast_weight": 5.0,
        "algorithm.negatives": 256,
        "algorithm.skills": "sphere",
        "algorithm.representation.inputs": ["*"],
        "algorithm.representation.input_scale": "typical",
        "algorithm.representation.form": "mlp",
        "algorithm.representation.size": 2,
        "algorithm.representation.hidden": [1024, 1024],
        "algorithm.representation.learning_rate": 1e-4,
        "task.body": "ant",
        "task.episode_steps": 200,
        "task.integrator": "file",
        "task.terminals": False,
        "task.restart_lying_after": None,
        "run.n_envs": 8,
        "run.env_steps_per_update": 32,
        "run.replay_capacity": 1_000_000,
        "run.normalization": "published",
        "run.matmul": "float32",
        "run.eval_skills": 48,
    }
    assert {name: found[name] for name in expected} == expected


def test_metra_on_half_cheetah_has_16_one_hot_skills() -> None:
    config = preset_config("metra", "paper-half-cheetah")
    assert (config.world, config.algorithm.skills) == ("half_cheetah", "one_hot")
    assert config.algorithm.representation.size == 16
    found = flat_settings(config)
    assert (found["algorithm.slack"], found["algorithm.initial_dual"]) == (1e-3, 30.0)


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_is_a_configuration_like_any_other(key: tuple[str, str]) -> None:
    algorithm, name = key
    config = preset_config(algorithm, name)
    assert skill_training.default_config(algorithm, preset=name) == config
    assert config_from_json(config_to_json(config)) == config
    assert shortest_command(config) == f"skill-train {algorithm} --preset {name} --seed 0"
    changed = replace(config, run=replace(config.run, seed=4, n_envs=3))
    words = shlex.split(shortest_command(changed))[1:]
    assert config_of(words) == changed
    assert preset_config(algorithm, name, config.world) == config
    section = SkillRecipe().card_notes(config).sections["Preset"]
    assert all(f"- {difference}\n" in section for difference in deviations(config))


@pytest.mark.parametrize("key", PAPERS)
def test_a_paper_differs_in_what_no_setting_describes(key: tuple[str, str]) -> None:
    found = deviations(preset_config(*key))
    assert found == PRESETS[key].remaining
    assert all(" -> " in difference for difference in found)


def test_every_flag_that_changes_the_experiment_is_a_difference() -> None:
    config = preset_config("csf", "paper-ant")
    own = replace(
        config,
        algorithm=replace(config.algorithm, hidden=(64,)),
        run=replace(config.run, env_steps=1000, seed=7, log_interval=5),
    )
    assert deviations(own)[:2] == (
        "algorithm.hidden: 1024 1024 -> 64",
        "env_steps: 64000000 -> 1000",
    )
    assert deviations(own)[2:] == deviations(config)


def test_our_own_settings_are_differences_from_the_paper() -> None:
    found = deviations(preset_config("metra", "fast-ant"))
    assert "algorithm.representation.form: mlp -> linear" in found
    assert "task.restart_lying_after: None -> 10" in found
    assert set(PRESETS["metra", "paper-ant"].remaining) <= set(found)


def test_a_preset_of_another_world_or_release_is_refused() -> None:
    config = preset_config("csf", "paper-ant")
    with pytest.raises(ConfigError, match="of the world ant"):
        check_preset(replace(config, task=replace(config.task, body="hopper")))
    with pytest.raises(ConfigError, match="choose one of paper-ant, paper-half-cheetah, fast-ant"):
        check_preset(replace(config, preset="paper-kitchen"))


def test_a_run_of_a_preset_of_another_release_can_still_be_exported() -> None:
    """Its command has no preset, but flags for all settings that differ from the defaults."""
    config = replace(preset_config("csf", "paper-ant"), preset="x")
    assert remarks(config) == ("Preset x of another release.",)
    command = shortest_command(config)
    assert command.startswith("skill-train csf --world ant --seed 0 ")
    assert config_of(shlex.split(command)[1:]) == replace(config, preset=None)


def test_the_help_lists_presets_and_differences(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["metra", "--preset", "paper-half-cheetah", "--help"])
    assert left.value.code == 0
    text = " ".join(capfd.readouterr().out.replace("│", " ").split())
    assert all(name in text for _, name in PRESETS)
    for difference in deviations(preset_config("metra", "paper-half-cheetah")):
        assert difference in text


def small(name: str) -> SkillConfig:
    config = preset_config("csf", name)
    phi = replace(config.algorithm.representation, hidden=(8,))
    return replace(config, algorithm=replace(config.algorithm, hidden=(8,), representation=phi))


@pytest.mark.parametrize("name", ["paper-ant", "paper-half-cheetah"])
def test_every_network_sees_the_published_normalisation(name: str) -> None:
    config = small(name)
    spec = make_world(config.task, 1).spec
    phi = config.algorithm.representation
    inputs = network_inputs(phi, config.task, spec, 0, config.run.normalization)
    mean, std = PUBLISHED[config.world]
    assert len(mean) == len(std) == spec.observation_size
    algorithm = build_algorithm(config, inputs, spec, torch.device("cpu"))
    point = torch.tensor(np.array([mean, np.add(mean, std)]), dtype=torch.float32)
    plain = torch.stack((torch.zeros(len(mean)), torch.ones(len(mean))))
    representation = algorithm.representation
    torch.testing.assert_close(representation(point), representation.map(plain))
    torch.testing.assert_close(algorithm.actor.normalizer(point), plain)


def test_the_row_of_the_tabletop_is_the_one_of_the_comparison() -> None:
    """``python -m benchmarks.discovery.panda`` has it as ``mlp``."""
    row = next(one for one in PANDA if one.key == "mlp")
    flags = [*row.variant(("--env-steps", "640000")).flags]
    config = preset_config("csf", "discovered-panda")
    assert replace(config, preset=None) == config_of(["csf", *flags])
