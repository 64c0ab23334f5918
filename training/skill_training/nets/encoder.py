"""The context encoder: a recurrent summary of what the world has answered so far.

Shapes: ``B`` episodes, ``T`` steps, ``O`` observation, ``A`` action, ``C`` context, ``H`` hidden.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from skill_training.nets.critic import update_moving_average
from skill_training.nets.mlp import ObservationNormalizer

Size = Annotated[int, Field(ge=1)]
State = tuple[Tensor, Tensor]
"""Hidden and cell state of the LSTM, ``(B, H)`` each."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class EncoderConfig:
    """Size and step sizes of the context encoder; defaults of the SaMI release where it has one."""

    size: Size = 6
    """Entries of the context."""

    hidden: Size = 128
    """Hidden units of the LSTM."""

    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-3
    """Adam's step size."""

    momentum_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share by which the momentum copy moves towards the encoder at each step."""


class ContextEncoder(nn.Module):
    """LSTM over (observation, previous action), then ReLU and a linear layer.

    The SaMI release's encoder: one layer, no biases in the LSTM. The goal is left out of its
    input, so that a transition can be given another goal in hindsight and keep its context. The
    state starts at zero, or at what an earlier episode left: a served policy does not know where
    an episode begins.

    Args:
        config: sizes.
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
        """The state of ``n`` episodes of which nothing has been seen."""
        zeros = torch.zeros(n, self.hidden, device=self.output.weight.device)
        return zeros, zeros.clone()

    def forward(
        self, observation: Tensor, previous_action: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """The context after each step.

        Args:
            observation: ``(B, T, O)``, raw.
            previous_action: ``(B, T, A)``: what was done *before* each observation, zeros before
                the first.
            state: before the first of these steps.

        Returns:
            Contexts ``(B, T, C)`` and the state after the last step.
        """
        inputs = torch.cat((self.normalizer(observation), previous_action), dim=-1)
        hidden, (last, cell) = self.lstm(inputs, (state[0][None], state[1][None]))
        return self.output(hidden.relu()), (last[0], cell[0])

    def step(
        self, observation: Tensor, previous_action: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """One step of :meth:`forward` written out in elementary operations, for export.

        Args:
            observation: ``(B, O)``, raw.
            previous_action: ``(B, A)``.
            state: before this step.

        Returns:
            Context ``(B, C)`` and the state after it.
        """
        inputs = torch.cat((self.normalizer(observation), previous_action), dim=-1)
        from_inputs, from_hidden = self.lstm.all_weights[0]
        gates = inputs @ from_inputs.T + state[0] @ from_hidden.T
        # The order of torch.nn.LSTM: input, forget, cell, output.
        i, f, g, o = gates.chunk(4, dim=-1)
        cell = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return self.output(hidden.relu()), (hidden, cell)


class MomentumEncoder(nn.Module):
    """The slow copy of an encoder that gives keys and next contexts (He et al. 2020, MoCo)."""

    def __init__(self, encoder: ContextEncoder, rate: float) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self._rate = rate

    @torch.no_grad()
    def forward(self, observation: Tensor, previous_action: Tensor, state: State) -> Tensor:
        """Contexts ``(B, T, C)``, without gradient."""
        context: Tensor = self.encoder(observation, previous_action, state)[0]
        return context

    def follow(self, encoder: ContextEncoder) -> None:
        """Moves a little towards the encoder."""
        update_moving_average(self.encoder, encoder, self._rate)
