"""Calibration of a context encoder on held-out episodes: context distances and estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array
from skill_proto.manifest import Context, ContextEstimate
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import run_episodes
from skill_training.collection.episode_recorder import World
from skill_training.data.episodes import Episodes

QUANTITIES = (("cube_mass", "kg"), ("cube_table_friction", "1"))
"""The hidden quantities in order, with their units."""

TYPICAL = 0.95
"""Quantile of held-out distances that is the limit of typical distances."""

IDENTIFIABLE = 0.4
"""Explained share of the variance of a log quantity below which its estimate is not exported. At
0.4 the error is still three quarters of the error of a constant estimate."""

RIDGE = 1e-6
"""Added to the variances, so that a constant entry does not make distances infinite."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Contexts of held-out episodes."""

    contexts: Array
    """``(B, T + 1, C)``."""
    estimates: Array
    """``(B, T + 1, K)`` estimated log mass and log friction."""
    truth: Array
    """``(B, T + 1, K)``."""
    episodes: Episodes


@torch.no_grad()
def hold_out(algorithm: ContextSac, world: World) -> HeldOut:
    """Runs one deterministic episode in every scene of ``world``, from a zero encoder state."""
    world.reset()
    start = algorithm.encoder.initial_state(world.n)
    episodes, _ = run_episodes(world, algorithm, start, deterministic=True)
    contexts = served_contexts(algorithm, episodes)
    return HeldOut(
        contexts=_array(contexts),
        estimates=estimate(algorithm, contexts),
        truth=_array(episodes.truth),
        episodes=episodes,
    )


@torch.no_grad()
def served_contexts(algorithm: ContextSac, episodes: Episodes) -> Tensor:
    """Returns the contexts ``(B, T + 1, C)`` that the exported policy has in its own episodes.

    While it has stopped, its recurrent state and its context stay as they were.
    """
    encoder, task = algorithm.average.encoder, algorithm.task
    if not task.stops:
        return encoder(*episodes.encoder_inputs)[0]
    observations, previous, state = episodes.encoder_inputs
    contexts: list[Tensor] = []
    for time in range(observations.shape[1]):
        observation = observations[:, time]
        goal = episodes.goal[:, min(time, episodes.goal.shape[1] - 1)]
        _, after = encoder.step(observation, previous[:, time], state)
        context, state = encoder.held(after, state, task.moves(observation, goal))
        contexts.append(context)
    return torch.stack(contexts, dim=1)


@torch.no_grad()
def estimate(algorithm: ContextSac, context: Tensor) -> Array:
    """Returns the hidden quantities ``(..., K)`` that the exported head reads from contexts."""
    head = algorithm.average.head(context)
    return _array(head * algorithm.truth_std + algorithm.truth_mean)


def calibrated_context(held: HeldOut) -> Context:
    """Returns the context part of a manifest, from the second half of each episode.

    The distance is Mahalanobis': with ``W^T W`` the inverse covariance, ``|W (c - mean)|``.
    A quantity whose explained variance at the end of the episodes is below :data:`IDENTIFIABLE` is
    listed as unidentified and not as an estimate.
    """
    shares = log_r2(held.truth[:, -1], held.estimates[:, -1])
    judged = [
        ContextEstimate(name=name, unit=unit, log_r2=measured(share))
        for (name, unit), share in zip(QUANTITIES, shares, strict=True)
    ]
    half = held.contexts.shape[1] // 2
    contexts = held.contexts[:, half:].reshape(-1, held.contexts.shape[-1])
    return fitted_context(contexts, judged)


def fitted_context(contexts: Array, judged: Sequence[ContextEstimate]) -> Context:
    """Returns the context part of a manifest.

    Args:
        contexts: ``(N, C)`` contexts of held-out episodes, some time after their start.
        judged: Estimates of all quantities, of which those that explain enough are exported.
    """
    center = contexts.mean(0)
    covariance = np.cov(contexts.T) + RIDGE * np.eye(len(center))
    whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
    distances = np.linalg.norm((contexts - center) @ whitening.T, axis=1)
    known = tuple(one for one in judged if (one.log_r2 or 0.0) >= IDENTIFIABLE)
    return Context(
        size=len(center),
        center=tuple(center.tolist()),
        whitening=tuple(tuple(row) for row in whitening.tolist()),
        typical_distance=float(np.quantile(distances, TYPICAL)),
        estimates=known,
        unidentified=tuple(one for one in judged if one not in known),
    )


def estimated(context: Context) -> tuple[int, ...]:
    """Returns the indices into :data:`QUANTITIES` of the estimates of ``context``."""
    names = [name for name, _ in QUANTITIES]
    return tuple(names.index(estimate.name) for estimate in context.estimates)


def log_r2(truth: Array, estimate: Array) -> list[float]:
    """Returns the explained share of the variance of each log quantity, for ``(n, K)`` arrays.

    It is NaN, undefined, for a constant quantity and for empty arrays.
    """
    if not len(truth):
        return [math.nan] * truth.shape[1]
    error = ((estimate - truth) ** 2).mean(0)
    varies = truth.max(0) > truth.min(0)  # rounding gives a constant column a variance
    share = 1.0 - error / np.where(varies, truth.var(0), 1.0)
    return [float(one) for one in np.where(varies, share, math.nan)]


def measured(share: float) -> float | None:
    """Returns an R2 of :func:`log_r2` as a manifest has it; None if it is undefined."""
    return None if math.isnan(share) else round(share, 3)


def _array(tensor: Tensor) -> Array:
    return tensor.cpu().numpy().astype(np.float64)
