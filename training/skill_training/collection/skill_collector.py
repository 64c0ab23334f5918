"""Collection of whole episodes in many scenes together, each scene with its own skill."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.world import Step, World
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.collection.visited_cells import VisitedCells
from skill_training.data.replay import Flags, Rows
from skill_training.nets.finite import check_action
from skill_training.seeding import torch_generator


class Replay(Protocol):
    """Takes transitions; see :class:`~skill_training.data.replay.ReplayBuffer`."""

    def add(
        self,
        observation: Rows,
        action: Rows,
        next_observation: Rows,
        skill: Rows,
        terminal: Rows | Flags | None = None,
        /,
    ) -> None:
        """Appends transitions."""
        ...


class SkillCollector:
    """Fills a replay buffer from a world, one round of episodes at a time.

    All scenes start and end their rounds together, so that between two rounds there is no state but
    random generators and counts. A scene whose episode ends earlier starts another one with the
    same skill.

    Args:
        world: The scenes; a round has their episode length.
        algorithm: The acting algorithm, which defines the skill space.
        replay: Replay for the transitions, in raw units.
        terminals: Whether the replay stores terminals.
        warmup_steps: Environment steps at the start with uniform random actions.
        seed: Seed of skills and warm-up actions.
    """

    def __init__(
        self,
        world: World,
        algorithm: SoftActorCritic,
        replay: Replay,
        *,
        terminals: bool = False,
        warmup_steps: int,
        seed: int,
    ) -> None:
        self.world = world
        self.algorithm = algorithm
        self._replay = replay
        self._terminals = terminals
        self._warmup_steps = warmup_steps
        self._random = np.random.default_rng([seed, 3])
        self._skills = torch_generator(seed, "skills")
        self._visited = VisitedCells(world.spec.coordinates)
        self.env_steps = 0

    @property
    def steps_per_round(self) -> int:
        """Environment steps in one round."""
        return self.world.n * self.world.spec.episode_steps

    @property
    def cumulative_cells(self) -> int | None:
        """Number of cells visited since the start of the training; None if it is not known."""
        return self._visited.count

    @property
    def warming_up(self) -> bool:
        """Whether actions are uniform random ones."""
        return self.env_steps < self._warmup_steps

    def collect_round(self) -> None:
        """Runs one round of episodes in every scene and stores its transitions.

        Raises:
            NotFiniteError: an action of the policy is not finite.
        """
        world = self.world
        observation = world.reset()
        self._visited.start(world.coordinates())
        self.started(0)
        skill = self.algorithm.sample_skills(world.n, self._skills)
        random_actions = self.warming_up
        for time in range(world.spec.episode_steps):
            action = self._random_action() if random_actions else self._act(observation, skill)
            step = world.step(action)
            self.store(time, observation, action, step, skill)
            observation = step.observation
            self._visited.visit(world.coordinates())
            if step.ended.any():
                ended = np.flatnonzero(step.ended)
                observation = world.reset(ended)
                self._visited.start(world.coordinates(), ended)
                self.started(time + 1, ended)
        self._visited.end_round()
        self.env_steps += self.steps_per_round

    def started(self, time: int, ids: Ids | None = None) -> None:
        """Is called after the scenes ``ids`` (all by default) have started an episode.

        Args:
            time: Control steps since the start of the round.
            ids: The scenes.
        """

    def store(
        self, time: int, observation: Array, action: Array, step: Step, skill: Tensor
    ) -> None:
        """Stores one control step of all scenes, apart from invalid ones.

        Args:
            time: Control steps since the start of the round, before the step.
            observation: ``(n, O)`` before the step.
            action: ``(n, A)``.
            step: The result.
            skill: ``(n, Z)``.
        """
        del time
        rows = slice(None) if step.valid is None else np.flatnonzero(step.valid)
        terminal = step.terminated[rows] if self._terminals else None
        self._replay.add(
            observation[rows], action[rows], step.observation[rows], skill[rows], terminal
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns counters, generators and visited cells, between two rounds."""
        return {
            "env_steps": self.env_steps,
            "skills": self._skills.get_state(),
            "random": self._random.bit_generator.state,
            "world": self.world.state_dict(),
            "visited": self._visited.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.env_steps = int(state["env_steps"])
        self._skills.set_state(state["skills"].cpu())
        self._random.bit_generator.state = state["random"]
        self._visited.load_state_dict(state.get("visited"))
        if "tabletop" in state:  # a checkpoint of an older release
            self.world.load_state_dict({"rng": state["tabletop"]})
        else:
            self.world.load_state_dict(state["world"])

    def _random_action(self) -> Array:
        return self._random.uniform(-1.0, 1.0, (self.world.n, self.world.spec.action_size))

    def _act(self, observation: Array, skill: Tensor) -> Array:
        device = self.algorithm.device
        inputs = torch.as_tensor(observation, dtype=torch.float32, device=device)
        action = self.algorithm.act(inputs, skill.to(device), deterministic=False)
        return check_action(action.cpu().numpy().astype(np.float64), observation)
