"""Skill discovery: CSF, METRA and baselines, on the tabletop or in any other world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import TABLETOP, make_world
from skill_robots.worlds.world import World, WorldSpec
from skill_training.collection.ahead_collector import AheadCollector
from skill_training.collection.skill_collector import Replay, SkillCollector
from skill_training.data.replay import ReplayBuffer
from skill_training.data.unusual import UnusualRows
from skill_training.errors import ConfigError
from skill_training.export.graph import PolicyGraph
from skill_training.nets.inputs import NetworkInputs
from skill_training.recipes.checks import check_replay
from skill_training.recipes.discovery.config import (
    ALGORITHMS,
    SkillAlgorithmConfig,
    SkillConfig,
    default_skill_config,
)
from skill_training.recipes.discovery.evaluation import Evaluator
from skill_training.recipes.discovery.inputs import network_inputs, world_statistics
from skill_training.recipes.discovery.manifest import (
    MEASURED,
    build_manifest,
)
from skill_training.recipes.discovery.policy import Algorithm, build_algorithm, build_graph
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.seeding import restore_generator, torch_generator

SUMMARIES = {
    "csf": "Train skills with contrastive successor features (CSF).",
    "metra": "Train skills with METRA.",
    "misl": "Ablations of CSF: other kernels, no bottleneck, a scalar critic.",
    "lsd": "Baseline: Lipschitz-constrained skill discovery (LSD).",
    "csd": "Baseline: controllability-aware skill discovery (CSD).",
    "diayn": "Baseline: diversity is all you need (DIAYN).",
    "dads": "Baseline: dynamics-aware discovery of skills (DADS).",
    "cic": "Baseline: contrastive intrinsic control (CIC).",
}

CURVES = (
    Curve(name="eval/moved_share_10cm", title="cube moved > 10 cm [share]", top=1.0),
    Curve(name="eval/displacement_cells_2cm", title="2 cm cells reached", top=500.0),
    Curve(name="eval/coverage_cells", title="cells reached"),
    Curve(name="eval/octants", title="octants reached", top=8.0),
    Curve(name="eval/displacement_r2", title="R² of displacement from skill", top=1.0),
    Curve(name="eval/median_displacement_m", title="median displacement [m]", top=0.4),
    Curve(name="eval/median_displacement", title="median displacement"),
    Curve(name="eval/phi_singular_value_ratio", title="singular-value ratio of φ", top=1.0),
)

SHOWN = {
    "moved>10cm": ("moved_share_10cm", "{:.2f}"),
    "cells": ("displacement_cells_2cm", "{:.0f}"),
    "covered": ("coverage_cells", "{:.0f}"),
    "octants": ("octants", "{:.0f}"),
    "R2": ("displacement_r2", "{:.2f}"),
    "distance": ("median_displacement", "{:.1f}"),
    "return": ("mean_return", "{:.0f}"),
    "sv": ("phi_singular_value_ratio", "{:.2f}"),
}
"""Metric and format of each text of the progress bar, by a short name."""

WORLD_LIMITS = """\
- Simulation only, in {world}: the policy moves no arm, and `skill-serve` refuses it.
- Behaviour beyond the length of an episode in training ({steps} control steps) is not tested.
"""
"""Limits of use in a world without an arm."""

LIMITS = """\
- Simulation only: the policy has not been run on a real arm.
{given}- One 4 cm cube on a flat table, the gripper closed and pointing down; it pushes, it does not
  grasp.
- Behaviour outside the ranges above is not tested. A cube that slides further than the trained ones
  (low friction) overshoots goals; a cube that is too heavy for the plant's force limit stays put.
- Pushes away from the base end at the border of the workspace.
- Goals end at x = 0.10 m. The end effector does not get behind a cube at the end of its workspace
  (x = 0.15 m), so a cube there is not brought back.
"""
"""Limits of use on the tabletop, with a place for :data:`GIVEN`."""

GIVEN = """\
- The skill space is given: the inputs of the representation ({inputs}) were chosen by hand.
"""
"""Limit of a policy whose representation sees a quantity that was chosen by hand."""

METRIC_TEXTS = {
    "moved_share_3cm": "episodes with the cube moved > 3 cm",
    "moved_share_10cm": "episodes with the cube moved > 10 cm",
    "median_displacement_m": "median displacement of the cube [m]",
    "displacement_cells_2cm": "distinct 2 cm cells of displacement per set of skills",
    "octants": "octants of direction reached (of 8)",
    "displacement_r2": "R2 of a linear fit from skill to displacement",
    "direction_consistency": "consistency of direction per skill (0 to 1)",
    "phi_singular_value_ratio": "singular-value ratio of the representation (1 = isotropic)",
    "goal_share_5cm": "goals reached within 5 cm",
    "goal_share_3cm": "goals reached within 3 cm",
    "goal_rest_share_3cm_by_1600ms": "far goals with the cube at rest within 3 cm after 1.6 s",
    "goal_rest_share_3cm_by_2400ms": "far goals with the cube at rest within 3 cm after 2.4 s",
    "goal_mean_distance_m": "mean final distance to the goal [m]",
    "coverage_cells": "distinct cells that a set of skills visits",
    "median_displacement": "median displacement from the start",
    "largest_displacement": "largest displacement from the start",
    "mean_return": "mean return of an episode",
    "mean_episode_steps": "mean length of an episode [control steps]",
    "goal_staying_share": "share of steps within the goal's radius",
    "goal_staying_steps": "steps of an episode within the goal's radius",
    "goal_reached_share": "episodes that were within the goal's radius at any step",
    "goal_mean_distance": "mean final distance to the goal",
}


class SkillRecipe:
    """CSF, METRA and their baselines, in any world."""

    config_types: Mapping[str, type[SkillAlgorithmConfig]] = ALGORITHMS
    summaries: Mapping[str, str] = SUMMARIES
    curves: Sequence[Curve] = CURVES

    def default_config(self, name: str, world: str | None = None) -> SkillConfig:
        """Returns the configuration of ``skill-train <name> --world <world>`` without flags."""
        return default_skill_config(name, TABLETOP if world is None else world)

    def check(self, config: SkillConfig) -> None:
        """Builds world and networks once, to find errors before the run starts.

        Raises:
            ConfigError: the world cannot be built, or the representation does not fit it.
        """
        world = _world(config, 1)
        try:
            check_replay(config.run, episode_steps=world.spec.episode_steps)
            build_algorithm(config, _inputs(config, world.spec), world.spec, torch.device("cpu"))
        finally:
            world.close()

    def build_learner(self, config: SkillConfig, device: torch.device) -> SkillLearner:
        """Returns the learner at its start.

        Raises:
            ConfigError: the world cannot be built, or the representation does not fit it.
        """
        return SkillLearner(config, device)

    def shipped(
        self, config: SkillConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's state, on the CPU, and its manifest."""
        world = _world(config, 1)
        world.close()
        inputs = _saved_inputs(config, state, world.spec)
        algorithm = build_algorithm(config, inputs, world.spec, torch.device("cpu"))
        algorithm.actor.load_state_dict(state["algorithm"]["actor"])
        algorithm.representation.load_state_dict(state["algorithm"]["representation"])
        graph = build_graph(config, algorithm, world.spec)
        return graph, build_manifest(config, facts, inputs, world.spec)

    def card_notes(self, config: SkillConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        if not isinstance(config.task, TabletopConfig):
            world = _world(config, 1)
            world.close()
            limits = WORLD_LIMITS.format(world=world.spec.title, steps=world.spec.episode_steps)
            return CardNotes(limits=limits, metric_texts=METRIC_TEXTS)
        seen = config.algorithm.representation.inputs
        given = "" if seen in MEASURED else GIVEN.format(inputs=", ".join(seen))
        return CardNotes(limits=LIMITS.format(given=given), metric_texts=METRIC_TEXTS)


class SkillLearner:
    """A skill algorithm with its scenes, its replay and its evaluation."""

    def __init__(self, config: SkillConfig, device: torch.device) -> None:
        run = config.run
        self._config = config
        self._device = device
        self._world = _world(config, 1 if run.overlap else run.n_envs)
        self._batches = torch_generator(run.seed, "batches", device)
        self._build(_inputs(config, self._world.spec))

    def _build(self, inputs: NetworkInputs) -> None:
        """Builds everything that depends on the normalisation of the observation."""
        config, run, spec = self._config, self._config.run, self._world.spec
        self.algorithm = build_algorithm(config, inputs, spec, self._device)
        terminals = spec.has_terminals
        self._replay = ReplayBuffer(
            run.replay_capacity,
            observation_size=spec.observation_size,
            action_size=spec.action_size,
            skill_size=self.algorithm.skill_size,
            terminals=terminals,
            unusual=self._unusual_rows(),
            unusual_share=run.unusual_share,
            device=self._device,
        )
        self._collector: SkillCollector | AheadCollector = (
            AheadCollector(
                _CollectorThere(config, inputs),
                self.algorithm.actor,
                self._replay,
                run.n_envs * spec.episode_steps,
            )
            if run.overlap
            else _collector(config, self._world, self.algorithm, self._replay)
        )
        graph = build_graph(config, self.algorithm, spec)
        self._evaluator = Evaluator(config, graph, self.algorithm.representation, spec)

    def _unusual_rows(self) -> UnusualRows | None:
        run = self._config.run
        if run.unusual_share == 0.0:
            return None
        statistics = world_statistics(self._config.task, run.seed)
        return UnusualRows(
            run.replay_capacity,
            step_scale=statistics.step_std,
            threshold=statistics.unusual_change,
            device=self._device,
        )

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        return self._collector.steps_per_round

    def collect_round(self) -> None:
        """Runs one round of episodes in every scene and stores its transitions."""
        self._collector.collect_round()

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step on a new batch."""
        batch_size = self._config.algorithm.batch_size
        metrics = self.algorithm.update(self._replay.sample(batch_size, self._batches))
        self.algorithm.decay_learning_rates()
        return metrics

    def evaluate_quick(self) -> Scalars:
        """Returns the metrics of one episode per skill."""
        return self._evaluator.quick()

    def evaluate_full(self) -> Scalars:
        """Returns the metrics that ``skill-eval`` measures by default."""
        return self._evaluator.full()

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns the texts of the progress bar."""
        return {
            short: form.format(scalars[name])
            for short, (name, form) in SHOWN.items()
            if name in scalars
        }

    def stateful(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by name."""
        return self.algorithm.stateful()

    def close(self) -> None:
        """Ends the process that collects, if there is one, and frees the scenes."""
        self._close_collector()
        self._world.close()

    def _close_collector(self) -> None:
        if isinstance(self._collector, AheadCollector):
            self._collector.close()

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return {
            "algorithm": self.algorithm.state_dict(),
            "inputs": self.algorithm.inputs.state_dict(),
            "replay": self._replay.state_dict(),
            "collector": self._collector.state_dict(),
            "batches": self._batches.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        inputs = _saved_inputs(self._config, state, self._world.spec)
        if inputs != self.algorithm.inputs:  # a world whose random draws cannot be repeated
            self._close_collector()
            self._build(inputs)
        self.algorithm.load_state_dict(state["algorithm"])
        if state["replay"] is not None:
            self._replay.load_state_dict(state["replay"])
        self._collector.load_state_dict(state["collector"])
        restore_generator(self._batches, state["batches"])


@dataclass(frozen=True)
class _CollectorThere:
    """Makes the collector in the process of its own."""

    config: SkillConfig
    inputs: NetworkInputs

    def __call__(self, replay: Replay) -> SkillCollector:
        world = _world(self.config, self.config.run.n_envs)
        cpu = torch.device("cpu")
        algorithm = build_algorithm(self.config, self.inputs, world.spec, cpu)
        # Not the noise of the gradient steps, which are taken at the same time.
        algorithm.generator = torch_generator(self.config.run.seed, "noise ahead")
        return _collector(self.config, world, algorithm, replay)


def _collector(
    config: SkillConfig, world: World, algorithm: Algorithm, replay: Replay
) -> SkillCollector:
    return SkillCollector(
        world,
        algorithm,
        replay,
        terminals=world.spec.has_terminals,
        warmup_steps=config.run.warmup_steps,
        seed=config.run.seed,
    )


def _world(config: SkillConfig, n: int) -> World:
    try:
        return make_world(config.task, n, seed=config.run.seed, threads=config.run.threads)
    except WorldError as error:
        raise ConfigError(str(error)) from None


def _inputs(config: SkillConfig, spec: WorldSpec) -> NetworkInputs:
    return network_inputs(config.algorithm.representation, config.task, spec, config.run.seed)


def _saved_inputs(config: SkillConfig, state: dict[str, Any], spec: WorldSpec) -> NetworkInputs:
    """Returns the inputs of a state; a state of an older release has none, and needs none."""
    saved = state.get("inputs")
    return _inputs(config, spec) if saved is None else NetworkInputs.from_state_dict(saved)
