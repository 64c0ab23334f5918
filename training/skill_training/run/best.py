"""The best policy of a run by one of its evaluations, kept beside the newest."""

from __future__ import annotations

import copy
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from skill_training.config import TrainConfig
from skill_training.errors import ConfigError
from skill_training.recipes.recipe import Learner, Recipe, Scalars

EVALUATED = "eval/"
"""Prefix of the metrics of evaluations during training."""


def check_keep_best(config: TrainConfig, recipe: Recipe[Any]) -> None:
    """Checks that the recipe has the metric of ``--keep-best``, and that the run is evaluated.

    Raises:
        ConfigError: it has no metric of that name, or the run ends before its first evaluation.
    """
    run = config.run
    if run.keep_best is None:
        return
    names = [curve.name for curve in recipe.curves if curve.name.startswith(EVALUATED)]
    known = [name.removeprefix(EVALUATED) for name in names]
    if run.keep_best not in known:
        raise ConfigError(_unknown(run.keep_best, known))
    if run.eval_interval > run.env_steps:
        raise ConfigError(
            f"--keep-best needs an evaluation during training: --eval-interval {run.eval_interval} "
            f"is more than --env-steps {run.env_steps}; lower it"
        )


class BestPolicy:
    """Keeps the state of the learner at its best evaluation.

    Args:
        metric: Name of a metric of ``evaluate_quick``, of which more is better. None: none is kept.
    """

    def __init__(self, metric: str | None) -> None:
        self._metric = metric
        self.state: dict[str, Any] | None = None
        """The learner without its replay, the counters then, and the metric with its value."""

    def consider(self, learner: Learner, metrics: Scalars, counters: dict[str, Any]) -> None:
        """Keeps the policy if no earlier one has a larger value.

        Of equal values the newest is kept.

        Args:
            learner: The learner, between two rounds.
            metrics: Its evaluation.
            counters: Values to keep beside it.

        Raises:
            ConfigError: the evaluation does not have the metric.
        """
        if self._metric is None:
            return
        if self._metric not in metrics:
            raise ConfigError(_unknown(self._metric, sorted(metrics)))
        value = metrics[self._metric]
        if self.state is None or value >= self.state["value"]:
            self.state = {
                **counters,
                "metric": self._metric,
                "value": value,
                "learner": _without_replay(learner),
            }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Takes over the policy of an earlier session, if the same metric chose it."""
        same = state is not None and state["metric"] == self._metric
        self.state = state if same else None

    @contextmanager
    def loaded(self, learner: Learner) -> Generator[None]:
        """Gives the learner the best policy for the time of a block; without one, its own."""
        if self.state is None:
            yield
            return
        own = _without_replay(learner)
        learner.load_state_dict(self.state["learner"])
        try:
            yield
        finally:
            learner.load_state_dict(own)


def exported(state: dict[str, Any]) -> dict[str, Any]:
    """Returns the learner's state and the counters of the policy that a checkpoint exports.

    Args:
        state: State of the trainer. Older releases kept no best policy.
    """
    best: dict[str, Any] | None = state.get("best")
    return state if best is None else best


def selection(state: dict[str, Any]) -> dict[str, str]:
    """Returns the section of a card on the choice of the policy, if there was one.

    Args:
        state: State of the trainer.
    """
    best: dict[str, Any] | None = state.get("best")
    if best is None:
        return {}
    text = (
        f"The policy after {best['env_steps']:,} of {state['env_steps']:,} environment steps, at "
        f"whose evaluation `{best['metric']}` was largest: {best['value']:.4g}.\n"
    )
    return {"Selection": text}


def _without_replay(learner: Learner) -> dict[str, Any]:
    """Returns a copy of the learner's state; loading it leaves the replay as it is."""
    state = learner.state_dict() | {"replay": None}
    return copy.deepcopy(state)


def _unknown(metric: str, known: Sequence[str]) -> str:
    choices = f"have {', '.join(known)}" if known else "have no metric"
    return f"--keep-best {metric}: evaluations of this run do not have it; they {choices}"
