"""Collection of whole episodes in many scenes together, each scene with its own skill."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.algorithms.skills import sample_skills
from skill_training.data.replay import ReplayBuffer
from skill_training.nets.finite import check_action
from skill_training.seeding import torch_generator


class SkillCollector:
    """Fills a replay buffer from a tabletop, one round of episodes at a time.

    All scenes start and end their episodes together, so that between two rounds the only state is
    that of the random generators. No transition is terminal: an episode ends at a time limit.

    Args:
        tabletop: The scenes; a round has their episode length.
        algorithm: The acting algorithm, which defines the skill space.
        replay: Replay for the transitions, in raw units.
        observation_names: Observation fields of the policy, in order.
        warmup_steps: Environment steps at the start with uniform random actions.
        seed: Seed of skills and warm-up actions.
    """

    def __init__(
        self,
        tabletop: Tabletop,
        algorithm: SoftActorCritic,
        replay: ReplayBuffer,
        *,
        observation_names: tuple[str, ...],
        warmup_steps: int,
        seed: int,
    ) -> None:
        self._tabletop = tabletop
        self._algorithm = algorithm
        self._replay = replay
        self._names = observation_names
        self._warmup_steps = warmup_steps
        self._random = np.random.default_rng([seed, 3])
        self._skills = torch_generator(seed, "skills")
        self.env_steps = 0

    @property
    def steps_per_round(self) -> int:
        """Environment steps in one round."""
        return self._tabletop.n * self._tabletop.config.episode_steps

    @property
    def warming_up(self) -> bool:
        """Whether actions are uniform random ones."""
        return self.env_steps < self._warmup_steps

    def collect_round(self) -> None:
        """Runs one episode in every scene and stores its transitions.

        Raises:
            NotFiniteError: an action of the policy is not finite.
        """
        scene, algorithm = self._tabletop, self._algorithm
        scene.reset()
        skill = sample_skills(scene.n, algorithm.skill_size, self._skills)
        observation = scene.observe(self._names)
        random_actions = self.warming_up
        for _ in range(scene.config.episode_steps):
            action = self._random_action() if random_actions else self._act(observation, skill)
            scene.step(action)
            after = scene.observe(self._names)
            self._replay.add(observation, action, after, skill)
            observation = after
        self.env_steps += self.steps_per_round

    def state_dict(self) -> dict[str, Any]:
        """Returns counters and generators, between two rounds."""
        return {
            "env_steps": self.env_steps,
            "skills": self._skills.get_state(),
            "random": self._random.bit_generator.state,
            "tabletop": self._tabletop.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.env_steps = int(state["env_steps"])
        self._skills.set_state(state["skills"].cpu())
        self._random.bit_generator.state = state["random"]
        self._tabletop.rng.bit_generator.state = state["tabletop"]

    def _random_action(self) -> Array:
        return self._random.uniform(-1.0, 1.0, (self._tabletop.n, self._tabletop.action_size))

    def _act(self, observation: Array, skill: Tensor) -> Array:
        device = self._algorithm.device
        inputs = torch.as_tensor(observation, dtype=torch.float32, device=device)
        action = self._algorithm.act(inputs, skill.to(device), deterministic=False)
        return check_action(action.cpu().numpy().astype(np.float64), observation)
