"""CSF and METRA on the tabletop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.collection.skill_collector import SkillCollector
from skill_training.data.replay import ReplayBuffer
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.evaluation import Evaluator
from skill_training.recipes.discovery.manifest import build_manifest, representation_inputs
from skill_training.recipes.discovery.policy import OBSERVATION, build_algorithm, build_graph
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.seeding import restore_generator, torch_generator

CONFIG_TYPES = {"csf": CsfConfig, "metra": MetraConfig}

SUMMARIES = {
    "csf": "Train skills with contrastive successor features (CSF).",
    "metra": "Train skills with METRA.",
}

CURVES = (
    Curve(name="eval/moved_share_10cm", title="cube moved > 10 cm [share]", top=1.0),
    Curve(name="eval/displacement_cells_2cm", title="2 cm cells reached", top=500.0),
    Curve(name="eval/octants", title="octants reached", top=8.0),
    Curve(name="eval/displacement_r2", title="R² of displacement from skill", top=1.0),
    Curve(name="eval/median_displacement_m", title="median displacement [m]", top=0.4),
    Curve(name="eval/phi_singular_value_ratio", title="singular-value ratio of φ", top=1.0),
)

SHOWN = {
    "moved>10cm": ("moved_share_10cm", "{:.2f}"),
    "cells": ("displacement_cells_2cm", "{:.0f}"),
    "octants": ("octants", "{:.0f}"),
    "R2": ("displacement_r2", "{:.2f}"),
    "sv": ("phi_singular_value_ratio", "{:.2f}"),
}
"""Metric and format of each text of the progress bar, by a short name."""

LIMITS = """\
- Simulation only: the policy has not been run on a real arm.
- The skill space is given: the inputs of the representation ({inputs}) were chosen by hand.
- One 4 cm cube on a flat table, the gripper closed and pointing down; it pushes, it does not grasp.
- Behaviour outside the ranges above is not tested. A cube that slides further than the trained ones
  (low friction) overshoots goals; a cube that is too heavy for the plant's force limit stays put.
- Pushes away from the base end at the border of the workspace.
- Goals end at x = 0.10 m. The end effector does not get behind a cube at the end of its workspace
  (x = 0.15 m), so a cube there is not brought back.
"""
"""Limits of use, with a place for the inputs of the representation."""

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
}


class SkillRecipe:
    """CSF and METRA on the tabletop."""

    config_types: Mapping[str, type[CsfConfig] | type[MetraConfig]] = CONFIG_TYPES
    summaries: Mapping[str, str] = SUMMARIES
    curves: Sequence[Curve] = CURVES

    def default_config(self, name: str) -> SkillConfig:
        """Returns the configuration of ``skill-train <name>`` without flags."""
        return SkillConfig(algorithm=CONFIG_TYPES[name]())

    def check(self, config: SkillConfig) -> None:
        """Builds the networks once, to find errors before the run starts.

        Raises:
            ConfigError: the observation has no such field or component for the representation.
        """
        build_algorithm(config, torch.device("cpu"))

    def build_learner(self, config: SkillConfig, device: torch.device) -> SkillLearner:
        """Returns the learner at its start.

        Raises:
            ConfigError: the observation has no such field or component for the representation.
        """
        return SkillLearner(config, device)

    def shipped(
        self, config: SkillConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's state, on the CPU, and its manifest."""
        algorithm = build_algorithm(config, torch.device("cpu"))
        algorithm.actor.load_state_dict(state["algorithm"]["actor"])
        algorithm.representation.load_state_dict(state["algorithm"]["representation"])
        return build_graph(config, algorithm), build_manifest(config, facts)

    def card_notes(self, config: SkillConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        inputs = ", ".join(representation_inputs(config))
        return CardNotes(limits=LIMITS.format(inputs=inputs), metric_texts=METRIC_TEXTS)


class SkillLearner:
    """A skill algorithm with its scenes, its replay and its evaluation."""

    def __init__(self, config: SkillConfig, device: torch.device) -> None:
        run = config.run
        self.algorithm = build_algorithm(config, device)
        self._batch_size = config.algorithm.batch_size
        self._replay = ReplayBuffer(
            run.replay_capacity,
            observation_size=len(self.algorithm.actor.normalizer.scale),
            action_size=Tabletop.action_size,
            skill_size=self.algorithm.skill_size,
            device=device,
        )
        self._batches = torch_generator(run.seed, "batches", device)
        self._collector = SkillCollector(
            Tabletop(config.task, run.n_envs, seed=run.seed, threads=run.threads),
            self.algorithm,
            self._replay,
            observation_names=OBSERVATION,
            warmup_steps=run.warmup_steps,
            seed=run.seed,
        )
        graph = build_graph(config, self.algorithm)
        self._evaluator = Evaluator(config, graph, self.algorithm.representation)

    @property
    def env_steps(self) -> int:
        """Environment steps collected."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        return self._collector.steps_per_round

    def collect_round(self) -> None:
        """Runs one episode in every scene and stores its transitions."""
        self._collector.collect_round()

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step on a new batch."""
        return self.algorithm.update(self._replay.sample(self._batch_size, self._batches))

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

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds."""
        return {
            "algorithm": self.algorithm.state_dict(),
            "replay": self._replay.state_dict(),
            "collector": self._collector.state_dict(),
            "batches": self._batches.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.algorithm.load_state_dict(state["algorithm"])
        if state["replay"] is not None:
            self._replay.load_state_dict(state["replay"])
        self._collector.load_state_dict(state["collector"])
        restore_generator(self._batches, state["batches"])
