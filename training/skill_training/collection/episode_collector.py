"""Collection of whole episodes, with the encoder's state unrolled along them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_recorder import Recorder, World
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import State
from skill_training.nets.finite import check_action
from skill_training.seeding import torch_generator

ContextUse = Literal["live", "zeroed", "frozen"]


class EpisodeCollector:
    """Runs rounds of episodes and stores them.

    Args:
        world: The scenes.
        algorithm: The acting algorithm.
        replay: Replay for the episodes.
        carried_share: Share of episodes that begin with the encoder's state of the previous
            episode. A served policy does not know when an episode begins, so it must also work
            with an older state.
        seed: Seed of the choice of these episodes.
        demonstrator: Controller that labels every step with its own action (Ross, Gordon and
            Bagnell 2011, DAgger); None: no labels.
    """

    def __init__(
        self,
        world: World,
        algorithm: ContextSac,
        replay: EpisodeReplay,
        *,
        carried_share: float,
        seed: int,
        demonstrator: Policy | None = None,
    ) -> None:
        self._world = world
        self._demonstrator = demonstrator
        self._algorithm = algorithm
        self._replay = replay
        self._carried_share = carried_share
        self._random = torch_generator(seed, "carried states")
        self._state = algorithm.encoder.initial_state(world.n)
        self.env_steps = 0

    @property
    def steps_per_round(self) -> int:
        """Environment steps in one round."""
        return self._world.n * self._world.episode_steps

    def collect_round(self) -> None:
        """Runs one episode in every scene and stores them.

        Raises:
            NotFiniteError: an action of the policy is not finite.
        """
        world = self._world
        self._algorithm.end_block()
        world.reset()
        carried = torch.rand(world.n, 1, generator=self._random) < self._carried_share
        keep = carried.to(self._algorithm.device)
        start: State = (self._state[0] * keep, self._state[1] * keep)
        episodes, self._state = run_episodes(
            world, self._algorithm, start, demonstrator=self._demonstrator
        )
        self._replay.add(episodes)
        self.env_steps += self.steps_per_round

    def state_dict(self) -> dict[str, Any]:
        """Returns counters, generators and the carried state, between two rounds."""
        return {
            "env_steps": self.env_steps,
            "random": self._random.get_state(),
            "state": list(self._state),
            "world": self._world.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        self.env_steps = int(state["env_steps"])
        self._random.set_state(state["random"].cpu())
        hidden, cell = (part.to(self._algorithm.device) for part in state["state"])
        self._state = (hidden, cell)
        self._world.load_state_dict(state["world"])


@torch.no_grad()
def run_episodes(
    world: World,
    algorithm: ContextSac,
    start: State,
    *,
    deterministic: bool = False,
    use: ContextUse = "live",
    demonstrator: Policy | None = None,
) -> tuple[Episodes, State]:
    """Runs one episode in every scene of a world that has just been reset.

    Args:
        world: The scenes.
        algorithm: The acting algorithm.
        start: State of the encoder before the first observation.
        deterministic: Use the policy's mode instead of a sample.
        use: Context for the policy: the current context, zeros, or for the whole episode the
            context after the first observation.
        demonstrator: Controller that sees the same observations and labels every step.

    Returns:
        The episodes, and the encoder's state after their last observation but one. The last
        observation enters a carried state at the start of the next episode.

    Raises:
        NotFiniteError: an action is not finite.
    """
    recorder, device = Recorder(world), algorithm.device
    state, previous = start, torch.zeros(world.n, world.action_size, device=device)
    used: Tensor | None = None
    if demonstrator is not None:
        demonstrator.reset(world.n)
    for _ in range(world.episode_steps):
        seen = recorder.observe()
        observation, truth = _tensor(seen, device), _tensor(world.truth, device)
        goal, before = _tensor(world.goal, device), state
        context, state = infer(
            algorithm, observation, previous, truth, before, deterministic=deterministic
        )
        if deterministic and algorithm.task.stops and algorithm.config.knowledge == "inferred":
            moves = algorithm.task.moves(observation, goal)
            context, state = algorithm.average.encoder.held(state, before, moves)
        if use == "zeroed":
            context = torch.zeros_like(context)
        used = used if use == "frozen" and used is not None else context
        previous = algorithm.act(observation, goal, used, deterministic=deterministic)
        label = None
        if demonstrator is not None:
            label = np.clip(demonstrator.act(seen, goal=world.goal.copy()), -1.0, 1.0)
        action = check_action(previous.cpu().numpy().astype(np.float64), seen)
        recorder.step(action, label=label)
    return recorder.episodes(algorithm.task, start), state


def infer(
    algorithm: ContextSac,
    observation: Tensor,
    previous: Tensor,
    truth: Tensor,
    state: State,
    *,
    deterministic: bool = False,
) -> tuple[Tensor, State]:
    """Returns the policy's context ``(n, C)`` and the encoder's next state.

    Deterministic: from the averaged encoder, which is the exported one.
    """
    knowledge = algorithm.config.knowledge
    if knowledge == "inferred":
        encoder = algorithm.average.encoder if deterministic else algorithm.encoder
        context, state = encoder(observation[:, None], previous[:, None], state)
        return context[:, 0], state
    known = algorithm.true_context(truth)
    return (known if knowledge == "told" else torch.zeros_like(known)), state


def _tensor(array: Array, device: torch.device) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32, device=device)
