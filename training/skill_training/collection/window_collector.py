"""Collection of long episodes as windows, with the encoder's state at the start of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.worlds.world import Step, World
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import infer
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import State
from skill_training.nets.finite import check_action


class WindowCollector:
    """Runs rounds of one episode in every scene of a world and stores them as windows.

    A scene whose episode ends early starts another one at once. Only the steps before the end count
    in its window; the rest of that window is not stored.

    Args:
        world: The scenes.
        algorithm: The acting algorithm.
        replay: Replay for the windows.
        window: Control steps of a window, a divisor of the episode's.
        warmup_steps: Environment steps at the start with uniform random actions.
        seed: Seed of these actions.
        truth: Hidden quantities ``(n, K)`` as the encoder estimates them, from the raw ones.
    """

    def __init__(
        self,
        world: World,
        algorithm: ContextSac,
        replay: EpisodeReplay,
        *,
        window: int,
        warmup_steps: int,
        seed: int,
        truth: Callable[[Array], Array],
    ) -> None:
        self._world, self._algorithm, self._replay = world, algorithm, replay
        self._truth = truth
        self._steps, self._warmup_steps = window, warmup_steps
        self._random = np.random.default_rng([seed, 3])
        self.env_steps = 0

    @property
    def steps_per_round(self) -> int:
        """Environment steps in one round."""
        return self._world.n * self._world.spec.episode_steps

    def collect_round(self) -> float:
        """Runs one episode in every scene and stores its windows.

        Returns:
            The mean return of a scene.

        Raises:
            NotFiniteError: an action of the policy is not finite.
        """
        self._algorithm.end_block()
        scenes = _Scenes.reset(self._world, self._algorithm, self._truth)
        gained = 0.0
        for _ in range(self._world.spec.episode_steps // self._steps):
            gained += self._run_window(scenes)
        self.env_steps += self.steps_per_round
        return gained / self._world.n

    def _run_window(self, scenes: _Scenes) -> float:
        """Runs and stores one window of every scene; returns the sum of all rewards."""
        warming_up = self.env_steps < self._warmup_steps
        window = _Window(scenes)
        total = 0.0
        for _ in range(self._steps):
            action = self._random_actions() if warming_up else None
            seen, action, step = scenes.step(action)
            window.record(seen, action, step, scenes.truth)
            total += float(step.reward.sum())
            if step.ended.any():
                scenes.restart(np.flatnonzero(step.ended))
        self._replay.add(window.episodes(self._algorithm.device))
        return total

    def _random_actions(self) -> Array:
        return self._random.uniform(-1.0, 1.0, (self._world.n, self._world.spec.action_size))

    def state_dict(self) -> dict[str, Any]:
        """Returns counters and generators, between two rounds."""
        return {
            "env_steps": self.env_steps,
            "random": self._random.bit_generator.state,
            "world": self._world.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.env_steps = int(state["env_steps"])
        self._random.bit_generator.state = state["random"]
        self._world.load_state_dict(state["world"])


@dataclass(slots=True)
class _Scenes:
    """Scenes in mid-episode, with the encoder's state."""

    world: World
    algorithm: ContextSac
    to_truth: Callable[[Array], Array]
    observation: Array
    previous: Tensor
    state: State

    @classmethod
    def reset(
        cls, world: World, algorithm: ContextSac, to_truth: Callable[[Array], Array]
    ) -> _Scenes:
        """Starts an episode in every scene."""
        previous = torch.zeros(world.n, world.spec.action_size, device=algorithm.device)
        state = algorithm.encoder.initial_state(world.n)
        return cls(world, algorithm, to_truth, world.reset(), previous, state)

    @property
    def truth(self) -> Array:
        """``(n, K)`` hidden quantities, as the encoder estimates them."""
        return self.to_truth(self.world.hidden())

    @torch.no_grad()
    def step(self, action: Array | None) -> tuple[Array, Array, Step]:
        """Runs one control step with the policy's action, or the given one.

        Returns:
            Observation and action of the step, and its result.
        """
        algorithm, seen = self.algorithm, self.observation
        observation, truth = self._tensor(seen), self._tensor(self.truth)
        context, self.state = infer(algorithm, observation, self.previous, truth, self.state)
        if action is None:
            nothing = observation[:, :0]  # the goal
            chosen = algorithm.act(observation, nothing, context)
            action = check_action(chosen.cpu().numpy().astype(np.float64), seen)
        self.previous = self._tensor(action)
        result = self.world.step(action)
        self.observation = result.observation
        return seen, action, result

    def restart(self, ids: Ids) -> None:
        """Starts a new episode in some scenes."""
        self.observation = self.world.reset(ids)
        rows = torch.as_tensor(ids, device=self.previous.device)
        self.previous = self.previous.index_fill(0, rows, 0.0)
        hidden, cell = self.state
        self.state = (hidden.index_fill(0, rows, 0.0), cell.index_fill(0, rows, 0.0))

    def _tensor(self, array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.algorithm.device)


@dataclass(slots=True)
class _Window:
    """The record of one window of all scenes, which begins at its construction."""

    scenes: _Scenes
    observations: list[Array] = field(default_factory=list[Array])
    arrivals: list[Array] = field(default_factory=list[Array])
    actions: list[Array] = field(default_factory=list[Array])
    truths: list[Array] = field(default_factory=list[Array])
    rewards: list[Array] = field(default_factory=list[Array])
    before: Tensor = field(init=False)
    state: State = field(init=False)
    task: Ids = field(init=False)
    length: Ids = field(init=False)
    terminal: Flags = field(init=False)
    open: Flags = field(init=False)

    def __post_init__(self) -> None:
        """Notes the scenes' state before the first step."""
        scenes, n = self.scenes, self.scenes.world.n
        self.before, self.state = scenes.previous, scenes.state
        self.truths.append(scenes.truth.copy())
        self.task = task_ids(self.truths[0])
        self.length = np.zeros(n, dtype=np.int64)
        self.terminal, self.open = np.zeros(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)

    def record(self, seen: Array, action: Array, step: Step, truth: Array) -> None:
        """Records one control step."""
        self.observations.append(seen.copy())
        self.arrivals.append(step.observation.copy())
        self.actions.append(action.copy())
        self.rewards.append(step.reward.copy())
        self.truths.append(truth.copy())
        valid = self.open if step.valid is None else self.open & step.valid
        self.length += valid
        self.terminal |= valid & step.terminated
        self.open = self.open & ~step.ended

    def episodes(self, device: torch.device) -> Episodes:
        """Returns the windows with at least one step that counts."""
        counted = np.arange(len(self.rewards)) < self.length[:, None]
        observation = np.stack((*self.observations, self.arrivals[-1]), axis=1)
        # The last observation of an episode, where the next one has begun.
        last = np.maximum(self.length, 1)
        rows = np.arange(len(last))
        observation[rows, last] = np.stack(self.arrivals, axis=1)[rows, last - 1]
        reward = np.stack(self.rewards, axis=1) * counted
        values = {
            "observation": observation,
            "action": np.stack(self.actions, axis=1),
            "truth": np.stack(self.truths, axis=1),
            "reward": reward,
            "returns": reward.sum(axis=1),
        }
        found = {
            name: torch.as_tensor(value, dtype=torch.float32, device=device)
            for name, value in values.items()
        }
        n, steps = reward.shape
        kept = torch.as_tensor(np.flatnonzero(self.length > 0), device=device)
        return Episodes(
            **found,
            goal=torch.zeros(n, steps, 0, device=device),
            hidden=self.state[0],
            cell=self.state[1],
            before=self.before,
            task=torch.as_tensor(self.task, device=device),
            demonstrated=torch.zeros(n, steps, dtype=torch.bool, device=device),
            length=torch.as_tensor(self.length, device=device),
            terminal=torch.as_tensor(self.terminal, device=device),
        ).take(kept)


def task_ids(hidden: Array) -> Ids:
    """Returns numbers ``(n,)`` of the rows ``(n, K)``, the same for equal rows in any run."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=7).digest() for row in hidden + 0.0]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.int64)
