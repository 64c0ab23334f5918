"""Collection of long episodes as windows, with the encoder's state at the start of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.world import World
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.context_scenes import ContextScenes, ContextStep, ToTruth
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import State


class WindowCollector:
    """Runs rounds of one episode in every scene of a world and stores them as windows.

    A scene whose episode ends early starts another one at once. Its window then becomes two entries
    of the replay, in which fewer steps count.

    Args:
        world: The scenes.
        algorithm: The acting algorithm.
        replay: Replay for the windows.
        window: Control steps of a window, a divisor of the episode's.
        warmup_steps: Environment steps at the start with uniform random actions.
        seed: Seed of these actions.
        to_truth: Hidden quantities as the encoder estimates them.
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
        to_truth: ToTruth,
    ) -> None:
        self._world, self._algorithm, self._replay = world, algorithm, replay
        self._to_truth = to_truth
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
            The mean return of the episodes, those included that the end of the round cuts short.

        Raises:
            NotFiniteError: an action of the policy is not finite.
        """
        self._algorithm.end_block()
        scenes = ContextScenes.reset(self._world, self._algorithm, self._to_truth)
        gained = 0.0
        for _ in range(self._world.spec.episode_steps // self._steps):
            gained += self._run_window(scenes)
        self.env_steps += self.steps_per_round
        return gained / scenes.begun

    def _run_window(self, scenes: ContextScenes) -> float:
        """Runs and stores one window of every scene; returns the sum of all rewards."""
        warming_up = self.env_steps < self._warmup_steps
        window = _Window(scenes)
        total = 0.0
        for _ in range(self._steps):
            step = scenes.step(self._random_actions() if warming_up else None)
            window.record(step)
            total += float(step.result.reward.sum())
            ended = np.flatnonzero(step.result.ended)
            if len(ended):
                scenes.restart(ended)
        episodes = window.episodes(self._algorithm.device)
        if episodes is not None:
            self._replay.add(episodes)
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
class _Window:
    """The record of one window of all scenes, which begins at its construction."""

    scenes: ContextScenes
    observations: list[Array] = field(default_factory=list[Array])
    arrivals: list[Array] = field(default_factory=list[Array])
    actions: list[Array] = field(default_factory=list[Array])
    hidden: list[Array] = field(default_factory=list[Array])
    rewards: list[Array] = field(default_factory=list[Array])
    parts: list[_Part] = field(default_factory=list["_Part"])
    before: Tensor = field(init=False)
    state: State = field(init=False)
    begun: Ids = field(init=False)

    def __post_init__(self) -> None:
        """Notes the scenes' state before the first step."""
        self.before, self.state = self.scenes.previous, self.scenes.state
        self.begun = np.zeros(self.scenes.world.n, dtype=np.int64)

    def record(self, step: ContextStep) -> None:
        """Records one control step, before scenes whose episode it has ended start anew."""
        time, result = len(self.rewards), step.result
        self.observations.append(step.seen.copy())
        self.arrivals.append(result.observation.copy())
        self.actions.append(step.action.copy())
        self.rewards.append(result.reward.copy())
        self.hidden.append(step.hidden)
        for scene in np.flatnonzero(result.ended).tolist():
            # An unstable step leads nowhere.
            counts = result.valid is None or bool(result.valid[scene])
            self._close(scene, time + counts, terminal=counts and bool(result.terminated[scene]))
            self.begun[scene] = time + 1

    def _close(self, scene: int, end: int, *, terminal: bool) -> None:
        """Notes the part of a scene's window from its beginning to ``end``, if it has a step."""
        if end > self.begun[scene]:
            self.parts.append(_Part(scene, int(self.begun[scene]), end, terminal))

    def episodes(self, device: torch.device) -> Episodes | None:
        """Returns one entry for each part of an episode in the window; None if there is none."""
        steps = len(self.rewards)
        for scene in range(len(self.begun)):
            self._close(scene, steps, terminal=False)
        if not self.parts:
            return None
        scene, first, end, terminal = map(np.array, zip(*self.parts, strict=True))
        length = end - first
        # Behind its end an entry repeats its last step.
        times = np.minimum(first[:, None] + np.arange(steps), end[:, None] - 1)
        seen = np.stack(self.observations, axis=1)[scene[:, None], times]
        last = np.stack(self.arrivals, axis=1)[scene, end - 1]
        observation = np.concatenate((seen, last[:, None]), axis=1)
        counts = np.arange(steps + 1) < length[:, None]
        observation = np.where(counts[..., None], observation, last[:, None])
        reward = np.stack(self.rewards, axis=1)[scene[:, None], times] * counts[:, :-1]
        hidden = np.stack(self.hidden, axis=1)[scene[:, None], times]
        truth = self.scenes.to_truth(hidden)
        values = {
            "observation": observation,
            "action": np.stack(self.actions, axis=1)[scene[:, None], times],
            "truth": np.concatenate((truth, truth[:, -1:]), axis=1),
            "reward": reward,
            "returns": reward.sum(axis=1),
        }
        found = {
            name: torch.as_tensor(value, dtype=torch.float32, device=device)
            for name, value in values.items()
        }
        rows = torch.as_tensor(scene, device=device)
        # An episode that began within the window began with a zero state.
        goes_on = torch.as_tensor(first == 0, device=device)[:, None]
        return Episodes(
            **found,
            goal=torch.zeros(len(scene), steps, 0, device=device),
            hidden=self.state[0][rows] * goes_on,
            cell=self.state[1][rows] * goes_on,
            before=self.before[rows] * goes_on,
            task=torch.as_tensor(task_ids(hidden[:, 0]), device=device),
            demonstrated=torch.zeros(len(scene), steps, dtype=torch.bool, device=device),
            length=torch.as_tensor(length, device=device),
            terminal=torch.as_tensor(terminal, device=device),
        )


class _Part(NamedTuple):
    """Steps of one episode in a window: those from ``first`` on, and before ``end``."""

    scene: int
    first: int
    end: int
    terminal: bool


def task_ids(hidden: Array) -> Ids:
    """Returns numbers ``(n,)`` of the rows ``(n, K)``, the same for equal rows in any run."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=7).digest() for row in hidden + 0.0]
    return np.array([int.from_bytes(digest, "little") for digest in digests], dtype=np.int64)
