"""``skill-train high``: small runs that train, go on, ship and are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.support.discovery import graph_of, manifest_of
from tests.support.training_runs import provenance, start_run, train

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.worlds.downstream.config import TASKS, GoalsConfig, HurdlesConfig, TaskConfig
from skill_robots.worlds.downstream.goals import GoalsWorld
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.cli import Train, main, parse, train_config
from skill_training.config import config_to_json
from skill_training.device import exact_matmul
from skill_training.errors import CheckpointError, ConfigError, NothingToShipError
from skill_training.export.onnx_file import export_policy
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.high_level import recipe as high_recipe
from skill_training.recipes.high_level.config import (
    HighConfig,
    HighRunSettings,
    default_high_config,
)
from skill_training.recipes.high_level.low_level import read_low_level
from skill_training.recipes.high_level.recipe import HighLearner
from skill_training.recipes.high_level.scenes import make_scenes, world_config
from skill_training.recipes.recipe import RunFacts
from skill_training.recipes.registry import default_config
from skill_training.run import job, policy_export
from skill_training.run.config_io import config_from_json, shortest_command
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import read
from skill_training.run.trainer import Trainer

CSF = Path(__file__).parents[4] / "models" / "csf_panda.onnx"
ROUND = 4 * 20
TABLE = GoalsConfig(name="tabletop", goals=2, steps_per_goal=10)
HURDLES = HurdlesConfig(episode_steps=20)


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(high_recipe, "STATISTICS_SCENES", 4)


@pytest.fixture(scope="module")
def one_hot_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained one-hot skills of HalfCheetah."""
    config = SkillConfig(
        algorithm=MetraConfig(
            hidden=(16,),
            skills="one_hot",
            representation=RepresentationConfig(inputs=("*",), form="linear", size=3),
        ),
        task=BodyConfig(body="half_cheetah"),
    )
    path = tmp_path_factory.mktemp("skills") / "metra_half_cheetah.onnx"
    manifest = manifest_of(config, RunFacts(provenance=provenance(config), metrics={}))
    export_policy(graph_of(config), manifest, path)
    return path


def _config(low_level: Path = CSF, task: TaskConfig = TABLE, **run: int) -> HighConfig:
    """Six rounds of four scenes, two of them with random skills."""
    return HighConfig(
        algorithm=HighLevelConfig(
            low_level=low_level, hold_steps=5, hidden=(16,), batch_size=16, learning_rate=1e-2
        ),
        task=task,
        run=HighRunSettings(
            **{
                "n_envs": 4,
                "env_steps": 6 * ROUND,
                "warmup_steps": 2 * ROUND,
                "env_steps_per_update": 8,
                "log_interval": ROUND,
                "eval_interval": 3 * ROUND,
                "eval_episodes": 4,
                "final_eval_episodes": 8,
                **run,
            }
        ),
    )


def _weights(trainer: Trainer) -> torch.Tensor:
    assert isinstance(trainer.learner, HighLearner)
    algorithm = trainer.learner.algorithm
    parts = (algorithm.actor, algorithm.critic, algorithm.target_critic)
    return torch.cat([value.flatten() for part in parts for value in part.state_dict().values()])


def test_a_run_trains_is_scored_and_ships_one_file(tmp_path: Path) -> None:
    directory = start_run(_config(), tmp_path / "run")
    assert job.train(directory)
    names = {name for row in read(directory.path / "metrics.jsonl") for name in row}
    assert {"train/critic/loss", "train/actor/entropy", "eval/first_goal_share"} <= names
    assert {"final/later_goals_share", "final/random_mean_return"} <= names
    card = directory.card.read_text(encoding="utf-8")
    assert "later goals reached" in card
    assert "csf_panda" in card
    session = ort.InferenceSession(directory.policy, providers=["CPUExecutionProvider"])
    manifest = PolicyManifest.from_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert manifest.name == "high_tabletop"
    assert manifest.skill.kind == "none"
    assert [state.name for state in manifest.recurrent] == ["held_skill", "steps_left"]
    assert manifest.goal is not None
    assert manifest.goal.stop_radius == 0.05
    assert manifest.trained_on["joint_stiffness_scale"].low == 0.85
    assert manifest.evaluation is not None
    _acts_as_in_training(directory, session)


def _acts_as_in_training(directory: RunDirectory, session: ort.InferenceSession) -> None:
    """The file, with its state carried, gives the actions of high and low level in the scenes."""
    config = directory.resolved_config()
    assert isinstance(config, HighConfig)
    trainer = Trainer(config, directory)
    trainer.resume()
    learner = trainer.learner
    assert isinstance(learner, HighLearner)
    low = learner._low_level
    scenes = make_scenes(config, low, world_config(config, low.manifest), 3, seed=5)
    world, policy, algorithm = scenes.world, low.policy(), learner.algorithm
    assert isinstance(world, GoalsWorld)
    observation, states = world.reset(), [np.zeros((3, 2)), np.zeros((3, 1))]
    skill = np.zeros((3, 2))
    for step in range(12):
        with exact_matmul():
            if step % 5 == 0:
                inputs = torch.as_tensor(observation, dtype=torch.float32)
                skill = algorithm.skill(algorithm.choose(inputs, deterministic=True)).numpy()
            expected = policy.act(observation[:, :28], skill=skill)
        goal = world.goals[:, step // 10]
        values = (observation[:, :28], np.zeros((3, 3)), goal, *states)
        names = ("observation", "previous_action", "goal", "held_skill", "steps_left")
        wanted = {tensor.name for tensor in session.get_inputs()}
        feed = {
            name: value.astype(np.float32)
            for name, value in zip(names, values, strict=True)
            if name in wanted
        }
        action, *states = session.run(["action", "next_held_skill", "next_steps_left"], feed)
        np.testing.assert_allclose(action, expected, atol=1e-4)
        observation = world.step(expected).observation
    trainer.learner.close()


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    config = _config()
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=4 * ROUND)
    again = Trainer(config, directory)
    again.resume()
    train(again, at=again.env_steps)
    assert torch.equal(_weights(again), _weights(whole))
    assert again.final_metrics == whole.final_metrics


def test_one_hot_skills_pass_hurdles_and_their_policy_is_not_shipped(
    one_hot_file: Path, tmp_path: Path
) -> None:
    directory = start_run(_config(one_hot_file, HURDLES), tmp_path / "run")
    with pytest.raises(NothingToShipError, match=r"half_cheetah_hurdle.*metrics\.jsonl"):
        job.train(directory)
    rows = read(directory.path / "metrics.jsonl")
    assert {"final/hurdles_passed", "final/random_hurdles_passed"} <= set(rows[-1])
    assert all(np.isfinite(value) for row in rows for value in row.values())


def test_one_hot_skills_reach_goals_and_are_exported_without_their_file(
    one_hot_file: Path, tmp_path: Path
) -> None:
    skills = tmp_path / "skills.onnx"
    skills.write_bytes(one_hot_file.read_bytes())
    task = GoalsConfig(name="half_cheetah", steps_per_goal=20, half_range=2.0)
    config = _config(skills, task, env_steps=3 * ROUND)
    directory = start_run(config, tmp_path / "run")
    train(Trainer(config, directory), until=2 * ROUND)
    skills.unlink()
    manifest = policy_export.export(directory, tmp_path / "high.onnx")
    assert manifest.world is not None
    assert (manifest.world.name, manifest.world.episode_steps) == ("half_cheetah", 20)
    assert manifest.goal is not None
    assert (manifest.goal.low, manifest.goal.high) == ((-2.0,), (2.0,))
    assert [state.shape for state in manifest.recurrent] == [(3,), (1,)]


def test_a_run_does_not_go_on_with_other_skills(tmp_path: Path) -> None:
    skills = tmp_path / "skills.onnx"
    skills.write_bytes(CSF.read_bytes())
    config = _config(skills)
    directory = start_run(config, tmp_path / "run")
    train(Trainer(config, directory), until=ROUND)
    skills.write_bytes(CSF.with_name("metra_panda.onnx").read_bytes())
    with pytest.raises(CheckpointError, match="other skills than when the run began"):
        Trainer(config, directory).resume()


def test_a_missing_file_of_skills_is_named_when_a_run_goes_on(tmp_path: Path) -> None:
    skills = tmp_path / "skills.onnx"
    skills.write_bytes(CSF.read_bytes())
    config = _config(skills)
    directory = start_run(config, tmp_path / "run")
    skills.unlink()
    with pytest.raises(ConfigError, match=r"skills.onnx: there is no such file.*goes on needs"):
        Trainer(config, directory)


# Settings -----------------------------------------------------------------------------------------


def test_the_card_of_a_body_speaks_of_no_real_arm() -> None:
    recipe = high_recipe.HighRecipe()
    limits = {name: recipe.card_notes(default_high_config(name)).limits for name in TASKS}
    assert all("moves no arm" in text and "real arm" not in text for text in limits.values())
    assert "real arm" in recipe.card_notes(_config()).limits


def test_help_and_errors_speak_of_skills_and_choices(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["high", "--help"])
    said = " ".join("".join(capfd.readouterr()).replace("│", " ").split())
    assert "random skills and without gradient steps" in said
    assert "number of choices in replay" in said
    assert "random actions" not in said
    assert "transitions" not in said
    with pytest.raises(ConfigError, match=r"4 scenes x 4 choices = 16"):
        _config(replay_capacity=15)


def test_every_task_has_its_skills_and_its_command() -> None:
    for world, skills in (
        ("ant_multi_goal", "csf_ant"),
        ("half_cheetah_goal", "csf_half_cheetah"),
        ("half_cheetah_hurdle", "csf_half_cheetah"),
        ("tabletop", "csf_panda"),
        ("gymnasium:Reacher-v5", "csf_gymnasium_Reacher_v5"),
    ):
        config = default_config("high", world)
        assert isinstance(config, HighConfig)
        assert config.algorithm.low_level == Path(skills)
        assert config_from_json(config_to_json(config)) == config
        named = "" if world == "ant_multi_goal" else f"--world {world} "
        assert shortest_command(config) == f"skill-train high {named}--seed 0"
    assert default_config("high") == default_config("high", "ant_multi_goal")


def test_the_default_skills_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for task in TASKS:
        assert read_low_level(default_high_config(task).algorithm.low_level).skill_size
    with pytest.raises(ConfigError, match=r"no model 'csf_hopper'; models by name: csf_ant"):
        high_recipe.HighRecipe().check(default_high_config("hopper"))


@pytest.mark.parametrize(
    ("task", "hold_steps", "message"),
    [
        (GoalsConfig(steps_per_goal=10, goals=9), 25, "25 is longer than --task.steps-per-goal 10"),
        (GoalsConfig(goals=2), 10_000, "10000 is longer than an episode of 400 control steps"),
        (HURDLES, HURDLES.episode_steps + 1, "is longer than an episode"),
    ],
)
def test_a_choice_that_lasts_too_long_is_refused(
    task: TaskConfig, hold_steps: int, message: str
) -> None:
    config = default_high_config(task.name)
    algorithm = replace(config.algorithm, hold_steps=hold_steps)
    with pytest.raises(ConfigError, match=message):
        high_recipe.HighRecipe().check(replace(config, algorithm=algorithm, task=task))


def test_skills_of_another_world_are_refused(one_hot_file: Path) -> None:
    config = replace(_config(one_hot_file), task=GoalsConfig())
    with pytest.raises(
        ConfigError, match=r"needs skills of the world 'ant'.*'half_cheetah'.*--world"
    ):
        high_recipe.HighRecipe().check(config)


def test_the_program_prints_the_error_and_leaves_no_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(["high", "--high.low-level", str(CSF), "--run-dir", "run"])
    said = "".join(capfd.readouterr())
    assert exit_info.value.code == 2
    assert "needs skills of the world 'ant'" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_the_settings_of_the_task_are_flags() -> None:
    words = ["--world", "tabletop", "--task.goals", "2", "--task.radius", "0.03"]
    words += ["--high.hold-steps", "5", "--env-steps", "20"]
    command = parse(["high", *words])
    assert isinstance(command, Train)
    config = train_config(command)
    assert isinstance(config, HighConfig)
    assert config.task == GoalsConfig(name="tabletop", goals=2, radius=0.03)
    assert config.algorithm.hold_steps == 5
    flags = "--high.hold-steps 5 --task.goals 2 --task.radius 0.03 --env-steps 20"
    assert shortest_command(config) == f"skill-train high --world tabletop --seed 0 {flags}"
