"""Chooses the evaluation. Each is imported only when it is needed."""

from __future__ import annotations

from collections.abc import Callable

from skill_robots.tasks.registry import task_of_option
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions, check_world_options
from skill_runtime.evaluation.report import Outcome
from skill_runtime.policy import load_manifest


def find_evaluation(arguments: EvaluationOptions) -> Callable[[EvaluationOptions], Outcome]:
    """Returns the function that scores a policy.

    Raises:
        PolicyFileError: the policy file cannot be used.
        UsageError: an option is for policies of an arm, and this one has no arm, or the reverse.
    """
    if _has_no_arm(arguments):
        check_world_options(arguments)
        from skill_runtime.evaluation.world.evaluate import evaluate_world

        return evaluate_world
    if arguments.coordinates is not None or arguments.cell is not None:
        raise UsageError("--coordinates, --cell: for Gymnasium environments; leave them out")
    if arguments.contexts is not None:
        raise UsageError("--contexts: for worlds with hidden quantities; leave it out")
    task = task_of_option(arguments.task)
    if task.evaluation == "cells":
        from skill_runtime.evaluation.skill_aware import evaluate_skill_aware

        return evaluate_skill_aware
    from skill_runtime.evaluation.tabletop_report import evaluate_tabletop

    return evaluate_tabletop


def _has_no_arm(arguments: EvaluationOptions) -> bool:
    if arguments.model is None:
        return arguments.world is not None
    has_no_arm = load_manifest(arguments.model).plant is None
    if not has_no_arm and arguments.world is not None:
        raise UsageError(
            f"--world {arguments.world}: the policy was trained on an arm, see --task; leave it out"
        )
    return has_no_arm
