"""An encoder that learns from a contrastive objective alone, and what a linear probe reads."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from skill_robots.observation import PUSH_OBSERVATION, scales
from skill_training.calibration import log_r2
from skill_training.context.encoder import ContextEncoder, EncoderConfig, MomentumEncoder
from skill_training.context.objective import Contrasted, ContrastiveConfig, ContrastiveTerm
from skill_training.context.sampling import Pairs
from skill_training.episodes import EpisodeReplay, Episodes
from skill_training.goal_world import GoalWorld

Array = NDArray[np.float64]

ENCODER = EncoderConfig(hidden=64)
"""The goal stage's."""
GRADIENT_NORM = 10.0
"""As in training."""
PROBE_RIDGE = 1e-2
"""Of the linear probe, on standardised contexts, per episode."""
BOUND_DRAWS = 20
"""Held-out batches from which the bound is measured."""


class Run:
    """Training and probing of one encoder."""

    def __init__(
        self, objective: ContrastiveConfig, batch: int, seed: int, device: torch.device
    ) -> None:
        torch.manual_seed(seed)
        config = ENCODER
        scale, size = scales(PUSH_OBSERVATION).tolist(), GoalWorld.action_size
        self._encoder = ContextEncoder(config, scale=scale, action_size=size).to(device)
        self._momentum = MomentumEncoder(self._encoder, config.momentum_rate).to(device)
        self._optimizer = torch.optim.Adam(self._encoder.parameters(), lr=config.learning_rate)
        self._generator = torch.Generator().manual_seed(seed)
        self._term = ContrastiveTerm(replace(objective, batch=batch, pool=10**6))

    def train(self, replay: EpisodeReplay, steps: int) -> None:
        """Nothing but the contrastive term; draws that have nothing to contrast are passed over."""
        for _ in range(steps):
            drawn = self._term.draw(replay, self._generator)
            if drawn is None:
                continue
            loss = self._loss(drawn)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_grad_norm_(self._encoder.parameters(), GRADIENT_NORM)
            self._optimizer.step()
            self._momentum.follow(self._encoder)

    def _loss(self, drawn: Contrasted) -> Tensor:
        episodes = drawn.episodes
        inputs = (
            episodes.observation,
            episodes.previous_action,
            (episodes.hidden, episodes.cell),
        )
        return drawn.loss(self._encoder(*inputs)[0], self._momentum(*inputs), self._generator)

    @torch.no_grad()
    def bound(self, replay: EpisodeReplay) -> tuple[float, float] | None:
        """Nats certified and log K, means over held-out batches; None for the sigmoid form."""
        if self._term.config.loss == "sigmoid":
            return None
        found: list[tuple[float, float]] = []
        for _ in range(BOUND_DRAWS):
            drawn = self._term.draw(replay, self._generator)
            if drawn is not None:
                loss, ceiling = float(self._loss(drawn)), log_candidates(drawn)
                # InfoNCE leaves log K out of its loss; the K-sample form has it in.
                paired = isinstance(drawn.sample, Pairs)
                found.append((ceiling - loss if paired else -loss, ceiling))
        bound, ceiling = np.mean(found, axis=0).tolist() if found else (math.nan, math.nan)
        return bound, ceiling

    @torch.no_grad()
    def contexts(self, episodes: Episodes) -> Array:
        """``(B, C)`` at the end of each episode."""
        parts = [
            self._encoder(part.observation, part.previous_action, (part.hidden, part.cell))[0]
            for part in (episodes.take(rows) for rows in torch.arange(len(episodes)).split(256))
        ]
        return torch.cat([part[:, -1] for part in parts]).cpu().numpy().astype(np.float64)


def log_candidates(drawn: Contrasted) -> float:
    """Log of the number of candidates among which a query's positive is to be found, mean."""
    sample = drawn.sample
    if isinstance(sample, Pairs):
        others = (sample.task[:, None] != sample.task[None, :]).sum(1)
        return float((others + 1).double().log().mean())
    return math.log(sample.negative.shape[1] + 1)


def probe(run: Run, train: Episodes, held_out: Episodes) -> tuple[float, float]:
    """R2 on held-out tasks of log mass and log friction, by ridge regression from the context."""
    known, unseen = run.contexts(train), run.contexts(held_out)
    mean, std = known.mean(0), known.std(0) + 1e-8
    inputs, others = (
        np.column_stack([(part - mean) / std, np.ones(len(part))]) for part in (known, unseen)
    )
    ridge = PROBE_RIDGE * len(inputs) * np.eye(inputs.shape[1])
    ridge[-1, -1] = 0.0
    truth = train.truth[:, -1].cpu().numpy().astype(np.float64)
    weights = np.linalg.solve(inputs.T @ inputs + ridge, inputs.T @ truth)
    wanted = held_out.truth[:, -1].cpu().numpy().astype(np.float64)
    mass, friction = log_r2(wanted, others @ weights)
    return mass, friction
