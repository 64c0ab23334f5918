"""Scenes of a world in mid-episode, with the state of a context encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.world import Step, World
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import infer
from skill_training.nets.encoder import State
from skill_training.nets.finite import check_action

ToTruth = Callable[[Array], Array]
"""Hidden quantities ``(..., K)`` as an encoder estimates them, from the raw ones."""


class ContextStep(NamedTuple):
    """One control step of all scenes."""

    seen: Array
    """``(n, O)`` observation before the step."""
    hidden: Array
    """``(n, K)`` raw hidden quantities of the step."""
    context: Tensor
    """``(n, C)`` after the observation."""
    action: Array
    """``(n, A)``."""
    result: Step


@dataclass(slots=True)
class ContextScenes:
    """The scenes, which :meth:`reset` makes."""

    world: World
    algorithm: ContextSac
    to_truth: ToTruth
    observation: Array
    previous: Tensor
    """``(n, A)`` action before the observation; zeros at the start of an episode."""
    state: State
    begun: int
    """Number of episodes that have begun."""

    @classmethod
    def reset(cls, world: World, algorithm: ContextSac, to_truth: ToTruth) -> ContextScenes:
        """Starts an episode in every scene, from a zero state of the encoder."""
        previous = torch.zeros(world.n, world.spec.action_size, device=algorithm.device)
        state = algorithm.encoder.initial_state(world.n)
        return cls(world, algorithm, to_truth, world.reset(), previous, state, world.n)

    @torch.no_grad()
    def step(self, action: Array | None = None, *, deterministic: bool = False) -> ContextStep:
        """Runs one control step. An episode that it ends must be started anew by :meth:`restart`.

        Args:
            action: ``(n, A)``; None: the policy's.
            deterministic: Act by the mode of the averaged policy, with the averaged encoder.

        Raises:
            NotFiniteError: an action is not finite.
        """
        algorithm, seen, hidden = self.algorithm, self.observation, self.world.hidden().copy()
        observation, truth = self._tensor(seen), self._tensor(self.to_truth(hidden))
        given = (algorithm, observation, self.previous, truth, self.state)
        context, self.state = infer(*given, deterministic=deterministic)
        if action is None:
            no_goal = observation[:, :0]
            chosen = algorithm.act(observation, no_goal, context, deterministic=deterministic)
            action = check_action(chosen.cpu().numpy().astype(np.float64), seen)
        self.previous = self._tensor(action)
        result = self.world.step(action)
        self.observation = result.observation
        return ContextStep(seen, hidden, context, action, result)

    def restart(self, ids: Ids) -> None:
        """Starts a new episode in some scenes."""
        self.begun += len(ids)
        self.observation = self.world.reset(ids)
        rows = torch.as_tensor(ids, device=self.previous.device)
        self.previous = self.previous.index_fill(0, rows, 0.0)
        hidden, cell = self.state
        self.state = (hidden.index_fill(0, rows, 0.0), cell.index_fill(0, rows, 0.0))

    def _tensor(self, array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self.algorithm.device)
