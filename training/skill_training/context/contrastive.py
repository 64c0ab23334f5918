"""Contrastive losses for context embeddings.

Similarity is the cosine over a temperature, ``f(q, k) = exp(cos(q, k) / 0.1)`` as in the SaMI
release. Queries carry the gradient; keys come from the momentum encoder and carry none.

Shapes: ``M`` groups, ``P`` positive and ``Q`` negative trajectories in a group, ``N`` pairs, ``C``
context entries.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.1


def sance_loss(query: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Skill-aware noise-contrastive estimation in the paper's K-sample form.

    ``-E[log(K f(q, k+) / (f(q, k+) + sum_{k=2..K} f(q, k-_k)))]``: the negative of the loss is a
    lower bound on the skill-aware mutual information and at most log K. The positives of a group
    are good trajectories of one task. The negatives are bad trajectories of the same task (SaTESAC)
    or of all tasks (SaCCM).

    Args:
        query: ``(M, P, C)``.
        positive: ``(M, P, C)``, the positive key of each query.
        negative: ``(M, Q, C)``, the negatives that all queries of a group share; K = Q + 1.

    Returns:
        A scalar, at least -log K.
    """
    query, positive, negative = map(_unit, (query, positive, negative))
    right = (query * positive).sum(-1, keepdim=True) / TEMPERATURE
    wrong = query @ negative.transpose(-1, -2) / TEMPERATURE
    log_share = right.squeeze(-1) - torch.cat((right, wrong), dim=-1).logsumexp(-1)
    return -(log_share + math.log(negative.shape[-2] + 1)).mean()


def info_nce_loss(query: Tensor, key: Tensor, task: Tensor) -> Tensor:
    """InfoNCE over a batch (van den Oord et al. 2018), as CCM uses it.

    The positive of each query is its own key, another trajectory of the same task. Its negatives
    are the keys of all *other* tasks. Further keys of the same task are ignored.

    Args:
        query: ``(N, C)``.
        key: ``(N, C)``.
        task: ``(N,)`` task of each pair.

    Returns:
        A scalar, ``-mean log(f(q_i, k_i) / (f(q_i, k_i) + sum_{task j != task i} f(q_i, k_j)))``.
    """
    logits = _unit(query) @ _unit(key).T / TEMPERATURE
    same_task = task[:, None] == task[None, :]
    others = same_task & ~torch.eye(len(task), dtype=torch.bool, device=task.device)
    logits = logits.masked_fill(others, -torch.inf)
    return -(logits.diagonal() - logits.logsumexp(-1)).mean()


def pairwise_sigmoid_loss(
    query: Tensor, positive: Tensor, negative: Tensor, weight: Tensor | float = 1.0
) -> Tensor:
    """The pairwise form of the authors' release: each pair is classified alone, without a bound.

    ``w (-mean log sigmoid(q k+ / 0.1) - mean log(1 - sigmoid(q k- / 0.1)))`` over all pairs of a
    query with a positive and with a negative of its group. Unlike the K-sample form it has no
    ceiling of log K.

    Args:
        query: ``(M, P, C)``.
        positive: ``(M, P, C)``.
        negative: ``(M, Q, C)``.
        weight: w, see :func:`return_gap_weight`.
    """
    query, positive, negative = map(_unit, (query, positive, negative))
    right = query @ positive.transpose(-1, -2) / TEMPERATURE
    wrong = query @ negative.transpose(-1, -2) / TEMPERATURE
    return weight * -(functional.logsigmoid(right).mean() + functional.logsigmoid(-wrong).mean())


def return_gap_weight(
    positive_reward: Tensor, negative_reward: Tensor, coefficient: float
) -> Tensor:
    """The release's w: ``clip(coefficient (mean r+ - mean r-), 0, 1)`` of mean rewards per step."""
    return (coefficient * (positive_reward.mean() - negative_reward.mean())).clamp(0.0, 1.0)


def _unit(vectors: Tensor) -> Tensor:
    return functional.normalize(vectors, dim=-1)
