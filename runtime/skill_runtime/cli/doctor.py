"""skill-doctor: measures the timing of this machine, or examines the control box of a robot."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import tyro

from skill_proto.printable import printable, printable_lines
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.interrupts import end_at_once
from skill_runtime.console.logs import logging_to_stderr
from skill_runtime.console.program import VERSION_HINT, print_error, run_program
from skill_runtime.doctor.options import DoctorOptions, check_options

# Other imports are local: '--help' and a mistyped flag answer at once.


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    arguments = tyro.cli(
        DoctorOptions,
        prog="skill-doctor",
        description="Measure the timing of this machine, and advise on its settings; or examine "
        "the control box of a Franka robot (--arm). " + VERSION_HINT,
    )
    try:
        check_options(arguments)
    except UsageError as error:
        _refuse(error)
    from skill_robots.arm import ArmError
    from skill_robots.motion.policy_support import UnsupportedPolicyError
    from skill_runtime.control.policy_runner import RateMismatchError
    from skill_runtime.policy import PolicyError, PolicyFileError

    _end_with_message_at_interrupt()
    try:
        with logging_to_stderr("skill-doctor", arguments.log_level):
            if arguments.arm is None:
                run(arguments)
            else:
                run_on_robot(arguments, arguments.arm)
    except (
        UsageError,
        PolicyFileError,
        PolicyError,
        RateMismatchError,
        UnsupportedPolicyError,
        ArmError,
    ) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    print_error("skill-doctor", error)
    sys.exit(USAGE)


def _end_with_message_at_interrupt() -> None:
    """Makes an interrupt end the program at once: the measuring threads need no cleanup."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    with suppress(OSError):  # standard error may be closed
        os.write(2, b"\nskill-doctor: interrupted; no results were written\n")
    end_at_once()


def run(arguments: DoctorOptions) -> None:
    """Measures, writes the report to the requested file, and prints it.

    Neither of the two depends on the other, so that a full disk does not lose the measurements.

    Raises:
        OutputError: the file or the output cannot be written.
        UsageError, PolicyFileError, PolicyError, RateMismatchError, UnsupportedPolicyError,
            ArmError: the policy cannot be served like this; the text names the reason.
    """
    from skill_runtime.console.output_file import write_json
    from skill_runtime.doctor.examination import examine
    from skill_runtime.doctor.report import as_json, as_text

    report = examine(arguments)
    try:
        if arguments.json is not None:
            write_json(arguments.json, as_json(report))
    finally:
        print(printable_lines(as_text(report)))
    if arguments.json is not None:
        print(f"\nwrote {printable(str(arguments.json))}")


def run_on_robot(arguments: DoctorOptions, host: str) -> None:
    """Examines a control box, prints the answers and writes them to the requested file.

    Raises:
        OutputError: the file or the output cannot be written.
        UsageError: the file to compare with is no such file.
        ArmError: no control box answers.
    """
    from skill_runtime.console.output_file import write_json
    from skill_runtime.doctor.control_box.comparison import differences, read_answers
    from skill_runtime.doctor.control_box.examination import as_json, examine_robot
    from skill_runtime.doctor.control_box.report import comparison_text, entry_text, title

    other = None if arguments.compare is None else read_answers(arguments.compare)
    report = examine_robot(
        host,
        seconds=2.0 * arguments.seconds,
        move=arguments.move,
        cpu=arguments.cpu,
        on_start=lambda version: print(printable(title(host, version))),
        on_entry=lambda entry: print(printable_lines(entry_text(entry))),
    )
    answers = as_json(report)
    if other is not None:
        found = differences(answers, other)
        print(printable_lines(comparison_text(str(arguments.compare), found)))
    if arguments.json is None:
        print("\n--json FILE keeps all answers, so that they can be compared with other robots")
        return
    write_json(arguments.json, answers)
    print(f"\nwrote {printable(str(arguments.json))}")


if __name__ == "__main__":
    run_program("skill-doctor", main)
