"""Probes of contexts: linear regressions that are fitted on training tasks and scored on others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.context.encoder_only import predict
from skill_proto.arrays import Array
from skill_training.export.calibration import log_r2


@dataclass(frozen=True, kw_only=True)
class Known:
    """Hidden quantity and behaviour of some episodes."""

    truth: Array
    """``(B,)`` the hidden quantity."""
    behaviour: Array
    """``(B,)`` behaviour of the episode, -1 or 1."""
    right: Array
    """``(B,)`` behaviour that its task asks for, -1 or 1."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Scores on held-out tasks."""

    r2: float
    """R2 of the hidden quantity from the context."""
    r2_given_behaviour: float
    """The same, if the probe also knows the behaviour of the episode."""
    accuracy: float
    """Share of episodes in which a probe of context and behaviour names the behaviour that the task
    asks for; chance is .5."""


def score(fitted: Array, train: Known, unseen: Array, held_out: Known) -> Scores:
    """Fits probes on contexts ``(B, C)`` of training tasks, and scores them on others."""
    given = [
        np.column_stack((part, known.behaviour, part * known.behaviour[:, None]))
        for part, known in ((fitted, train), (unseen, held_out))
    ]
    targets = np.column_stack((train.truth, train.right))
    truth = held_out.truth[:, None]
    alone = predict(fitted, targets[:, :1], unseen)
    estimate, right = np.split(predict(given[0], targets, given[1]), 2, axis=1)
    return Scores(
        r2=log_r2(truth, alone)[0],
        r2_given_behaviour=log_r2(truth, estimate)[0],
        accuracy=float((np.sign(right[:, 0]) == held_out.right).mean()),
    )
