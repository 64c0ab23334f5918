"""Hierarchical control: ``skill-train high``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.manifest import PolicyManifest
from skill_robots.worlds.downstream.config import skill_world
from skill_robots.worlds.registry import TABLETOP, make_world
from skill_training.algorithms.high_level.config import HighLevelConfig
from skill_training.algorithms.high_level.kinds import KINDS, AnyHighLevel
from skill_training.collection.choice_collector import ChoiceCollector, measure_choices
from skill_training.data.choices import ChoiceReplay
from skill_training.export.graph import PolicyGraph
from skill_training.export.high_level_graph import HighLevelGraph
from skill_training.recipes.checks import check_gradient_steps, check_no_preset
from skill_training.recipes.high_level.config import (
    HighConfig,
    check_hold_steps,
    default_high_config,
)
from skill_training.recipes.high_level.evaluation import Evaluator
from skill_training.recipes.high_level.low_level import LowLevel, read_low_level
from skill_training.recipes.high_level.manifest import build_manifest
from skill_training.recipes.high_level.scenes import make_scenes, world_config
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.seeding import restore_generator, torch_generator

CURVES = (
    Curve(name="eval/mean_return", title="mean return"),
    Curve(name="eval/first_goal_share", title="first goals reached", top=1.0),
    Curve(name="eval/later_goals_share", title="later goals reached", top=1.0),
    Curve(name="eval/hurdles_passed", title="hurdles passed"),
)

SHOWN = {
    "return": "mean_return",
    "first": "first_goal_share",
    "later": "later_goals_share",
    "hurdles": "hurdles_passed",
}
"""Metrics of the progress bar, by a short name."""

METRIC_TEXTS = {
    "mean_return": "mean return of an episode",
    "goals_reached": "goals reached in an episode",
    "first_goal_share": "first goals reached",
    "later_goals_share": "later goals reached",
    "steps_at_goals": "control steps of an episode within the radius of a goal",
    "hurdles_passed": "hurdles passed in an episode",
}

CONTROLS = {"": "", "random_": ", random skills", "zero_shot_": ", skills towards the goal"}
"""Texts about the choices that are scored, by the prefix of their metrics."""

ARM_LIMIT = "- Simulation only: the policy has not been run on a real arm.\n"
WORLD_LIMIT = "- Simulation only: the policy moves no arm, and `skill-serve` refuses it.\n"

LIMITS = """\
- It reaches a goal as precisely as the skills of the low level allow, and learned to stay within
  the radius above, not at the goal itself.
- A goal that changes has an effect at the next choice of a skill, after at most {steps} control
  steps.
"""

STATISTICS_SCENES = 64
"""Scenes, of one episode each, in which the observation is measured before training."""


class HighRecipe:
    """``skill-train high``."""

    config_types: Mapping[str, type[HighLevelConfig]] = {"high": HighLevelConfig}
    summaries: Mapping[str, str] = {
        "high": "Train a high level that picks skills of a policy file for a downstream task."
    }
    curves: Sequence[Curve] = CURVES

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> HighConfig:
        """Returns the configuration of ``skill-train high --world <task>`` without flags.

        Raises:
            ConfigError: a preset is given.
        """
        check_no_preset(name, preset)
        return default_high_config(world)

    def remarks(self, config: HighConfig) -> Sequence[str]:
        """Returns no lines."""
        del config
        return ()

    def check(self, config: HighConfig) -> None:
        """Reads the skills and builds one scene, to find errors before the run starts.

        Raises:
            ConfigError: the policy file cannot be used or does not fit the task, a skill is held
                too long, or the run has no gradient step.
        """
        check_gradient_steps(config.run, episode_steps=config.task.episode_steps)
        check_hold_steps(config)
        low_level = read_low_level(config.algorithm.low_level)
        world = world_config(config, low_level.manifest)
        make_scenes(config, low_level, world, 1, seed=config.run.seed).close()

    def build_learner(self, config: HighConfig, device: torch.device) -> HighLearner:
        """Returns the learner at its start.

        Raises:
            ConfigError: the policy file cannot be used, or does not fit the task.
        """
        return HighLearner(config, device)

    def shipped(
        self, config: HighConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's state, on the CPU, and its manifest.

        Raises:
            NothingToShipError: the task is not about the coordinates of its world.
        """
        low_level = LowLevel.from_state_dict(state["low_level"])
        world = world_config(config, low_level.manifest)
        made = make_world(world, 1)
        made.close()
        spec = made.spec
        manifest = build_manifest(config, facts, low_level, world, spec)
        assert spec.coordinates is not None
        places = spec.indices(spec.coordinates.names)
        size = spec.observation_size + len(places)
        algorithm = build_algorithm(
            config, low_level, ([0.0] * size, [1.0] * size), torch.device("cpu")
        )
        algorithm.actor.load_state_dict(state["algorithm"]["actor"])
        graph = HighLevelGraph(
            algorithm.actor, low_level.actor, places, config.algorithm.hold_steps
        )
        return graph, manifest

    def card_notes(self, config: HighConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        texts = {
            f"{prefix}{name}": f"{text}{how}"
            for prefix, how in CONTROLS.items()
            for name, text in METRIC_TEXTS.items()
        }
        skills = config.algorithm.low_level
        first = ARM_LIMIT if skill_world(config.task) == TABLETOP else WORLD_LIMIT
        return CardNotes(
            limits=first + LIMITS.format(steps=config.algorithm.hold_steps),
            metric_texts=texts,
            sections={
                "Training data": (
                    f"Soft actor-critic over skills of `{skills}`, learned in the world "
                    f"{skill_world(config.task)}, on the task {config.task.name}.\n"
                )
            },
        )


def build_algorithm(
    config: HighConfig,
    low_level: LowLevel,
    statistics: tuple[Sequence[float], Sequence[float]],
    device: torch.device,
) -> AnyHighLevel:
    """Returns the algorithm with randomly initialised networks.

    Args:
        config: The run.
        low_level: The skills.
        statistics: Mean and standard deviation of each observation entry.
        device: Device of the networks.
    """
    offset, scale = statistics
    return KINDS[low_level.kind](
        config.algorithm,
        scale=scale,
        offset=offset,
        skill_size=low_level.skill_size,
        device=device,
        seed=config.run.seed,
    )


class HighLearner:
    """A high level with its scenes, its replay and its evaluation."""

    def __init__(self, config: HighConfig, device: torch.device) -> None:
        run = config.run
        self._config = config
        self._low_level = low_level = read_low_level(config.algorithm.low_level)
        world = world_config(config, low_level.manifest)
        self._scenes = make_scenes(config, low_level, world, run.n_envs, seed=run.seed)
        measured = make_scenes(config, low_level, world, STATISTICS_SCENES, seed=run.seed)
        try:
            statistics = measure_choices(
                measured, skill_size=low_level.skill_size, kind=low_level.kind, seed=run.seed
            )
        finally:
            measured.close()
        self.algorithm = build_algorithm(config, low_level, statistics, device)
        self._replay = ChoiceReplay(
            run.replay_capacity,
            observation_size=len(statistics[0]),
            choice_size=low_level.skill_size,
            device=device,
        )
        self._collector = ChoiceCollector(
            self._scenes,
            self.algorithm,
            self._replay,
            kind=low_level.kind,
            warmup_steps=run.warmup_steps,
            seed=run.seed,
        )
        self._batches = torch_generator(run.seed, "batches", device)
        self._evaluator = Evaluator(config, low_level, self.algorithm)

    @property
    def env_steps(self) -> int:
        """Control steps collected."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Control steps that one round adds."""
        return self._collector.steps_per_round

    def collect_round(self) -> Scalars:
        """Runs one round of episodes in every scene and stores the choices."""
        return {"mean_return": self._collector.collect_round()}

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step on a new batch."""
        batch_size = self._config.algorithm.batch_size
        return self.algorithm.update(self._replay.sample(batch_size, self._batches))

    def evaluate_quick(self) -> Scalars:
        """Returns the scores of a few episodes."""
        return self._evaluator.quick()

    def evaluate_full(self) -> Scalars:
        """Returns the scores of many episodes, and those of choices without training."""
        return self._evaluator.full()

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns the texts of the progress bar."""
        return {short: f"{scalars[name]:.2f}" for short, name in SHOWN.items() if name in scalars}

    def stateful(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by name."""
        return self.algorithm.stateful()

    def close(self) -> None:
        """Frees the scenes."""
        self._scenes.close()

    def state_dict(self) -> dict[str, Any]:
        """Returns the whole state between two rounds, with the frozen skills."""
        return {
            "algorithm": self.algorithm.state_dict(),
            "low_level": self._low_level.state_dict(),
            "replay": self._replay.state_dict(),
            "collector": self._collector.state_dict(),
            "batches": self._batches.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            ValueError: the policy file has other skills than when the run began.
        """
        if not self._low_level.is_that_of(state["low_level"]):
            raise ValueError(
                f"{self._config.algorithm.low_level} has other skills than when the run began"
            )
        self.algorithm.load_state_dict(state["algorithm"])
        if state["replay"] is not None:
            self._replay.load_state_dict(state["replay"])
        self._collector.load_state_dict(state["collector"])
        restore_generator(self._batches, state["batches"])
