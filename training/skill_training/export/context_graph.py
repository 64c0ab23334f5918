"""Graphs of policies pi(a | s, g, c): encoder, estimates and actor in one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from skill_proto.manifest import Context, RecurrentState
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_recorder import World
from skill_training.device import exact_matmul
from skill_training.export.calibration import calibrated_context, estimated, hold_out
from skill_training.export.graph import PolicyGraph
from skill_training.nets.encoder import State

STATES = ("lstm_h", "lstm_c")
"""Hidden and cell state of the encoder."""


class EncoderGraph(PolicyGraph):
    """Base of policies with a context encoder.

    The graph shares the networks of the algorithm.

    Args:
        algorithm: An algorithm trained with the knowledge ``inferred``.
        estimated: Indices of the estimates to output, of quantities that are estimated by their
            logarithm; on the tabletop mass (0) and friction (1). If empty, the graph has no output
            ``estimate``.
    """

    truth_mean: Tensor
    truth_std: Tensor
    estimated: Tensor

    def __init__(self, algorithm: ContextSac, estimated: Sequence[int] = (0, 1)) -> None:
        super().__init__()
        estimate = ("estimate",) if estimated else ()
        self.output_names = ("action", "context", *estimate, *(f"next_{name}" for name in STATES))
        self.register_buffer("estimated", torch.tensor(estimated, dtype=torch.long))
        policy = algorithm.average
        self.actor, self.encoder, self.head = policy.actor, policy.encoder, policy.head
        self.task = algorithm.task
        self.register_buffer("truth_mean", algorithm.truth_mean)
        self.register_buffer("truth_std", algorithm.truth_std)

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each recurrent state without the batch axis, by name."""
        return dict.fromkeys(STATES, (self.encoder.hidden,))

    def step(
        self, observation: Tensor, previous_action: Tensor, goal: Tensor, state: State
    ) -> tuple[Tensor, ...]:
        """One policy step.

        Args:
            observation: ``(n, O)``, raw units.
            previous_action: ``(n, A)`` action before this observation.
            goal: ``(n, G)``, raw units.
            state: Hidden and cell state of the encoder, ``(n, H)`` each.

        Returns:
            Action ``(n, A)`` in [-1, 1], context ``(n, C)``, the selected estimates, and the
            encoder's next state.
        """
        context, after = self.encoder.step(observation, previous_action, state)
        moves = self.task.moves(observation, goal)
        if self.task.stops:
            context, after = self.encoder.held(after, state, moves)
        hidden, cell = after
        command = torch.cat((self.task.features(observation, goal), context), dim=-1)
        action = self.actor.mode(observation, command) * moves
        if not len(self.estimated):
            return action, context, hidden, cell
        estimate = (self.head(context) * self.truth_std + self.truth_mean).exp()
        return action, context, estimate[:, self.estimated], hidden, cell


class ContextGraph(EncoderGraph):
    """A goal-conditioned policy with its context encoder."""

    input_names = ("observation", "previous_action", "goal", *STATES)

    def forward(
        self,
        observation: Tensor,
        previous_action: Tensor,
        goal: Tensor,
        lstm_h: Tensor,
        lstm_c: Tensor,
    ) -> tuple[Tensor, ...]:
        """One policy step; see :meth:`EncoderGraph.step`."""
        return self.step(observation, previous_action, goal, (lstm_h, lstm_c))


class WorldContextGraph(EncoderGraph):
    """A policy with its context encoder for the reward of a world, without a goal."""

    input_names = ("observation", "previous_action", *STATES)

    def forward(
        self, observation: Tensor, previous_action: Tensor, lstm_h: Tensor, lstm_c: Tensor
    ) -> tuple[Tensor, ...]:
        """One policy step; see :meth:`EncoderGraph.step`."""
        return self.step(observation, previous_action, observation[:, :0], (lstm_h, lstm_c))


class ContextFreeGraph(PolicyGraph):
    """A context-free policy: the same actor with a context of zeros."""

    input_names = ("observation", "previous_action", "goal")
    output_names = ("action",)

    no_context: Tensor

    def __init__(self, algorithm: ContextSac) -> None:
        super().__init__()
        self.actor, self.task = algorithm.average.actor, algorithm.task
        size = algorithm.config.encoder.size
        self.register_buffer("no_context", torch.zeros(1, size, device=algorithm.device))

    def forward(self, observation: Tensor, previous_action: Tensor, goal: Tensor) -> tuple[Tensor]:
        """One policy step; see :class:`ContextGraph`."""
        del previous_action
        context = self.no_context.expand(observation.shape[0], -1)
        command = torch.cat((self.task.features(observation, goal), context), dim=-1)
        action = self.actor.mode(observation, command) * self.task.moves(observation, goal)
        return (action,)


def calibrate(
    algorithm: ContextSac,
    world: World,
    *,
    beyond_horizon: Literal["stagger", "carry"] = "stagger",
) -> tuple[ContextGraph, Context, tuple[RecurrentState, ...]]:
    """Returns a policy with context encoder, and the context and state parts of its manifest.

    Args:
        algorithm: An algorithm trained with the knowledge ``inferred``.
        world: Held-out scenes with the episode length of training. One episode in every scene
            calibrates distances and estimates.
        beyond_horizon: Treatment of a state that is older than the trained horizon.
    """
    with exact_matmul():
        context = calibrated_context(hold_out(algorithm, world))
    graph, horizon = ContextGraph(algorithm, estimated(context)), world.episode_steps
    states = tuple(
        RecurrentState(
            name=name, shape=shape, trained_horizon_steps=horizon, beyond_horizon=beyond_horizon
        )
        for name, shape in graph.state_shapes.items()
    )
    return graph, context, states
