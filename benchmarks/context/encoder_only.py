"""An encoder that trains on one objective alone, and linear probes of its contexts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from skill_proto.arrays import Array
from skill_training.context.forward_model import ForwardModel
from skill_training.context.objective import Contrasted, ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import ContextEncoder, EncoderConfig, MomentumEncoder

GRADIENT_NORM = 10.0
"""Largest norm of a gradient, as in training."""
PROBE_RIDGE = 1e-2
"""Regularisation of a linear probe, on standardised inputs, per episode."""
BOUND_DRAWS = 20
"""Number of held-out batches over which the bound is averaged."""

Objective = ContrastiveConfig | Literal["truth", "forward-model"]
"""A contrastive objective, a regression on the hidden quantities, or a forward model."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Sizes and typical magnitudes of the data."""

    scale: Sequence[float]
    """``(O,)`` of the observation."""
    action_size: int
    centre: Sequence[float]
    """``(K,)`` means of the hidden quantities."""
    step_scale: Sequence[float] = ()
    """``(O,)`` of the observation's change in a step, for a forward model."""

    @classmethod
    def of(cls, episodes: Episodes) -> Inputs:
        """Returns the magnitudes of these episodes; 1 for constant entries."""
        seen = episodes.observation
        change = seen[:, 1:] - seen[:, :-1]
        scale, step = (
            torch.where(spread > 1e-6, spread, 1.0)
            for spread in (seen.flatten(0, 1).std(0), change.flatten(0, 1).std(0))
        )
        return cls(
            scale=scale.tolist(),
            action_size=episodes.action.shape[-1],
            centre=[0.0] * episodes.truth.shape[-1],
            step_scale=step.tolist(),
        )


class EncoderRun:
    """Training of one encoder.

    Args:
        objective: Its objective.
        config: The encoder.
        inputs: Sizes and magnitudes of the data.
        batch: Episodes of a gradient step.
        seed: Seed of encoder and batches.
        device: Device of the encoder.
    """

    def __init__(
        self,
        objective: Objective,
        config: EncoderConfig,
        inputs: Inputs,
        *,
        batch: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        torch.manual_seed(seed)
        size = inputs.action_size
        self._encoder = ContextEncoder(config, scale=inputs.scale, action_size=size).to(device)
        self._momentum = MomentumEncoder(self._encoder, config.momentum_rate).to(device)
        self._head = nn.Linear(config.size, len(inputs.centre)).to(device)
        self._centre = torch.tensor(inputs.centre, device=device)
        parts: list[nn.Module] = [self._encoder, self._head]
        self._model: ForwardModel | None = None
        if objective == "forward-model":
            sizes = {"context_size": config.size, "action_size": size}
            self._model = ForwardModel(scale=inputs.scale, step_scale=inputs.step_scale, **sizes)
            parts.append(self._model.to(device))
        self._parameters = [weight for part in parts for weight in part.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=config.learning_rate)
        self._generator = torch.Generator().manual_seed(seed)
        self._batch = batch
        self.term: ContrastiveTerm | None = None
        if isinstance(objective, ContrastiveConfig):
            self.term = ContrastiveTerm(replace(objective, batch=batch, pool=1 << 40))

    def train(self, replay: EpisodeReplay, steps: int) -> float:
        """Takes gradient steps, and returns the mean loss of their last tenth.

        A draw without a valid contrast is skipped; 0 if all are.
        """
        losses: list[float] = []
        for _ in range(steps):
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
        if self.term is not None:
            drawn = self.term.draw(replay, self._generator)
            return None if drawn is None else self._contrast(drawn)
        episodes = replay.sample(self._batch, self._generator)
        contexts = self._encoder(*episodes.encoder_inputs)[0]
        if self._model is not None:
            return self._model.loss(episodes, contexts, self._generator)
        return (self._head(contexts) + self._centre - episodes.truth).square().mean()

    def _contrast(self, drawn: Contrasted) -> Tensor:
        queries = self._encoder(*drawn.queries.encoder_inputs)[0]
        keys = self._momentum(*drawn.keys.encoder_inputs)
        return drawn.loss(queries, keys, self._generator)

    @torch.no_grad()
    def bound(self, replay: EpisodeReplay) -> tuple[float, float] | None:
        """Returns the bound on the mutual information and log K [nat], or None without a bound.

        Both are means over held-out batches; NaN if none could be drawn.
        """
        if self.term is None or self.term.config.loss == "sigmoid":
            return None
        found: list[tuple[float, float]] = []
        for _ in range(BOUND_DRAWS):
            drawn = self.term.draw(replay, self._generator)
            if drawn is not None:
                loss, ceiling = float(self._contrast(drawn)), log_candidates(drawn)
                # The loss of InfoNCE omits log K; the loss of the K-sample form includes it.
                paired = isinstance(drawn.sample, Pairs)
                found.append((ceiling - loss if paired else -loss, ceiling))
        bound, ceiling = np.mean(found, axis=0).tolist() if found else (math.nan, math.nan)
        return bound, ceiling

    @torch.no_grad()
    def contexts(self, episodes: Episodes) -> Array:
        """Returns the context ``(B, C)`` at the end of each episode."""
        parts = [
            self._encoder(*episodes.take(rows).encoder_inputs)[0][:, -1]
            for rows in torch.arange(len(episodes)).split(256)
        ]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


def log_candidates(drawn: Contrasted) -> float:
    """Returns the mean log of the number of candidates, the positive sample included."""
    sample = drawn.sample
    if isinstance(sample, Pairs):
        others = (sample.task[:, None] != sample.task[None, :]).sum(1)
        return float((others + 1).double().log().mean())
    return math.log(sample.negative.shape[1] + 1)


def predict(inputs: Array, targets: Array, others: Array) -> Array:
    """Returns the predictions of a ridge regression with a constant.

    Args:
        inputs: ``(B, F)`` for the fit; standardised here.
        targets: ``(B, K)``.
        others: ``(B', F)`` for the predictions ``(B', K)``.
    """
    mean, std = inputs.mean(0), inputs.std(0) + 1e-8
    fitted, unseen = (
        np.column_stack([(part - mean) / std, np.ones(len(part))]) for part in (inputs, others)
    )
    ridge = PROBE_RIDGE * len(fitted) * np.eye(fitted.shape[1])
    ridge[-1, -1] = 0.0
    weights = np.linalg.solve(fitted.T @ fitted + ridge, fitted.T @ targets)
    return unseen @ weights
