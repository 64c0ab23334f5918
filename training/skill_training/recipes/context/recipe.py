"""Context encoders on the reward of any world with hidden quantities: ``skill-train context``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch

from skill_proto.manifest import Context, ContextEstimate, PolicyManifest, RecurrentState
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.world import World, WorldSpec
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.statistics import WorldStatistics
from skill_training.collection.window_collector import WindowCollector
from skill_training.data.episodes import EpisodeReplay
from skill_training.data.goal_task import WorldTask
from skill_training.device import exact_matmul
from skill_training.errors import ConfigError, NothingToShipError
from skill_training.export.calibration import fitted_context, log_r2, measured
from skill_training.export.context_graph import WorldContextGraph
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.build_world import build_world
from skill_training.recipes.checks import check_gradient_steps, check_no_preset, check_replay
from skill_training.recipes.context.config import (
    CONTRASTIVE,
    ContextConfig,
    Objective,
    WorldSacConfig,
    default_context_config,
)
from skill_training.recipes.context.evaluation import SPLITS, Evaluator, Rollouts
from skill_training.recipes.context.manifest import (
    LIMITS,
    build_manifest,
    metric_texts,
    training_note,
)
from skill_training.recipes.context.quantities import HiddenQuantities, Measured, measure
from skill_training.recipes.context_learner import ContextLearner
from skill_training.recipes.discovery.inputs import world_statistics
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars

CURVES = tuple(
    Curve(name=f"eval/return.{name}", title=f"mean return, {name} contexts") for name in SPLITS
)

CALIBRATION_EPISODES = 64
CALIBRATION_SEED = 1 << 31
"""Seed of the held-out episodes, outside of the range of ``--seed``."""


class ContextRecipe:
    """``skill-train context``."""

    config_types: Mapping[str, type[WorldSacConfig]] = {"context": WorldSacConfig}
    summaries: Mapping[str, str] = {
        "context": "Train a policy that infers hidden quantities of a world, by an objective."
    }
    curves: Sequence[Curve] = CURVES

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> ContextConfig:
        """Returns the configuration of ``skill-train context --world WORLD`` without flags.

        Raises:
            ConfigError: a preset is given, or the world is the tabletop.
        """
        check_no_preset(name, preset)
        return default_context_config(world)

    def remarks(self, config: ContextConfig) -> Sequence[str]:
        """Returns no lines."""
        del config
        return ()

    def check(self, config: ContextConfig) -> None:
        """Builds one scene, to find errors before the run starts.

        Raises:
            ConfigError: the world cannot be built or hides no quantity, windows do not divide its
                episode, the replay is too small, or the run has no gradient step.
        """
        with closing(_world(config, 1)) as world:
            check_spec(config, world.spec)
            check_gradient_steps(config.run, episode_steps=world.spec.episode_steps)

    def build_learner(self, config: ContextConfig, device: torch.device) -> ContextWorldLearner:
        """Returns the learner at its start.

        Raises:
            ConfigError: as :meth:`check`.
        """
        return ContextWorldLearner(config, device)

    def shipped(
        self, config: ContextConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's ``state``, and its manifest.

        Raises:
            NothingToShipError: the policy has no encoder.
            KeyError, RuntimeError: the state does not fit the configuration.
        """
        if config.algorithm.knowledge != "inferred":
            raise NothingToShipError(
                f"a policy with --context.knowledge {config.algorithm.knowledge} is a bound for "
                "comparison and is not exported; its metrics are in metrics.jsonl"
            )
        with closing(_world(config, 1)) as world:
            spec = world.spec
        quantities = HiddenQuantities.from_state_dict(state["quantities"])
        spec = replace(spec, hidden=quantities.quantities)
        algorithm = build_algorithm(config, spec, None, None, torch.device("cpu"))
        algorithm.load_networks(state["algorithm"])
        with exact_matmul():
            evaluator = Evaluator(config, algorithm, quantities)
            held = evaluator.rollouts(config.task, CALIBRATION_EPISODES, CALIBRATION_SEED)
        context, estimated = calibrated(held, quantities)
        graph = WorldContextGraph(algorithm, estimated)
        recurrent = tuple(
            RecurrentState(name=name, shape=shape, trained_horizon_steps=spec.episode_steps)
            for name, shape in graph.state_shapes.items()
        )
        return graph, build_manifest(config, facts, spec, context, recurrent)

    def card_notes(self, config: ContextConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        with closing(_world(config, 1)) as world:
            spec = world.spec
        return CardNotes(
            limits=LIMITS.format(world=spec.title, steps=spec.episode_steps),
            metric_texts=metric_texts(spec),
            sections={"Training data": training_note(config)},
        )


def check_spec(config: ContextConfig, spec: WorldSpec) -> None:
    """Checks that a world suits the settings.

    Raises:
        ConfigError: it does not.
    """
    if not spec.hidden:
        named = isinstance(config.task, GymnasiumConfig)
        raise ConfigError(
            f"{spec.title} hides nothing that a context could be about; "
            + ("name its hidden quantities, e.g. --task.hidden mass, or " if named else "")
            + "choose a world with hidden quantities, such as --world varied_half_cheetah"
        )
    names = [one.name for one in spec.hidden]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"{spec.title} hides {', '.join(twice)} twice, and a policy names each hidden quantity "
            "once; give each value of --task.hidden once"
        )
    if spec.episode_steps % config.run.window:
        raise ConfigError(
            f"--window {config.run.window} does not divide the {spec.episode_steps} control steps "
            "of an episode; change it, or --task.episode-steps"
        )
    settings = config.algorithm
    if settings.knowledge == "told" and settings.encoder.size < len(spec.hidden):
        raise ConfigError(
            f"--context.knowledge told puts {len(spec.hidden)} hidden quantities into the context; "
            f"add --context.encoder.size {len(spec.hidden)}"
        )
    check_replay(config.run, episode_steps=spec.episode_steps)


def build_algorithm(
    config: ContextConfig,
    spec: WorldSpec,
    statistics: WorldStatistics | None,
    measured: Measured | None,
    device: torch.device,
) -> ContextSac:
    """Returns the algorithm with randomly initialised networks.

    Args:
        config: The run.
        spec: The world.
        statistics: Of its observation; None if the networks are loaded afterwards.
        measured: Its hidden quantities, likewise.
        device: Device of the networks.
    """
    plain, count = [1.0] * spec.observation_size, len(spec.hidden)
    return ContextSac(
        config.learning,
        WorldTask(),
        scale=plain if statistics is None else statistics.std,
        step_scale=plain if statistics is None else statistics.step_std,
        action_size=spec.action_size,
        truth_mean=[0.0] * count if measured is None else measured.mean,
        truth_std=[1.0] * count if measured is None else measured.std,
        device=device,
        seed=config.run.seed,
    )


def calibrated(held: Rollouts, quantities: HiddenQuantities) -> tuple[Context, tuple[int, ...]]:
    """Returns the context part of a manifest, and the places of the exported estimates.

    Quantities that are not positive, such as the flag of a crippled leg, are not estimated.
    """
    shares = log_r2(held.truth, held.estimates)
    judged = [
        ContextEstimate(name=one.name, unit=one.unit, log_r2=measured(share) if logged else None)
        for one, logged, share in zip(quantities.quantities, quantities.logged, shares, strict=True)
    ]
    context = fitted_context(held.contexts, judged)
    return context, tuple(judged.index(one) for one in context.estimates)


class ContextWorldLearner(ContextLearner):
    """A context-conditioned policy with its scenes, its replay and its evaluation."""

    def __init__(self, config: ContextConfig, device: torch.device) -> None:
        run = config.run
        self._world = world = _world(config, run.n_envs)
        check_spec(config, world.spec)
        with closing(_world(config, run.n_envs)) as probe:
            measured = measure(probe)
        statistics = world_statistics(config.task, run.seed)
        algorithm = build_algorithm(config, world.spec, statistics, measured, device)
        self._evaluator = Evaluator(config, algorithm, measured.quantities)
        self._contrast = ContrastWatch(run.objective)
        replay = EpisodeReplay(run.replay_capacity // run.window, device)
        self._windows = WindowCollector(
            world,
            algorithm,
            replay,
            window=run.window,
            warmup_steps=run.warmup_steps,
            seed=run.seed,
            to_truth=lambda hidden: self._evaluator.quantities.truth(hidden),
        )
        super().__init__(algorithm, replay, self._windows)

    def collect_round(self) -> Scalars:
        """Runs one episode in every scene and stores its windows; returns the mean return."""
        return {"mean_return": self._windows.collect_round()}

    def update(self) -> dict[str, torch.Tensor]:
        """Takes one gradient step.

        Raises:
            ConfigError: the objective has not drawn any trajectories in many steps.
        """
        metrics = super().update()
        self._contrast.see(metrics)
        return metrics

    def evaluate_quick(self) -> Scalars:
        """Returns mean returns and R2 of the hidden quantities, from a few episodes."""
        return self._evaluator.quick()

    def evaluate_full(self) -> Scalars:
        """Returns mean returns and R2 of the hidden quantities, from many episodes."""
        with exact_matmul():
            return self._evaluator.full()

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns the texts of the progress bar."""
        return {
            name: f"{scalars[f'return.{name}']:.0f}"
            for name in SPLITS
            if f"return.{name}" in scalars
        }

    def close(self) -> None:
        """Frees the scenes."""
        self._world.close()

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return super().state_dict() | {"quantities": self._evaluator.quantities.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        super().load_state_dict(state)
        self._evaluator.quantities = HiddenQuantities.from_state_dict(state["quantities"])


class ContrastWatch:
    """Ends a run whose contrastive objective never has anything to contrast.

    Args:
        objective: The objective of the run.
    """

    PATIENCE = 400
    """Gradient steps without a contrastive term before the run ends."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._left = self.PATIENCE if objective in CONTRASTIVE else None

    def see(self, metrics: Mapping[str, torch.Tensor]) -> None:
        """Notes a gradient step.

        Raises:
            ConfigError: many steps had no contrastive term, and none before had one.
        """
        if self._left is None:
            return
        if "context/contrastive_loss" in metrics:
            self._left = None
            return
        self._left -= 1
        if self._left <= 0:
            raise ConfigError(
                f"--objective {self._objective} found nothing to contrast in {self.PATIENCE} "
                "gradient steps: the replay has too few windows of the same task. Lower --window, "
                "so that an episode has more windows, or take --objective forward-model"
            )


def _world(config: ContextConfig, n: int) -> World:
    return build_world(config.task, n, seed=config.run.seed, threads=config.run.threads)
