"""An encoder that learns from one objective alone, on fixed episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from skill_training.context.forward_model import ForwardModel
from skill_training.context.objective import ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import ContextEncoder, EncoderConfig, MomentumEncoder
from skill_training.recipes.context.config import OBJECTIVES, Objective

ENCODER = EncoderConfig(hidden=64, learning_rate=3e-3)
"""The encoder of `skill-train goal`."""
GRADIENT_NORM = 10.0
"""Largest norm of a gradient, as in training."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Sizes and typical magnitudes of the data."""

    scale: Sequence[float]
    """``(O,)`` of the observation."""
    step_scale: Sequence[float]
    """``(O,)`` of its change in a step."""
    action_size: int

    @classmethod
    def of(cls, episodes: Episodes) -> Inputs:
        """Returns the standard deviations of these episodes; 1 for constant entries."""
        seen = episodes.observation
        change = seen[:, 1:] - seen[:, :-1]
        scale, step = (
            torch.where(spread > 1e-6, spread, 1.0)
            for spread in (seen.flatten(0, 1).std(0), change.flatten(0, 1).std(0))
        )
        return cls(
            scale=scale.tolist(),
            step_scale=step.tolist(),
            action_size=episodes.action.shape[-1],
        )


class EncoderRun:
    """Training of one encoder.

    Args:
        objective: Its objective.
        batch: Episodes of a gradient step.
        inputs: Sizes and magnitudes.
        quantities: Number of hidden quantities.
        seed: Seed of encoder and batches.
    """

    def __init__(
        self, objective: Objective, batch: int, inputs: Inputs, quantities: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.objective = objective
        sizes = {"action_size": inputs.action_size}
        self._encoder = ContextEncoder(ENCODER, scale=inputs.scale, **sizes)
        self._momentum = MomentumEncoder(self._encoder, ENCODER.momentum_rate)
        self._head = nn.Linear(ENCODER.size, quantities)
        self._model = ForwardModel(
            ENCODER.size, scale=inputs.scale, step_scale=inputs.step_scale, **sizes
        )
        parts = (self._encoder, self._head, self._model)
        self._parameters = [weight for part in parts for weight in part.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=ENCODER.learning_rate)
        self._generator = torch.Generator().manual_seed(seed)
        self._batch = batch
        self._term = ContrastiveTerm(
            ContrastiveConfig(
                batch=batch, pool=1 << 40, gap_coefficient=1.0, **OBJECTIVES[objective]
            )
        )

    def train(self, replay: EpisodeReplay, steps: int) -> float:
        """Takes gradient steps, and returns the mean loss of their last tenth.

        A draw without a valid contrast is skipped; 0 if all are, or the objective is ``none``.
        """
        losses: list[float] = []
        for _ in range(0 if self.objective == "none" else steps):
            loss = self._loss(replay)
            if loss is None:
                continue
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self._parameters, GRADIENT_NORM)
            self._optimizer.step()
            self._momentum.follow(self._encoder)
            losses.append(float(loss.detach()))
        last = losses[-max(1, len(losses) // 10) :]
        return sum(last) / len(last) if last else 0.0

    def _loss(self, replay: EpisodeReplay) -> Tensor | None:
        if self.objective in ("supervised", "forward-model"):
            batch = replay.sample(self._batch, self._generator)
            contexts = self._encoder(*batch.encoder_inputs)[0]
            if self.objective == "forward-model":
                return self._model.loss(batch, contexts, self._generator)
            return (self._head(contexts) - batch.truth).square().mean()
        drawn = self._term.draw(replay, self._generator)
        if drawn is None:
            return None
        queries = self._encoder(*drawn.queries.encoder_inputs)[0]
        keys = self._momentum(*drawn.keys.encoder_inputs)
        return drawn.loss(queries, keys, self._generator)

    def candidates(self, replay: EpisodeReplay) -> int | None:
        """Returns K of a contrastive draw, the positive included; None without one.

        The bound of an NCE objective is at most log K. Pairs have one K each, of which this is the
        mean. ``sance`` contrasts within a task, so that its K is at most half of a task's episodes;
        a larger batch has more tasks.
        """
        drawn = self._term.draw(replay, self._generator)
        if drawn is None:
            return None
        sample = drawn.sample
        if isinstance(sample, Pairs):
            others = (sample.task[:, None] != sample.task[None, :]).sum(1)
            return round(float(others.double().mean())) + 1
        return sample.negative.shape[1] + 1

    @torch.no_grad()
    def contexts(self, episodes: Episodes) -> Tensor:
        """Returns the context ``(B, C)`` at the end of each episode."""
        parts = [
            self._encoder(*episodes.take(rows).encoder_inputs)[0][:, -1]
            for rows in torch.arange(len(episodes)).split(512)
        ]
        return torch.cat(parts)
