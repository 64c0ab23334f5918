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
from skill_robots.worlds.registry import TABLETOP
from skill_robots.worlds.world import World, WorldSpec
from skill_training.collection.ahead_collector import AheadCollector
from skill_training.collection.pixel_collector import PixelCollector
from skill_training.collection.skill_collector import Replay, SkillCollector
from skill_training.data.pixel_replay import PixelReplay
from skill_training.data.replay import ReplayBuffer
from skill_training.data.unusual import UnusualRows
from skill_training.export.graph import PolicyGraph
from skill_training.nets.inputs import NetworkInputs
from skill_training.recipes.build_world import build_world
from skill_training.recipes.checks import check_gradient_steps, check_replay
from skill_training.recipes.discovery.config import (
    ALGORITHMS,
    SkillAlgorithmConfig,
    SkillConfig,
    default_skill_config,
)
from skill_training.recipes.discovery.evaluation import Evaluator
from skill_training.recipes.discovery.inputs import network_inputs, world_statistics
from skill_training.recipes.discovery.lifting import hand_limits
from skill_training.recipes.discovery.manifest import (
    MEASURED,
    build_manifest,
)
from skill_training.recipes.discovery.pixels import (
    check_pixels,
    pixel_collector,
    pixel_limits,
    pixel_replay,
)
from skill_training.recipes.discovery.policy import Algorithm, build_algorithm, build_graph
from skill_training.recipes.discovery.presets import (
    check_preset,
    preset_config,
    preset_section,
    remarks,
)
from skill_training.recipes.discovery.texts import (
    CURVES,
    GIVEN,
    GOAL_LIMITS,
    LIMITS,
    METRIC_TEXTS,
    SHOWN,
    SUMMARIES,
    WORLD_LIMITS,
)
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.seeding import restore_generator, torch_generator


class SkillRecipe:
    """CSF, METRA and their baselines, in any world."""

    config_types: Mapping[str, type[SkillAlgorithmConfig]] = ALGORITHMS
    summaries: Mapping[str, str] = SUMMARIES
    curves: Sequence[Curve] = CURVES

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> SkillConfig:
        """Returns the configuration of ``skill-train <name>`` with this world or preset."""
        if preset is not None:
            return preset_config(name, preset, world)
        return default_skill_config(name, TABLETOP if world is None else world)

    def remarks(self, config: SkillConfig) -> Sequence[str]:
        """Returns the preset of the configuration, and its differences from the paper."""
        return remarks(config)

    def check(self, config: SkillConfig) -> None:
        """Builds world and networks once, to find errors before the run starts.

        Raises:
            ConfigError: the world cannot be built, the representation does not fit it, the replay
                does not fit into the memory, or the run has no gradient step.
        """
        check_preset(config)
        world = _world(config, 1)
        try:
            check_replay(config.run, episode_steps=world.spec.episode_steps)
            check_gradient_steps(config.run, episode_steps=world.spec.episode_steps)
            if config.algorithm.representation.sees_pixels:
                check_pixels(config, world)
            inputs, cpu = _inputs(config, world.spec), torch.device("cpu")
            algorithm = build_algorithm(config, inputs, world.spec, cpu)
            if config.run.device == "cpu":
                _rows(config, world.spec, algorithm.skill_size, cpu)
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
        sections = {"Preset": preset_section(config)} if config.preset else {}
        if not isinstance(config.task, TabletopConfig):
            world = _world(config, 1)
            world.close()
            limits = WORLD_LIMITS.format(world=world.spec.title, steps=world.spec.episode_steps)
            limits += pixel_limits(config)
            return CardNotes(limits=limits, metric_texts=METRIC_TEXTS, sections=sections)
        seen = config.algorithm.representation.inputs
        given = "" if seen in MEASURED else GIVEN.format(inputs=", ".join(seen))
        given = pixel_limits(config) or given
        limits = LIMITS.format(given=given, hand=hand_limits(config.task))
        return CardNotes(
            limits=limits,
            goal_limits=GOAL_LIMITS,
            metric_texts=METRIC_TEXTS,
            sections=sections,
        )


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
        size, unusual = self.algorithm.skill_size, self._unusual_rows()
        rows = _rows(config, spec, size, self._device, unusual)
        self._replay: ReplayBuffer | PixelReplay = rows
        self._collector: SkillCollector | AheadCollector
        if config.algorithm.representation.sees_pixels:
            self._replay = pixel_replay(config, rows, self._device)
            self._collector = pixel_collector(config, self._world, self.algorithm, self._replay)
        elif run.overlap:
            self._collector = AheadCollector(
                _CollectorThere(config, inputs),
                self.algorithm.actor,
                rows,
                run.n_envs * spec.episode_steps,
            )
        else:
            self._collector = _collector(config, self._world, self.algorithm, rows)
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

    def collect_round(self) -> Scalars:
        """Runs one round of episodes in every scene and stores its transitions.

        Returns:
            The number of cells that the training has visited, if it is known.
        """
        self._collector.collect_round()
        cells = self._collector.cumulative_cells
        return {} if cells is None else {"cumulative_cells": float(cells)}

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step on a new batch, with the learning rate that is due."""
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
        texts = {
            short: form.format(scalars[name])
            for short, (name, form) in SHOWN.items()
            if name in scalars
        }
        cells = self._collector.cumulative_cells
        return texts if cells is None else texts | {"visited": str(cells)}

    def stateful(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by name."""
        return self.algorithm.stateful()

    def close(self) -> None:
        """Ends the process that collects, if there is one, and frees scenes and camera."""
        self._close_collector()
        self._world.close()

    def _close_collector(self) -> None:
        if isinstance(self._collector, AheadCollector | PixelCollector):
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


def _rows(
    config: SkillConfig,
    spec: WorldSpec,
    skill_size: int,
    device: torch.device,
    unusual: UnusualRows | None = None,
) -> ReplayBuffer:
    """Returns the empty replay of a run.

    Raises:
        ConfigError: it does not fit into the memory.
    """
    return ReplayBuffer(
        config.run.replay_capacity,
        observation_size=spec.observation_size,
        action_size=spec.action_size,
        skill_size=skill_size,
        terminals=spec.has_terminals,
        unusual=unusual,
        unusual_share=config.run.unusual_share,
        device=device,
    )


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
    return build_world(config.task, n, seed=config.run.seed, threads=config.run.threads)


def _inputs(config: SkillConfig, spec: WorldSpec) -> NetworkInputs:
    phi, run = config.algorithm.representation, config.run
    flag = f"--{config.algorithm_name}.representation.inputs"
    return network_inputs(phi, config.task, spec, run.seed, run.normalization, named=flag)


def _saved_inputs(config: SkillConfig, state: dict[str, Any], spec: WorldSpec) -> NetworkInputs:
    """Returns the inputs of a state; a state of an older release has none, and needs none."""
    saved = state.get("inputs")
    return _inputs(config, spec) if saved is None else NetworkInputs.from_state_dict(saved)
