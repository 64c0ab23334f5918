"""Chooses the evaluation of a task. Each is imported only when it is needed."""

from __future__ import annotations

from collections.abc import Callable

from skill_robots.tasks.task import Task
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome


def find_evaluation(task: Task) -> Callable[[EvaluationOptions], Outcome]:
    """Returns the function that scores a policy on ``task``."""
    if task.evaluation == "cells":
        from skill_runtime.evaluation.skill_aware import evaluate_skill_aware

        return evaluate_skill_aware
    from skill_runtime.evaluation.tabletop_report import evaluate_tabletop

    return evaluate_tabletop
