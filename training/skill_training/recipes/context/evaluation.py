"""Scores of a policy with a context: returns by set of contexts, and R2 of hidden quantities."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.metrics import defined
from skill_robots.worlds.evaluation import exact
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.registry import ConfigWithSets, WorldConfig
from skill_robots.worlds.world import Split, World
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.context_scenes import ContextScenes
from skill_training.export.calibration import estimate, log_r2
from skill_training.recipes.build_world import build_world
from skill_training.recipes.context.config import ContextConfig
from skill_training.recipes.context.quantities import HiddenQuantities
from skill_training.recipes.recipe import Scalars

EVALUATION_SEED = 100
"""Seed of starts and contexts of the final scores."""

PROGRESS_SEED = 1000
"""The same of scores during training, on which settings may be chosen."""

SPLITS: tuple[Split, ...] = ("train", "moderate", "extreme")

TRAINED = "train"
"""Name of the set of contexts of training."""


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """One deterministic episode in each scene of a world."""

    returns: Array
    """``(n,)``."""
    contexts: Array
    """``(N, C)`` of all steps in the second half of an episode."""
    estimates: Array
    """``(n, K)`` at the end of the episode, as :class:`HiddenQuantities` has them."""
    truth: Array
    """``(n, K)``, likewise."""


def roll_out(algorithm: ContextSac, world: World, quantities: HiddenQuantities) -> Rollouts:
    """Runs one deterministic episode in every scene, from a zero state of the encoder.

    A scene whose episode ends early is stepped on; its record stays as it was at the end.

    Raises:
        NotFiniteError: an action is not finite.
    """
    scenes = ContextScenes.reset(world, algorithm, quantities.truth)
    truth = quantities.truth(world.hidden())
    returns, counted = np.zeros(world.n), np.zeros(world.n)
    running = np.ones(world.n, dtype=np.bool_)
    last = torch.zeros(world.n, algorithm.config.encoder.size, device=algorithm.device)
    contexts: list[Array] = []
    for _ in range(world.spec.episode_steps):
        step = scenes.step(deterministic=True)
        live = torch.as_tensor(running, device=algorithm.device)
        last = torch.where(live[:, None], step.context, last)
        contexts.append(step.context.cpu().numpy().astype(np.float64))
        returns += np.where(running, step.result.reward, 0.0)
        counted += running
        running &= ~step.result.ended
        if step.result.ended.any():
            scenes.restart(np.flatnonzero(step.result.ended))
    time = np.arange(len(contexts))
    second_half = (time >= counted[:, None] // 2) & (time < counted[:, None])
    return Rollouts(
        returns=returns,
        contexts=np.stack(contexts, axis=1)[second_half],
        estimates=estimate(algorithm, last),
        truth=truth,
    )


def context_sets(task: WorldConfig) -> dict[str, WorldConfig]:
    """Returns the world with each set of contexts that it has, in the order of distance."""
    if not isinstance(task, ConfigWithSets):
        return {TRAINED: task}
    return {name: replace(task, contexts=name) for name in SPLITS}


class Evaluator:
    """Evaluates the averaged policy in scenes of its own.

    Args:
        config: The run.
        algorithm: The algorithm.
        quantities: The hidden quantities of the world.

    Attributes:
        quantities: The same; a resumed run replaces them by those of its state.
    """

    def __init__(
        self, config: ContextConfig, algorithm: ContextSac, quantities: HiddenQuantities
    ) -> None:
        self._config, self._algorithm = config, algorithm
        self.quantities = quantities

    def quick(self) -> Scalars:
        """Returns the scores of a few episodes, with the integrator of training."""
        return self._scores(self._config.run.eval_episodes, PROGRESS_SEED, of_papers=False)

    def full(self) -> Scalars:
        """Returns the scores of many episodes, with the integrator of published scores."""
        return self._scores(self._config.run.final_eval_episodes, EVALUATION_SEED, of_papers=True)

    def _scores(self, episodes: int, seed: int, *, of_papers: bool) -> Scalars:
        scores: Scalars = {}
        for name, task in context_sets(self._config.task).items():
            found = self.rollouts(exact(task) if of_papers else task, episodes, seed)
            scores[f"return.{name}"] = float(found.returns.mean())
            scores[f"return_std.{name}"] = float(found.returns.std())
            if self._config.algorithm.knowledge != "inferred":
                continue
            shares = log_r2(found.truth, found.estimates)
            scores |= {
                f"r2.{quantity.name}.{name}": share
                for quantity, share in zip(self.quantities.quantities, shares, strict=True)
            }
        return defined(scores)  # without R2 of a quantity that is constant in a set

    def rollouts(self, task: WorldConfig, episodes: int, seed: int) -> Rollouts:
        """Runs episodes in a world of these settings.

        Raises:
            ConfigError: the world cannot be built.
        """
        if isinstance(task, GymnasiumConfig):
            task = replace(task, processes=False)
        world = build_world(task, episodes, seed=seed, threads=self._config.run.threads)
        with closing(world):
            return roll_out(self._algorithm, world, self.quantities)
