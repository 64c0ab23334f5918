"""skill-eval: scores a policy file, or a random baseline, on a task."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import tyro

from skill_runtime.console.flags import UsageError
from skill_runtime.console.interrupts import INTERRUPTED, raise_at_interrupt
from skill_runtime.console.output_file import write_json
from skill_runtime.evaluation.options import Arguments, check

if TYPE_CHECKING:
    from skill_runtime.evaluation.report import Outcome

# The rest is imported where it is used: '--help' and a mistyped flag answer at once.

USAGE = 2
"""Exit code where what was asked cannot be done."""


def main() -> None:
    """Runs the program and exits: 0 done, 2 cannot be done as asked, 130 interrupted."""
    arguments = tyro.cli(
        Arguments,
        prog="skill-eval",
        description="Score a policy file on a task, through ONNX Runtime.",
    )
    from skill_robots.motion.policy_adapter import UnsupportedPolicyError
    from skill_robots.tasks.skill_aware.engines import EngineMissingError
    from skill_runtime.policy.onnx_policy import PolicyError, PolicyFileError

    try:
        run(arguments)
    except (
        UsageError,
        UnsupportedPolicyError,
        EngineMissingError,
        PolicyFileError,
        PolicyError,
    ) as error:
        print(f"skill-eval: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except BrokenPipeError:
        # Whoever read the table, `| head` say, has seen enough; the interpreter must not
        # complain about it while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("skill-eval: interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)


def run(arguments: Arguments) -> None:
    """Evaluates, prints the report, and writes what was asked for.

    Raises:
        UsageError, UnsupportedPolicyError, EngineMissingError, PolicyFileError, PolicyError: see
            each.
    """
    check(arguments)
    outcome = _evaluate(arguments)
    print(outcome.table)
    if arguments.json is not None:
        write_json(arguments.json, outcome.content)
        print(f"wrote {arguments.json}")
    if arguments.plot is not None and outcome.draw is not None:
        outcome.draw(arguments.plot)
        print(f"wrote {arguments.plot}")


def _evaluate(arguments: Arguments) -> Outcome:
    if arguments.task == "skill-aware":
        from skill_runtime.evaluation.skill_aware import evaluate_skill_aware as score
    else:
        from skill_runtime.evaluation.tabletop_report import evaluate_tabletop as score
    raise_at_interrupt()
    return score(arguments)
