"""skill-eval: scores a policy file, or a random baseline, on a task."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import tyro

from skill_runtime.console.exit_codes import INTERRUPTED, USAGE
from skill_runtime.console.flags import UsageError, model_file
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.output_file import write_json
from skill_runtime.console.program import VERSION_HINT
from skill_runtime.console.status_line import discard_output
from skill_runtime.evaluation.options import EvaluationOptions, check_options

if TYPE_CHECKING:
    from skill_runtime.evaluation.report import Outcome

# Other imports are local: '--help' and a mistyped flag answer at once.


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    arguments = tyro.cli(
        EvaluationOptions,
        prog="skill-eval",
        description="Score a policy file on a task, through ONNX Runtime. " + VERSION_HINT,
    )
    from skill_robots.motion.policy_support import UnsupportedPolicyError
    from skill_robots.tasks.engine import EngineMissingError
    from skill_robots.worlds.errors import WorldError
    from skill_runtime.policy import PolicyError, PolicyFileError

    try:
        run(arguments)
    except (
        UsageError,
        UnsupportedPolicyError,
        EngineMissingError,
        PolicyFileError,
        PolicyError,
        WorldError,
    ) as error:
        print(f"skill-eval: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except BrokenPipeError:
        discard_output()
    except KeyboardInterrupt:
        print("skill-eval: interrupted; no results were written", file=sys.stderr)
        sys.exit(INTERRUPTED)


def run(arguments: EvaluationOptions) -> None:
    """Evaluates, prints the report, and writes the requested files.

    Raises:
        UsageError, UnsupportedPolicyError, EngineMissingError, PolicyFileError, PolicyError: the
            policy cannot be evaluated like this; the text names the reason.
    """
    check_options(arguments)
    if arguments.model is not None:
        arguments = replace(arguments, model=model_file(arguments.model))
    outcome = _evaluate(arguments)
    print(outcome.table)
    if arguments.json is not None:
        write_json(arguments.json, outcome.content)
        print(f"wrote {arguments.json}")
    if arguments.plot is not None and outcome.draw is not None:
        outcome.draw(arguments.plot)
        print(f"wrote {arguments.plot}")
    if arguments.video is not None and outcome.film is not None:
        outcome.film(arguments.video)
        print(f"wrote {arguments.video}")


def _evaluate(arguments: EvaluationOptions) -> Outcome:
    from skill_runtime.evaluation.dispatch import find_evaluation

    score = find_evaluation(arguments)
    raise_at_interrupt()
    return score(arguments)


if __name__ == "__main__":
    main()
