"""Base of learners with a context: scenes, replay, algorithm and their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import EpisodeCollector
from skill_training.collection.episode_recorder import World
from skill_training.config import RunSettings
from skill_training.data.episodes import EpisodeReplay
from skill_training.recipes.recipe import Scalars

MIN_STD = 1e-3
"""Standard deviation of a quantity whose range is a single point."""


class Collector(Protocol):
    """Fills a replay, one round at a time."""

    env_steps: int

    @property
    def steps_per_round(self) -> int:
        """Environment steps in one round."""
        ...

    def collect_round(self) -> object:
        """Runs one round and stores it."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the state between two rounds."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        ...


class ContextLearner:
    """A :class:`~skill_training.recipes.recipe.Learner` without its evaluations.

    Args:
        algorithm: The algorithm at its start.
        replay: The replay.
        collector: Fills the replay.
    """

    def __init__(self, algorithm: ContextSac, replay: EpisodeReplay, collector: Collector) -> None:
        self.algorithm = algorithm
        self._replay, self._collector = replay, collector

    @property
    def env_steps(self) -> int:
        """Environment steps collected, without demonstrations."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        return self._collector.steps_per_round

    def begin(self) -> None:
        """Loads initial weights or demonstrations, once before the first round.

        A resumed run has them in its state.

        Raises:
            ConfigError: a file is missing or does not fit.
        """

    def collect_round(self) -> Scalars:
        """Runs one episode in every scene and stores it; there are no counts to log.

        Raises:
            ConfigError: :meth:`begin` raised it, before the first round.
        """
        if not self.env_steps:
            self.begin()
        self._collector.collect_round()
        return {}

    def update(self) -> dict[str, Tensor]:
        """Takes one gradient step."""
        return self.algorithm.update(self._replay)

    def stateful(self) -> Mapping[str, nn.Module | Optimizer]:
        """Returns the networks and optimisers by name."""
        return self.algorithm.stateful()

    def close(self) -> None:
        """Has no effect: there is no other process."""

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


class EpisodeLearner(ContextLearner):
    """A learner from whole episodes.

    Args:
        algorithm: The algorithm at its start.
        world: The scenes of training.
        run: Seed and size of the replay.
        carried_share: See :class:`EpisodeCollector`.
        demonstrator: See :class:`EpisodeCollector`.
    """

    def __init__(
        self,
        algorithm: ContextSac,
        world: World,
        run: RunSettings,
        *,
        carried_share: float = 0.0,
        demonstrator: Policy | None = None,
    ) -> None:
        capacity = run.replay_capacity // world.episode_steps
        replay = EpisodeReplay(capacity, algorithm.device)
        collector = EpisodeCollector(
            world,
            algorithm,
            replay,
            carried_share=carried_share,
            seed=run.seed,
            demonstrator=demonstrator,
        )
        super().__init__(algorithm, replay, collector)


def log_uniform_moments(ends: Array) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of the logs of log-uniform quantities.

    Args:
        ends: ``(2, K)`` logs of the lower and upper bounds.
    """
    std = np.maximum((ends[1] - ends[0]) / np.sqrt(12.0), MIN_STD)
    return ends.mean(0).tolist(), std.tolist()
