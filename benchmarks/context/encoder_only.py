"""An encoder that trains on a contrastive objective alone, and a linear probe of its contexts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, scales
from skill_training.context.objective import Contrasted, ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.export.calibration import log_r2
from skill_training.nets.encoder import ContextEncoder, EncoderConfig, MomentumEncoder
from skill_training.recipes.goal.world import GoalWorld

ENCODER = EncoderConfig(hidden=64)
"""The encoder of `skill-train goal`."""
QUANTITIES = 2
"""Log mass and log friction."""
CENTRE = (-0.28, -1.17)
"""Means of the two quantities over the range of `skill-train goal`; their standard deviations are
1.06 and 0.95."""
GRADIENT_NORM = 10.0
"""Largest norm of a gradient, as in training."""
PROBE_RIDGE = 1e-2
"""Regularisation of the linear probe, on standardised contexts, per episode."""
BOUND_DRAWS = 20
"""Number of held-out batches over which the bound is averaged."""


class Run:
    """Training and probing of one encoder.

    Args:
        objective: Sampling and loss; None for a regression on the true quantities.
        batch: Episodes in a gradient step.
        seed: Seed of encoder and batches.
        device: Device of the encoder.
    """

    def __init__(
        self, objective: ContrastiveConfig | None, batch: int, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)
        config = ENCODER
        scale, size = scales(PUSH_OBSERVATION).tolist(), GoalWorld.action_size
        self._encoder = ContextEncoder(config, scale=scale, action_size=size).to(device)
        self._momentum = MomentumEncoder(self._encoder, config.momentum_rate).to(device)
        self._head = nn.Linear(config.size, QUANTITIES).to(device)
        self._parameters = [*self._encoder.parameters(), *self._head.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=config.learning_rate)
        self._generator = torch.Generator().manual_seed(seed)
        self._batch = batch
        self._term = objective and ContrastiveTerm(replace(objective, batch=batch, pool=10**6))

    def train(self, replay: EpisodeReplay, steps: int) -> None:
        """Trains for ``steps`` steps; a draw without a valid contrast is skipped."""
        for _ in range(steps):
            if self._term is None:
                loss = self._regression(replay.sample(self._batch, self._generator))
            else:
                drawn = self._term.draw(replay, self._generator)
                if drawn is None:
                    continue
                loss = self._contrast(drawn)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self._parameters, GRADIENT_NORM)
            self._optimizer.step()
            self._momentum.follow(self._encoder)

    def _regression(self, episodes: Episodes) -> Tensor:
        """Returns the mean squared error of log mass and log friction, over all steps."""
        estimate = self._head(self._encoder(*episodes.encoder_inputs)[0])
        return (estimate + estimate.new_tensor(CENTRE) - episodes.truth).square().mean()

    def _contrast(self, drawn: Contrasted) -> Tensor:
        queries = self._encoder(*drawn.queries.encoder_inputs)[0]
        keys = self._momentum(*drawn.keys.encoder_inputs)
        return drawn.loss(queries, keys, self._generator)

    @torch.no_grad()
    def bound(self, replay: EpisodeReplay) -> tuple[float, float] | None:
        """Returns the bound on the mutual information and log K [nat], or None without a bound.

        Both are means over held-out batches.
        """
        if self._term is None or self._term.config.loss == "sigmoid":
            return None
        found: list[tuple[float, float]] = []
        for _ in range(BOUND_DRAWS):
            drawn = self._term.draw(replay, self._generator)
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
            self._encoder(*part.encoder_inputs)[0]
            for part in (episodes.take(rows) for rows in torch.arange(len(episodes)).split(256))
        ]
        return torch.cat([part[:, -1] for part in parts]).cpu().numpy().astype(np.float64)


def log_candidates(drawn: Contrasted) -> float:
    """Returns the mean log of the number of candidates, the positive sample included."""
    sample = drawn.sample
    if isinstance(sample, Pairs):
        others = (sample.task[:, None] != sample.task[None, :]).sum(1)
        return float((others + 1).double().log().mean())
    return math.log(sample.negative.shape[1] + 1)


def probe(run: Run, train: Episodes, held_out: Episodes) -> tuple[float, float]:
    """Returns R2 of log mass and log friction on held-out tasks, by ridge regression."""
    fitted, unseen = run.contexts(train), run.contexts(held_out)
    mean, std = fitted.mean(0), fitted.std(0) + 1e-8
    inputs, others = (
        np.column_stack([(part - mean) / std, np.ones(len(part))]) for part in (fitted, unseen)
    )
    ridge = PROBE_RIDGE * len(inputs) * np.eye(inputs.shape[1])
    ridge[-1, -1] = 0.0
    truth = train.truth[:, -1].cpu().numpy().astype(np.float64)
    weights = np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ truth)
    expected = held_out.truth[:, -1].cpu().numpy().astype(np.float64)
    mass, friction = log_r2(expected, others @ weights)
    return mass, friction
