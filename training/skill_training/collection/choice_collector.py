"""Collection of a high level's choices, whole episodes in many scenes together."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array
from skill_robots.worlds.downstream.held_skills import HeldSkills
from skill_training.algorithms.high_level.kinds import AnyHighLevel
from skill_training.algorithms.skills import SkillKind, sample_skills
from skill_training.collection.statistics import neutral
from skill_training.data.choices import ChoiceReplay
from skill_training.nets.finite import check_action
from skill_training.seeding import torch_generator


class ChoiceCollector:
    """Fills a replay from a task, one round of episodes at a time.

    All scenes start and end their rounds together, so that between two rounds the only state is
    that of the random generators. A scene whose episode ends earlier starts another one.

    Args:
        world: The scenes.
        algorithm: The high level.
        replay: Replay for its choices.
        kind: Kind of the skills.
        warmup_steps: Control steps at the start with random skills.
        seed: Seed of the random skills.
    """

    def __init__(
        self,
        world: HeldSkills,
        algorithm: AnyHighLevel,
        replay: ChoiceReplay,
        *,
        kind: SkillKind,
        warmup_steps: int,
        seed: int,
    ) -> None:
        self._world = world
        self._algorithm = algorithm
        self._replay = replay
        self._kind: SkillKind = kind
        self._warmup_steps = warmup_steps
        self._random = torch_generator(seed, "skills")
        self.env_steps = 0

    @property
    def steps_per_round(self) -> int:
        """Control steps in one round."""
        return self._world.n * self._world.world.spec.episode_steps

    def collect_round(self) -> float:
        """Runs one round of episodes in every scene and stores the choices.

        Returns:
            The mean return of a scene in this round.

        Raises:
            NotFiniteError: a choice is not finite.
        """
        world, rewards = self._world, np.zeros(self._world.n)
        observation = world.reset()
        random = self.env_steps < self._warmup_steps
        for _ in range(world.choices):
            choice = self._random_choice() if random else self._choose(observation)
            step = world.step(_array(self._algorithm.skill(choice)))
            rewards += step.reward
            rows = slice(None) if step.valid is None else np.flatnonzero(step.valid)
            self._replay.add(
                observation[rows],
                choice[rows],
                step.reward[rows],
                step.observation[rows],
                step.terminated[rows],
            )
            observation = step.observation
            if step.ended.any():
                observation = world.reset(np.flatnonzero(step.ended))
        self.env_steps += self.steps_per_round
        return float(rewards.mean())

    def state_dict(self) -> dict[str, Any]:
        """Returns counters and generators, between two rounds."""
        return {
            "env_steps": self.env_steps,
            "skills": self._random.get_state(),
            "world": self._world.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.env_steps = int(state["env_steps"])
        self._random.set_state(state["skills"].cpu())
        self._world.load_state_dict(state["world"])

    def _random_choice(self) -> Tensor:
        size = self._algorithm.skill_size
        return sample_skills(self._world.n, size, self._random, self._kind)

    def _choose(self, observation: Array) -> Tensor:
        inputs = torch.as_tensor(observation, dtype=torch.float32, device=self._algorithm.device)
        choice = self._algorithm.choose(inputs).cpu()
        check_action(_array(choice), observation)
        return choice


def measure_choices(
    world: HeldSkills, *, skill_size: int, kind: SkillKind, seed: int
) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each observation entry under random skills.

    The standard deviation of a constant entry is given as 1.

    One episode runs in each scene; the generators of the world advance.
    """
    random = torch_generator(seed, "statistics")
    seen = [world.reset()]
    for _ in range(world.choices):
        step = world.step(_array(sample_skills(world.n, skill_size, random, kind)))
        seen.append(step.observation)
        if step.ended.any():
            seen.append(world.reset(np.flatnonzero(step.ended)))
    rows = np.concatenate(seen)
    std = neutral(rows.std(axis=0), np.ones(rows.shape[1]))
    return rows.mean(axis=0).tolist(), std.tolist()


def _array(values: Tensor) -> Array:
    return values.cpu().numpy().astype(np.float64)
