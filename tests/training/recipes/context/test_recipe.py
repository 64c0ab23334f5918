"""``skill-train context``: small runs that train, go on, ship and are refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import gymnasium
import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.support.training_runs import start_run, train

from skill_proto.arrays import Array
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.registry import make_world
from skill_robots.worlds.varied.world import VariedConfig
from skill_robots.worlds.world import Quantity
from skill_runtime.policy import load_manifest
from skill_training.algorithms.context_sac import ContextSac
from skill_training.cli import Train, main, parse, train_config
from skill_training.config import config_to_json
from skill_training.context.objective import ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.errors import ConfigError, NothingToShipError
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.context import recipe as context_recipe
from skill_training.recipes.context.config import (
    OBJECTIVES,
    ContextConfig,
    ContextRunSettings,
    Objective,
    WorldSacConfig,
)
from skill_training.recipes.context.quantities import HiddenQuantities, measure
from skill_training.recipes.context.recipe import ContextRecipe, ContextWorldLearner
from skill_training.recipes.registry import default_config
from skill_training.run import job
from skill_training.run.config_io import config_from_json, shortest_command
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import read
from skill_training.run.trainer import Trainer

CHEETAH = VariedConfig(body="varied_half_cheetah", episode_steps=20)
ROUND = 4 * 20


@pytest.fixture(autouse=True)
def few_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_recipe, "CALIBRATION_EPISODES", 16)


def _config(
    objective: Objective = "sance",
    task: VariedConfig = CHEETAH,
    run: dict[str, Any] | None = None,
    **algorithm: object,
) -> ContextConfig:
    """Six rounds of four scenes, two of them with random actions."""
    small: dict[str, Any] = {
        "hidden": (16,),
        "batch_size": 16,
        "episodes_per_block": 8,
        "encoder": EncoderConfig(size=3, hidden=8),
        "contrastive": ContrastiveConfig(sampling="tesac", batch=8, pool=100),
    }
    return ContextConfig(
        algorithm=WorldSacConfig(**(small | algorithm)),
        task=task,
        run=ContextRunSettings(
            **{
                "objective": objective,
                "n_envs": 4,
                "window": 10,
                "env_steps": 6 * ROUND,
                "warmup_steps": 2 * ROUND,
                "env_steps_per_update": 8,
                "log_interval": ROUND,
                "eval_interval": 3 * ROUND,
                "eval_episodes": 4,
                "final_eval_episodes": 4,
                **(run or {}),
            }
        ),
    )


def test_a_run_trains_is_scored_and_ships_one_file(tmp_path: Path) -> None:
    directory = start_run(_config(), tmp_path / "run")
    assert job.train(directory)
    names = {name for row in read(directory.path / "metrics.jsonl") for name in row}
    assert {"collect/mean_return", "train/context/contrastive_loss", "eval/return.train"} <= names
    for split in ("train", "moderate", "extreme"):
        assert {f"final/return.{split}", f"final/r2.mass_scale.{split}"} <= names
    card = directory.card.read_text(encoding="utf-8")
    assert "mean return, contexts of the extreme test" in card
    assert "objective sance (SaTESAC)" in card
    session = ort.InferenceSession(directory.policy, providers=["CPUExecutionProvider"])
    manifest = PolicyManifest.from_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert manifest.name == "context_varied_half_cheetah"
    assert (manifest.skill.kind, manifest.goal) == ("none", None)
    assert manifest.trained_on["mass_scale"].low == 0.75
    assert manifest.context is not None
    judged = (*manifest.context.estimates, *manifest.context.unidentified)
    assert {one.name for one in judged} == {"mass_scale", "damping_scale"}
    _acts_as_in_training(directory, session)


def _acts_as_in_training(directory: RunDirectory, session: ort.InferenceSession) -> None:
    """The file gives the actions of the averaged policy, with its state carried."""
    config = directory.resolved_config()
    assert isinstance(config, ContextConfig)
    trainer = Trainer(config, directory)
    trainer.resume()
    learner = trainer.learner
    assert isinstance(learner, ContextWorldLearner)
    average = learner.algorithm.average
    world = make_world(config.task, 3, seed=5)
    seen, previous = world.reset(), np.zeros((3, 6))
    state = learner.algorithm.encoder.initial_state(3)
    states: list[Array] = [np.zeros((3, 8)), np.zeros((3, 8))]
    for _ in range(12):
        inputs = [torch.as_tensor(part, dtype=torch.float32) for part in (seen, previous)]
        with torch.no_grad():
            context, state = average.encoder.step(inputs[0], inputs[1], state)
            expected = average.actor.mode(inputs[0], context).numpy()
        named = zip(
            ("observation", "previous_action", "lstm_h", "lstm_c"),
            (seen, previous, *states),
            strict=True,
        )
        feed = {name: value.astype(np.float32) for name, value in named}
        outputs = ["action", "context", "next_lstm_h", "next_lstm_c"]
        action, found, *states = session.run(outputs, feed)
        np.testing.assert_allclose(action, expected, atol=1e-4)
        np.testing.assert_allclose(found, context.numpy(), atol=1e-4)
        seen, previous = world.step(expected.astype(np.float64)).observation, expected
    learner.close()


@pytest.mark.parametrize("objective", ["none", "forward-model", "sance-cross"])
def test_a_resumed_run_equals_an_uninterrupted_one(objective: Objective, tmp_path: Path) -> None:
    config = _config(objective)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=4 * ROUND)
    again = Trainer(config, directory)
    again.resume()
    train(again, at=again.env_steps)
    assert torch.equal(_weights(again), _weights(whole))
    assert again.final_metrics == whole.final_metrics


def _weights(trainer: Trainer) -> torch.Tensor:
    assert isinstance(trainer.learner, ContextWorldLearner)
    parts = trainer.learner.algorithm.stateful().values()
    modules = [part for part in parts if isinstance(part, torch.nn.Module)]
    values = [value.flatten() for part in modules for value in part.state_dict().values()]
    return torch.cat(values)


def _encoder_after(objective: Objective, weight: float) -> torch.Tensor:
    """Returns the encoder's output weights after some gradient steps."""
    config = _config(
        objective,
        run={"env_steps": 4 * ROUND, "window": 5},
        contrastive=ContrastiveConfig(sampling="tesac", batch=8, pool=100, weight=weight),
        forward_model_weight=weight,
    )
    learner = ContextRecipe().build_learner(config, torch.device("cpu"))
    assert isinstance(learner, ContextWorldLearner)
    for _ in range(3):
        learner.collect_round()
    metrics = [learner.update() for _ in range(8)]
    has_contrast = any("context/contrastive_loss" in one for one in metrics)
    assert has_contrast is (OBJECTIVES[objective]["sampling"] != "tesac")
    weights = learner.algorithm.encoder.output.weight.detach().clone()
    learner.close()
    return weights


@pytest.mark.parametrize("objective", get_args(Objective))
def test_an_objective_reaches_the_encoder(objective: Objective) -> None:
    # With the same draws and another weight only the objective differs.
    usual, heavy = _encoder_after(objective, 1.0), _encoder_after(objective, 100.0)
    has_weight = objective not in ("none", "supervised")
    assert torch.equal(usual, heavy) is not has_weight


def test_a_contrastive_objective_without_anything_to_contrast_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_recipe.ContrastWatch, "PATIENCE", 20)
    config = _config("sance", run={"window": 20})  # two windows of a context at most
    with pytest.raises(ConfigError, match="nothing to contrast in 20 gradient steps"):
        train(Trainer(config, start_run(config, tmp_path / "run")))


def test_bounds_are_trained_and_not_shipped(tmp_path: Path) -> None:
    for knowledge in ("told", "untold"):
        config = _config("none", run={"env_steps": 3 * ROUND}, knowledge=knowledge)
        directory = start_run(config, tmp_path / knowledge)
        with pytest.raises(NothingToShipError, match=knowledge):
            job.train(directory)
        final = read(directory.path / "metrics.jsonl")[-1]
        assert "final/return.extreme" in final
        assert "final/r2.mass_scale.train" not in final


# Settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--world", "ant"], "hides nothing that a context could be about"),
        (["--world", "tabletop"], "skill-train goal --help"),
        (["--window", "30"], "--window 30 does not divide the 1000 control steps"),
        (
            ["--world", "crippled_ant", "--window", "100000"],
            "--window 100000 is longer than an episode of 2000 control steps",
        ),
        (
            ["--replay-capacity", "3000"],
            "the 60 windows of --window 50 for which --replay-capacity 3000 has room",
        ),
        (["--context.supervised"], "--context.supervised is part of --objective"),
        (["--context.contrastive.sampling", "ccm"], "sampling is part of --objective"),
        (["--task.contexts", "moderate"], "--task.contexts moderate is a set for tests"),
        (
            ["--objective", "saccm", "--context.contrastive.pool", "32"],
            "batch 64 is more than the 32 newest windows",
        ),
        (["--world", "gymnasium:Pendulum-v1"], "--task.hidden mass"),
        (["--context.hindsight-share", "0.4"], "needs goals or demonstrations"),
        (["--context.knowledge", "told"], "add --objective none"),
        (
            ["--context.knowledge", "told", "--objective", "none", "--context.encoder.size", "1"],
            "add --context.encoder.size 2",
        ),
        (["--preset", "paper-ant"], "has no presets"),
        (["--replay-capacity", "4000"], "less than one round of episodes"),
    ],
)
def test_the_program_prints_what_is_wrong_and_leaves_no_directory(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(["context", *words, "--run-dir", "run"])
    said = "".join(capfd.readouterr())
    assert exit_info.value.code == 2
    assert message in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_quantity_that_is_named_twice_is_refused() -> None:
    spec = make_world(CHEETAH, 1).spec
    twice = replace(spec, hidden=spec.hidden * 2)
    with pytest.raises(ConfigError, match=r"hides .*mass_scale.* twice.*--task.hidden once"):
        context_recipe.check_spec(_config(), twice)


def test_the_objective_is_a_flag_and_in_the_command() -> None:
    command = parse(["context", "--world", "crippled_ant", "--objective", "forward-model"])
    assert isinstance(command, Train)
    config = train_config(command)
    assert isinstance(config, ContextConfig)
    assert config.task == VariedConfig(body="crippled_ant", episode_steps=2000)
    assert config.learning.forward_model_weight == 1.0
    assert config_from_json(config_to_json(config)) == config
    assert (
        shortest_command(config)
        == "skill-train context --world crippled_ant --seed 0 --objective forward-model"
    )
    assert default_config("context") == default_config("context", "varied_half_cheetah")


def test_objectives_set_sampling_and_loss() -> None:
    sampled = {
        objective: (
            _config(objective).learning.contrastive.sampling,
            _config(objective).learning.contrastive.loss,
        )
        for objective in get_args(Objective)
    }
    assert sampled == {
        "none": ("tesac", "nce"),
        "infonce": ("ccm", "nce"),
        "sance": ("satesac", "nce"),
        "sance-cross": ("cross", "nce"),
        "saccm": ("saccm", "nce"),
        "sigmoid": ("satesac", "sigmoid"),
        "forward-model": ("tesac", "nce"),
        "supervised": ("tesac", "nce"),
    }
    assert _config("supervised").learning.supervised


# Hidden quantities --------------------------------------------------------------------------------


def test_positive_quantities_are_estimated_by_their_logarithm() -> None:
    quantities = HiddenQuantities(
        quantities=(
            Quantity(name="mass_scale", low=0.5, high=2.0),
            Quantity(name="leg_crippled", low=0.0, high=1.0),
            Quantity(name="unknown"),
        )
    )
    assert quantities.logged == (True, False, False)
    truth = quantities.truth(np.array([[2.0, 1.0, -3.0], [0.5, 0.0, 0.0]]))
    np.testing.assert_allclose(truth, [[np.log(2.0), 1.0, -3.0], [-np.log(2.0), 0.0, 0.0]])


def test_moments_are_those_of_the_contexts_and_constants_have_spread_one() -> None:
    world = make_world(VariedConfig(body="crippled_hopper", episode_steps=20), 4, seed=0)
    measured = measure(world)
    assert measured.quantities.quantities == world.spec.hidden
    mean, std = measured.mean, measured.std
    drawn = np.concatenate([(world.reset(), np.log(world.hidden()[:, 0]))[1] for _ in range(200)])
    assert mean[0] == pytest.approx(drawn.mean(), abs=0.1)
    assert std[0] == pytest.approx(drawn.std(), abs=0.05)
    assert (mean[1:], std[1:]) == ([0.0] * 3, [1.0] * 3)  # no joint is crippled in training


# A world of one's own -----------------------------------------------------------------------------


class Falling(gymnasium.Env[np.ndarray, np.ndarray]):
    """A mass on a spring that ends each episode after 7 steps; every episode has its own mass."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  as in Gymnasium
        """Draws a mass."""
        super().reset(seed=seed, options=options)
        self.mass = float(self.np_random.uniform(0.5, 2.0))
        self.state, self.time = np.zeros(2), 0
        return self.state, {"mass": self.mass}

    def step(self, action: Any) -> Any:  # noqa: ANN401  as in Gymnasium
        """Pushes."""
        place, speed = self.state
        speed += 0.1 * (float(action[0]) - place) / self.mass
        self.state, self.time = np.array([place + 0.1 * speed, speed]), self.time + 1
        return self.state, 1.0, self.time == 7, False, {"mass": self.mass}


def test_a_world_of_ones_own_with_early_ends_is_trained_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("falling")
    module.__dict__["Falling"] = Falling
    monkeypatch.setitem(sys.modules, "falling", module)
    task = GymnasiumConfig(environment="falling:Falling", hidden=("mass",), episode_steps=20)
    config = replace(_config("forward-model"), task=task)
    directory = start_run(config, tmp_path / "run")
    assert job.train(directory)
    rows = read(directory.path / "metrics.jsonl")
    returns = [row["collect/mean_return"] for row in rows if "collect/mean_return" in row]
    assert returns == [pytest.approx(20 / 3)] * len(returns)  # 7, 7, and 6 that were cut short
    assert rows[-1]["final/return.train"] == 7.0
    manifest = load_manifest(directory.policy)
    assert 0.5 <= manifest.trained_on["mass"].low < 0.8
    assert manifest.context is not None
    assert {one.name for one in (*manifest.context.estimates, *manifest.context.unidentified)} == {
        "mass"
    }
    assert "No quantity varied" not in directory.card.read_text(encoding="utf-8")


def test_what_lies_behind_the_end_of_an_episode_changes_no_loss(
    make_episodes: Callable[..., Episodes], make_sac: Callable[..., ContextSac]
) -> None:
    episodes = replace(make_episodes(8), length=torch.tensor([10, 4] * 4))
    contexts = torch.randn(8, 11, 4)
    other = contexts.clone()
    other[1::2, 5:] = 100.0
    term = ContrastiveTerm(ContrastiveConfig(sampling="ccm", batch=8, pool=8))
    replay = EpisodeReplay(8)
    replay.add(episodes)
    drawn = term.draw(replay, torch.Generator().manual_seed(0))
    assert drawn is not None
    assert isinstance(drawn.sample, Pairs)
    losses = []
    for values in (contexts, other):
        rows = values[drawn.episodes.returns.long()]
        queries, keys = rows.split(len(drawn.sample.query))
        contrast = drawn.loss(queries, keys, torch.Generator().manual_seed(1))
        losses.append((contrast, make_sac().estimation_loss(episodes, values)))
    torch.testing.assert_close(losses[0], losses[1])
