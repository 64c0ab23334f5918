"""The skill-aware benchmark: TESAC, CCM, SaTESAC and SaCCM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skill_proto.manifest import PolicyManifest
from skill_robots.observation import scales
from skill_robots.tasks.engine import EngineMissingError
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.benchmark import (
    SPLITS,
    TRAIN,
    benchmark,
    cell_name,
)
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, OBSERVATION
from skill_training.algorithms.context_sac import ContextSac
from skill_training.config import RunSettings
from skill_training.device import exact_matmul
from skill_training.errors import ConfigError, NothingToShipError
from skill_training.export.context_graph import calibrate
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.checks import check_gradient_steps, check_own_world
from skill_training.recipes.context_learner import EpisodeLearner, log_uniform_moments
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.recipes.skill_aware.config import METHODS, BenchmarkConfig, BenchmarkSacConfig
from skill_training.recipes.skill_aware.demonstrations import demonstrate
from skill_training.recipes.skill_aware.manifest import (
    LIMITS,
    TITLES,
    manifest,
    metric_texts,
    training_data,
)
from skill_training.recipes.skill_aware.policy import evaluation_policy
from skill_training.recipes.skill_aware.skill_demonstrator import SkillDemonstrator
from skill_training.recipes.skill_aware.task import BringToGoal
from skill_training.recipes.skill_aware.world import (
    SkillAwareTaskConfig,
    SkillAwareWorld,
    log_truth,
    unseen_cells,
)

CURVES = (
    *(
        Curve(name=f"eval/success.{split}", title=f"success, {split} cells", top=1.0)
        for split in SPLITS
    ),
    Curve(name="eval/success.seen", title="success, cells seen in training", top=1.0),
)

SCENES = 20
"""Number of scenes of an evaluation, stepped together."""

EVALUATION_SEED = 1000
"""Seed of the starts of evaluations in training; the seeds of ``skill-eval`` begin at 0."""

CALIBRATION_SCENES = 128
"""Number of held-out episodes, each in its own context, that calibrate distance and estimates."""

CALIBRATION_SEED = 1 << 31
"""Seed of their contexts and starts. It is outside the range of ``--seed``."""


class SkillAwareRecipe:
    """``skill-train satesac|saccm|ccm|tesac``."""

    config_types: Mapping[str, type[BenchmarkSacConfig]] = METHODS
    summaries: Mapping[str, str] = {
        name: f"Train {TITLES[name]} on the skill-aware pick-and-place benchmark."
        for name in METHODS
    }
    curves: Sequence[Curve] = CURVES

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> BenchmarkConfig:
        """Returns the configuration of ``skill-train <name>`` without flags."""
        check_own_world(name, world, preset)
        return BenchmarkConfig(algorithm=METHODS[name]())  # type: ignore[arg-type]  # one of the union's own

    def remarks(self, config: BenchmarkConfig) -> Sequence[str]:
        """Returns no lines."""
        del config
        return ()

    def check(self, config: BenchmarkConfig) -> None:
        """Creates and closes a scene and the demonstrator.

        Raises:
            ConfigError: the engine is not installed, the demonstrator's file is not one, or the run
                has no gradient step.
        """
        check_gradient_steps(config.run, episode_steps=config.task.episode_steps)
        _world(config.task, config.run, scenes=1, seed=0).close()
        if config.algorithm.demonstrations or config.algorithm.dagger:
            make_demonstrator(config.algorithm.demonstrator)

    def build_learner(self, config: BenchmarkConfig, device: torch.device) -> BenchmarkLearner:
        """Returns the learner, which collects demonstrations before the first round.

        Raises:
            ConfigError: the engine is not installed, or the file of a demonstrator that labels
                steps is no longer there.
        """
        return BenchmarkLearner(config, device)

    def shipped(
        self, config: BenchmarkConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's ``state``, and its manifest.

        Raises:
            NothingToShipError: the policy is given the true context, or is context-free.
            KeyError, RuntimeError: the state does not fit the configuration.
        """
        if config.algorithm.knowledge != "inferred":
            kind = {"told": "that is given the true context", "untold": "without a context"}
            raise NothingToShipError(
                f"a policy {kind[config.algorithm.knowledge]} is a bound for comparison and is not "
                "exported; its metrics are in metrics.jsonl"
            )
        algorithm = build_algorithm(config, torch.device("cpu"))
        algorithm.load_networks(state["algorithm"])
        # Single scenes could not be trained with a contrastive term, which is not used here. A
        # served policy starts as the benchmark does.
        single = dataclasses.replace(config.task, scenes_per_task=1, near_share=0.0)
        world = _world(single, config.run, scenes=CALIBRATION_SCENES, seed=CALIBRATION_SEED)
        with closing(world):
            graph, context, recurrent = calibrate(algorithm, world)
        return graph, manifest(config, facts, context, recurrent)

    def card_notes(self, config: BenchmarkConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        return CardNotes(
            limits=LIMITS,
            metric_texts=metric_texts(config),
            sections={"Training data": training_data(config)},
        )


def build_algorithm(config: BenchmarkConfig, device: torch.device) -> ContextSac:
    """Returns the algorithm with randomly initialised networks."""
    mean, std = _log_moments(config.task)
    return ContextSac(
        config.algorithm,
        BringToGoal.of_benchmark(end_speed=config.task.end_speed),
        scale=scales(OBSERVATION).tolist(),
        action_size=ACTION_SIZE,
        truth_mean=mean,
        truth_std=std,
        device=device,
        seed=config.run.seed,
    )


def make_demonstrator(file: Path | None) -> Policy:
    """Returns the script, or the skills of a policy file.

    Raises:
        ConfigError: the file is no policy that can demonstrate.
    """
    if file is not None:
        return SkillDemonstrator(file)
    from skill_robots.tasks.skill_aware.scripted.policies import Switch

    return Switch()


def _log_moments(task: SkillAwareTaskConfig) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of log mass and log friction in training."""
    if task.contexts == "range":
        return log_uniform_moments(log_truth(np.array(task.friction), np.array(task.mass)))
    known = log_truth(*np.array([(cell.friction, cell.mass) for cell in TRAIN]).T)
    return known.mean(0).tolist(), known.std(0).tolist()


def _world(
    task: SkillAwareTaskConfig, run: RunSettings, *, scenes: int, seed: int
) -> SkillAwareWorld:
    try:
        return SkillAwareWorld(task, scenes, seed=seed, threads=run.threads)
    except EngineMissingError as error:
        raise ConfigError(str(error)) from None


class BenchmarkLearner(EpisodeLearner):
    """The benchmark's scenes, demonstrations, replay, algorithm and evaluation."""

    def __init__(self, config: BenchmarkConfig, device: torch.device) -> None:
        run = config.run
        self._config = config
        self._world = _world(config.task, run, scenes=run.n_envs, seed=run.seed)
        settings = config.algorithm
        demonstrator = make_demonstrator(settings.demonstrator) if settings.dagger else None
        algorithm = build_algorithm(config, device)
        super().__init__(algorithm, self._world, run, demonstrator=demonstrator)

    def begin(self) -> None:
        """Collects the demonstrations.

        Raises:
            ConfigError: the file of the demonstrator is no longer there.
        """
        settings = self._config.algorithm
        if not settings.demonstrations:
            return
        episodes = demonstrate(
            self._world,
            make_demonstrator(settings.demonstrator),
            self.algorithm.task,
            episodes=settings.demonstrations,
            hidden=settings.encoder.hidden,
            seed=self._config.run.seed,
            device=self.algorithm.device,
            labelled=settings.dagger,
        )
        self._replay.keep_demonstrations(episodes)

    def evaluate_quick(self) -> Scalars:
        """Returns success by split, from a few episodes per cell."""
        return self._evaluate(self._config.run.eval_episodes, cells=False)

    def evaluate_full(self) -> Scalars:
        """Returns success by split and cell."""
        with exact_matmul():
            return self._evaluate(self._config.run.final_eval_episodes, cells=True)

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns the texts of the progress bar."""
        return {
            split: f"{scalars[f'success.{split}']:.2f}"
            for split in SPLITS
            if f"success.{split}" in scalars
        }

    def _evaluate(self, episodes: int, *, cells: bool) -> Scalars:
        policy = evaluation_policy(self.algorithm)
        with closing(
            make_scenes(self._config.task.engine, SCENES, self._config.run.threads)
        ) as scenes:
            result = benchmark(policy, scenes, episodes=episodes, seed=EVALUATION_SEED)
        metrics = {f"success.{split}": value for split, value in result.success.items()}
        metrics |= {f"at_end.{split}": value for split, value in result.at_end.items()}
        unseen = [cell_name(cell) for cell in unseen_cells(self._config.task)]
        seen = [value for name, value in result.cells.items() if name not in unseen]
        metrics["success.seen"] = float(np.mean(seen))
        if cells:
            metrics["success.unseen"] = float(np.mean([result.cells[name] for name in unseen]))
            metrics |= {f"cell.{name}": value for name, value in result.cells.items()}
        return metrics
