"""Context encoders on the reward of any world with hidden quantities: ``skill-train context``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import torch

from skill_proto.manifest import Context, ContextEstimate, PolicyManifest, RecurrentState
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import make_world
from skill_robots.worlds.world import World, WorldSpec
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.window_collector import WindowCollector
from skill_training.data.episodes import EpisodeReplay
from skill_training.data.goal_task import WorldTask
from skill_training.device import exact_matmul
from skill_training.errors import ConfigError, NothingToShipError
from skill_training.export.calibration import IDENTIFIABLE, fitted_context, log_r2
from skill_training.export.context_graph import WorldContextGraph
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.checks import check_no_preset, check_replay
from skill_training.recipes.context.config import (
    ContextConfig,
    WorldSacConfig,
    default_context_config,
)
from skill_training.recipes.context.evaluation import TRAINED, Evaluator, Rollouts
from skill_training.recipes.context.manifest import (
    LIMITS,
    build_manifest,
    metric_texts,
    training_note,
)
from skill_training.recipes.context.quantities import HiddenQuantities
from skill_training.recipes.discovery.inputs import world_statistics
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars

CURVES = tuple(
    Curve(name=f"eval/return.{name}", title=f"mean return, {name} contexts")
    for name in ("train", "moderate", "extreme")
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
            ConfigError: the world cannot be built or hides nothing, or windows do not divide its
                episode, or the replay is too small.
        """
        with closing(_world(config, 1)) as world:
            check_spec(config, world.spec)

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
        algorithm = build_algorithm(config, torch.device("cpu"))
        algorithm.load_networks(state["algorithm"])
        with closing(_world(config, 1)) as world:
            spec = world.spec
        quantities = HiddenQuantities(quantities=spec.hidden)
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
        raise ConfigError(
            f"{spec.title} hides nothing that a context could be about; choose a world with hidden "
            "quantities, such as --world varied_half_cheetah or --world crippled_ant"
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


def build_algorithm(config: ContextConfig, device: torch.device) -> ContextSac:
    """Returns the algorithm with randomly initialised networks."""
    seed = config.run.seed
    statistics = world_statistics(config.task, seed)
    with closing(_world(config, config.run.n_envs)) as world:
        spec = world.spec
        mean, std = HiddenQuantities(quantities=spec.hidden).moments(world)
    return ContextSac(
        config.learning,
        WorldTask(),
        scale=statistics.std,
        step_scale=statistics.step_std,
        action_size=spec.action_size,
        truth_mean=mean,
        truth_std=std,
        device=device,
        seed=seed,
    )


def calibrated(held: Rollouts, quantities: HiddenQuantities) -> tuple[Context, tuple[int, ...]]:
    """Returns the context part of a manifest, and the places of the exported estimates.

    Quantities that are not positive, such as the flag of a crippled leg, are not exported.
    """
    shares = log_r2(held.truth, held.estimates)
    rows = list(zip(quantities.quantities, quantities.logged, shares, strict=True))
    judged = [
        ContextEstimate(name=one.name, unit=one.unit, log_r2=round(share, 3))
        for one, logged, share in rows
        if logged
    ]
    known = tuple(
        place
        for place, (_, logged, share) in enumerate(rows)
        if logged and round(share, 3) >= IDENTIFIABLE
    )
    return fitted_context(held.contexts, judged), known


class ContextWorldLearner:
    """A context-conditioned policy with its scenes, its replay and its evaluation."""

    def __init__(self, config: ContextConfig, device: torch.device) -> None:
        run = config.run
        self._world = world = _world(config, run.n_envs)
        check_spec(config, world.spec)
        self.algorithm = build_algorithm(config, device)
        self._replay = EpisodeReplay(run.replay_capacity // run.window, device)
        self._collector = WindowCollector(
            world,
            self.algorithm,
            self._replay,
            window=run.window,
            warmup_steps=run.warmup_steps,
            seed=run.seed,
            truth=HiddenQuantities(quantities=world.spec.hidden).truth,
        )
        quantities = HiddenQuantities(quantities=world.spec.hidden)
        self._evaluator = Evaluator(config, self.algorithm, quantities)

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        return self._collector.steps_per_round

    def collect_round(self) -> Scalars:
        """Runs one episode in every scene and stores its windows; returns the mean return."""
        return {"mean_return": self._collector.collect_round()}

    def update(self) -> dict[str, torch.Tensor]:
        """Takes one gradient step."""
        return self.algorithm.update(self._replay)

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
            for name in (TRAINED, "moderate", "extreme")
            if f"return.{name}" in scalars
        }

    def stateful(self) -> Mapping[str, torch.nn.Module | torch.optim.Optimizer]:
        """Returns the networks and optimisers by name."""
        return self.algorithm.stateful()

    def close(self) -> None:
        """Frees the scenes."""
        self._world.close()

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return {
            "algorithm": self.algorithm.state_dict(),
            "replay": self._replay.state_dict(),
            "collector": self._collector.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.algorithm.load_state_dict(state["algorithm"])
        if state["replay"] is not None:
            self._replay.load_state_dict(state["replay"])
        self._collector.load_state_dict(state["collector"])


def _world(config: ContextConfig, n: int) -> World:
    try:
        return make_world(config.task, n, seed=config.run.seed, threads=config.run.threads)
    except WorldError as error:
        raise ConfigError(str(error)) from None
