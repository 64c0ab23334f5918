"""skill-doctor: measures how punctual this machine is, and says what it can serve."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import tyro

from skill_runtime.console.flags import UsageError
from skill_runtime.console.interrupts import INTERRUPTED
from skill_runtime.doctor.options import Arguments, check

# The rest is imported where it is used: '--help' and a mistyped flag answer at once.

USAGE = 2
"""Exit code where what was asked cannot be done."""


def main() -> None:
    """Runs the program and exits: 0 done, 2 cannot be done as asked, 130 interrupted."""
    arguments = tyro.cli(
        Arguments,
        prog="skill-doctor",
        description="Measure how punctual this machine is, and say what to change.",
    )
    try:
        check(arguments)
    except UsageError as error:
        _refuse(error)
    from skill_robots.arm import ArmError
    from skill_robots.motion.policy_adapter import UnsupportedPolicyError
    from skill_runtime.console.status_line import discard_output
    from skill_runtime.control.policy_runner import RateMismatchError
    from skill_runtime.policy.onnx_policy import PolicyError, PolicyFileError

    _end_with_a_word_at_interrupt()
    try:
        run(arguments)
    except (
        UsageError,
        PolicyFileError,
        PolicyError,
        RateMismatchError,
        UnsupportedPolicyError,
        ArmError,
    ) as error:
        _refuse(error)
    except BrokenPipeError:  # whoever read the report, `| head` say, has seen enough
        discard_output()


def _refuse(error: Exception) -> NoReturn:
    print(f"skill-doctor: {error}", file=sys.stderr)
    sys.exit(USAGE)


def _end_with_a_word_at_interrupt() -> None:
    """At once: what is being measured in its thread has nothing to put in order."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    with suppress(OSError):  # nobody reads standard error
        os.write(2, b"\nskill-doctor: interrupted; nothing was written\n")
    os._exit(INTERRUPTED)


def run(arguments: Arguments) -> None:
    """Measures, prints the report, and writes it if asked.

    Raises:
        UsageError, PolicyFileError, PolicyError, RateMismatchError, UnsupportedPolicyError,
            ArmError: see each.
    """
    from skill_runtime.console.output_file import write_json
    from skill_runtime.doctor.examination import examine
    from skill_runtime.doctor.report import content, text

    report = examine(arguments)
    print(text(report))
    if arguments.json is not None:
        write_json(arguments.json, content(report))
        print(f"\nwrote {arguments.json}")


if __name__ == "__main__":
    main()
