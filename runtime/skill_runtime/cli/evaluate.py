"""skill-eval: scores a policy file, or a random baseline, on a task."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from skill_runtime.console.exit_codes import INTERRUPTED, USAGE
from skill_runtime.console.flags import UsageError, model_file
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.output_file import write_json
from skill_runtime.console.program import VERSION_HINT
from skill_runtime.console.status_line import discard_output
from skill_runtime.console.streams import OutputError
from skill_runtime.evaluation.options import EvaluationOptions, check_options, output_files

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

    written: list[Path] = []
    try:
        run(arguments, written)
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
        print(f"skill-eval: interrupted; {_what_exists(arguments, written)}", file=sys.stderr)
        sys.exit(INTERRUPTED)


def run(arguments: EvaluationOptions, written: list[Path]) -> None:
    """Evaluates, writes the requested files, and prints the report.

    The report is printed last: no state of standard output loses a file. It is also printed if a
    file cannot be written, so that the scores are not lost.

    Args:
        arguments: The command line.
        written: Gets each file once it is written.

    Raises:
        UsageError, UnsupportedPolicyError, EngineMissingError, PolicyFileError, PolicyError: the
            policy cannot be evaluated like this; the text names the reason.
        OutputError: a file cannot be written.
    """
    if arguments.model is not None:
        arguments = replace(arguments, model=model_file(arguments.model))
    check_options(arguments)
    outcome = _evaluate(arguments)
    try:
        _write(outcome, arguments, written)
    except BaseException:
        with suppress(BrokenPipeError, OutputError):  # the first fault is the one to name
            _report(outcome, written)
        raise
    _report(outcome, written)


def _write(outcome: Outcome, arguments: EvaluationOptions, written: list[Path]) -> None:
    if arguments.json is not None:
        write_json(arguments.json, outcome.content)
        written.append(arguments.json)
    if arguments.plot is not None and outcome.draw is not None:
        outcome.draw(arguments.plot)
        written.append(arguments.plot)
    if arguments.video is not None and outcome.film is not None:
        outcome.film(arguments.video)
        written.append(arguments.video)


def _report(outcome: Outcome, written: Sequence[Path]) -> None:
    print(outcome.table)
    for path in written:
        print(f"wrote {path}")


def _what_exists(arguments: EvaluationOptions, written: Sequence[Path]) -> str:
    """Returns which files an interrupted evaluation wrote, and which it did not."""
    missing = [path for path in output_files(arguments).values() if path not in written]
    texts = [
        f"{words}: {', '.join(map(str, paths))}"
        for words, paths in (("written", written), ("not written", missing))
        if paths
    ]
    return "; ".join(texts) or "no results were written"


def _evaluate(arguments: EvaluationOptions) -> Outcome:
    from skill_runtime.evaluation.dispatch import find_evaluation

    score = find_evaluation(arguments)
    raise_at_interrupt()
    return score(arguments)


if __name__ == "__main__":
    main()
