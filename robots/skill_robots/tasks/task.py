"""Task: the facts about a task that serving and evaluation need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TaskOption = Literal["tabletop", "skill-aware"]
"""Values of ``skill-eval --task``; one for each task of ``tasks.registry``."""

EvaluationKind = Literal["skills_and_goals", "cells"]
"""How skill-eval scores a policy.

``skills_and_goals``: displacement per skill and distance from goals, in random contexts.
``cells``: success in every cell of a grid of friction and mass.
"""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task. A folder in ``tasks/`` defines it; ``tasks.registry`` lists it."""

    name: str
    """Value of ``plant.task`` in the manifests of its policies."""
    option: TaskOption
    """Value of ``skill-eval --task``."""
    title: str
    """Noun phrase for messages, e.g. "the tabletop"."""
    evaluation: EvaluationKind
    start: Literal["low", "high"]
    """Start of an episode on the served tabletop that is nearest to that of training."""
    remark: str | None
    """How the arm of the task differs from the served one; None if they are the same."""
