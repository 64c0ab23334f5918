"""The context encoder: a recurrent summary of the episode so far.

Shapes: ``B`` episodes, ``T`` steps, ``O`` observation, ``A`` action, ``C`` context, ``H`` hidden.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from skill_training.config import LayerSize, PositiveFloat, Rate
from skill_training.nets.critic import update_moving_average
from skill_training.nets.mlp import ObservationNormalizer

State = tuple[Tensor, Tensor]
"""Hidden and cell state of the LSTM, ``(B, H)`` each."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EncoderConfig:
    """Sizes and rates of the context encoder. The defaults are those of the SaMI release."""

    size: LayerSize = 6
    """Number of entries of the context."""

    hidden: LayerSize = 128
    """Number of hidden units of the LSTM."""

    learning_rate: PositiveFloat = 1e-3
    """Learning rate of Adam."""

    momentum_rate: Rate = 0.05
    """Share by which the momentum copy moves towards the encoder at each of its steps."""


class ContextEncoder(nn.Module):
    """LSTM over (observation, previous action), then ReLU and a linear layer.

    As in the SaMI release the LSTM has one layer and no biases. Unlike there, the goal is not an
    input, so that a transition keeps its context under a hindsight goal. The state starts at zero,
    at that within an episode (a window), or at the final state of the previous episode: a served
    policy does not know when an episode begins.

    Args:
        config: Sizes of context and LSTM.
        scale: ``(O,)`` typical magnitude of each observation entry.
        action_size: A.
    """

    def __init__(self, config: EncoderConfig, *, scale: Sequence[float], action_size: int) -> None:
        super().__init__()
        self.size, self.hidden = config.size, config.hidden
        self.normalizer = ObservationNormalizer(scale)
        self.lstm = nn.LSTM(len(scale) + action_size, config.hidden, bias=False, batch_first=True)
        self.output = nn.Linear(config.hidden, config.size)

    def initial_state(self, n: int) -> State:
        """Returns the zero state of ``n`` episodes before their first observation."""
        zeros = torch.zeros(n, self.hidden, device=self.output.weight.device)
        return zeros, zeros.clone()

    def forward(
        self, observation: Tensor, previous_action: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Returns the context after each step.

        Args:
            observation: ``(B, T, O)``, raw.
            previous_action: ``(B, T, A)`` action *before* each observation, zeros before the
                first.
            state: State before the first of these steps.

        Returns:
            Contexts ``(B, T, C)`` and the state after the last step.
        """
        inputs = torch.cat((self.normalizer(observation), previous_action), dim=-1)
        hidden, (last, cell) = self.lstm(inputs, (state[0][None], state[1][None]))
        return self.output(hidden.relu()), (last[0], cell[0])

    def step(
        self, observation: Tensor, previous_action: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """Computes one step of :meth:`forward` in elementary operations, for export.

        Args:
            observation: ``(B, O)``, raw.
            previous_action: ``(B, A)``.
            state: State before this step.

        Returns:
            Context ``(B, C)`` and the state after this step.
        """
        inputs = torch.cat((self.normalizer(observation), previous_action), dim=-1)
        from_inputs, from_hidden = self.lstm.all_weights[0]
        gates = inputs @ from_inputs.T + state[0] @ from_hidden.T
        # The order of torch.nn.LSTM: input, forget, cell, output.
        i, f, g, o = gates.chunk(4, dim=-1)
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return self.output(hidden.relu()), (hidden, cell)

    def held(self, after: State, before: State, moves: Tensor) -> tuple[Tensor, State]:
        """Returns context and state of a step, or of the one before if the policy has stopped.

        Args:
            after: State after the step, ``(B, H)`` each.
            before: State before the step.
            moves: ``(B, 1)``: 0 if the policy has stopped.

        Returns:
            Context ``(B, C)`` and the state.
        """
        hidden, cell = (
            torch.where(moves > 0, new, old) for new, old in zip(after, before, strict=True)
        )
        return self.output(hidden.relu()), (hidden, cell)


class MomentumEncoder(nn.Module):
    """The momentum copy of an encoder, for keys and next contexts (He et al. 2020, MoCo)."""

    def __init__(self, encoder: ContextEncoder, rate: float) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self._rate = rate

    @torch.no_grad()
    def forward(self, observation: Tensor, previous_action: Tensor, state: State) -> Tensor:
        """Returns contexts ``(B, T, C)`` without gradient."""
        context: Tensor = self.encoder(observation, previous_action, state)[0]
        return context

    def follow(self, encoder: ContextEncoder) -> None:
        """Moves towards ``encoder`` by the momentum rate."""
        update_moving_average(self.encoder, encoder, self._rate)
