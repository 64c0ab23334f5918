"""skill-replay: repeats the inferences of a recording, and optionally its motion."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.subscribers.server_options import (
    SteeredServerOptions,
    check_installed,
)
from skill_runtime.client import ClientError
from skill_runtime.console.exit_codes import FAILED, INTERRUPTED, OK, USAGE
from skill_runtime.console.flags import ModelFlag, UsageError, check_number, model_file
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.program import VERSION_HINT, print_error
from skill_runtime.subscribers.replay.result import TOLERANCE

if TYPE_CHECKING:
    from skill_runtime.subscribers.recording.reader import Recording
    from skill_runtime.subscribers.replay.result import ReplayResult

# Other imports are local: '--help' and a mistyped flag answer at once.

HOLDER = "skill-replay"

DESCRIPTION = (
    "Repeat each policy step of a recording from its recorded inputs, and report the first step "
    "whose action differs, and by how much. The exit code is 1 if one differs. With --drive, send "
    "the recorded commands to a running simulated arm instead. See docs/recording.md. "
    + VERSION_HINT
)


@dataclass(frozen=True, kw_only=True)
class ReplayOptions:
    """The command line."""

    files: Positional[Annotated[tuple[Path, ...], arg(metavar="FILE ...")]]
    """Recording of skill-record; the files of one recording in their order."""
    model: Annotated[
        ModelFlag | None, arg(metavar="MODEL", help_behavior_hint="(default: as recorded)")
    ] = None
    """Policy file, or the name of a model that comes with skill-serve; by default the recorded one
    of each server, in this folder, in models/, or with skill-serve."""
    tolerance: float = TOLERANCE
    """Largest difference of an action, whose range is -1 to 1, that counts as equal."""
    drive: Annotated[bool, arg(help_behavior_hint="")] = False
    """Send the recorded commands to the server at --address, which has a simulated arm."""
    server: OmitArgPrefixes[SteeredServerOptions] = field(default_factory=SteeredServerOptions)
    """The server of --drive."""


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    options = tyro.cli(
        ReplayOptions,
        prog="skill-replay",
        description=DESCRIPTION,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        check_options(options)
        check_installed("skill-replay", "record", ("mcap", "zstandard"))
        raise_at_interrupt()
        sys.exit(_run(options))
    except UsageError as error:
        print_error("skill-replay", error)
        sys.exit(USAGE)
    except ClientError as error:
        print_error("skill-replay", as_flags(error, address=options.server.address))
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        print_error("skill-replay", "interrupted")
        sys.exit(INTERRUPTED)


def check_options(options: ReplayOptions) -> None:
    """Checks the command line.

    Raises:
        UsageError: There is no file, or one twice; or a flag is out of its range, or has no effect.
    """
    check_number("tolerance", options.tolerance, 0.0, 2.0)
    if not options.files:
        raise UsageError("name a recording of skill-record, e.g.: skill-replay run.mcap")
    known: dict[Path, Path] = {}
    for path in options.files:
        first = known.setdefault(path.resolve(), path)
        if first is not path:
            raise UsageError(
                f"{path} is the same file as {first}; name each file of a recording once"
            )
    if options.drive and (options.model is not None or options.tolerance != TOLERANCE):
        raise UsageError(
            "--model and --tolerance are for a comparison of actions, which --drive does not make; "
            "omit either these flags or --drive"
        )
    if not options.drive and options.server != SteeredServerOptions():
        raise UsageError(
            "--address and the other flags of the server are for --drive; give it, too, or omit "
            "them"
        )


def _run(options: ReplayOptions) -> int:
    from skill_runtime.policy import PolicyFileError
    from skill_runtime.subscribers.recording.reader import Recording, RecordingError
    from skill_runtime.subscribers.replay.policy_replay import ReplayError

    recording = Recording(options.files)
    try:
        code = _drive(options, recording) if options.drive else _replay(options, recording)
    except (RecordingError, ReplayError, PolicyFileError) as error:
        raise UsageError(str(error)) from None
    print("\n".join(recording.faults()), end="\n" if recording.faults() else "")
    return FAILED if recording.damaged else code


def _replay(options: ReplayOptions, recording: Recording) -> int:
    """Compares the actions; returns the exit code."""
    from skill_runtime.subscribers.replay.recording_replay import RecordingReplay

    model = None if options.model is None else model_file(options.model)
    result = RecordingReplay(recording, model, options.tolerance).run()
    if not result.replayed and not result.unknown:
        print("the recording has no policy steps")
        return FAILED
    print(describe(result, options.tolerance))
    return FAILED if result.different or not result.replayed else OK


def describe(result: ReplayResult, tolerance: float) -> str:
    """Returns the outcome of a replay in words."""
    lines = [
        f"{result.replayed} policy steps replayed, {result.resets} resets of the policy; largest "
        f"difference of an action {result.largest:.3g}"
    ]
    if result.unknown:
        lines.append(
            f"{result.unknown} steps were not replayed: they depend on steps before them that are "
            "not in the recording, which began later or has lost them"
        )
    if result.lost:
        lines.append(f"{result.lost} steps are missing in the recording")
    first = result.first
    if not result.replayed:
        lines.append(
            "nothing was compared; begin a recording before the arm moves, or reset the scene"
        )
    elif first is None:
        lines.append(f"no action differs by more than {tolerance:g}")
    else:
        lines.append(
            f"{result.different} actions differ by more than {tolerance:g}; the first in step "
            f"{first.step} (server time {first.time:.3f} s): entry {first.index} was "
            f"{first.recorded:.9g}, is {first.replayed:.9g}, difference {first.size:.3g}"
        )
    return "\n".join(lines)


def _drive(options: ReplayOptions, recording: Recording) -> int:
    """Sends the commands; returns the exit code."""
    from skill_proto.messages import Commanded
    from skill_runtime.subscribers.recording.recording_file import COMMANDED_CHANNEL
    from skill_runtime.subscribers.replay.drive import drive, is_sent

    commands = [  # read whole, so that damage is found before the arm moves
        command
        for message in recording.messages((COMMANDED_CHANNEL,))
        if isinstance(command := message.parse(), Commanded)
    ]
    if not any(map(is_sent, commands)):
        print("the recording has no commands that move an arm")
        return FAILED
    with options.server.client(HOLDER) as client, client.acquire(HOLDER):
        result = drive(client, commands)
    print(
        f"{result.sent} commands sent again, {result.refused} refused now; {result.skipped} not "
        "sent: they were refused then, or move no arm"
    )
    return FAILED if result.refused else OK


if __name__ == "__main__":
    main()
