"""skill-record: records a served arm into MCAP files, and exports a recording for training."""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg

from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.subscribers.server_options import (
    Ending,
    ServerOptions,
    check_installed,
)
from skill_runtime.client import ClientError
from skill_runtime.console.exit_codes import FAILED, INTERRUPTED, USAGE
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.program import VERSION_HINT, print_error
from skill_runtime.console.status_line import LiveLine

# Other imports are local: '--help' and a mistyped flag answer at once.

LOG_PERIOD_S = 10.0
"""Time between two lines of progress if the output is not a terminal [s]."""

DESCRIPTION = (
    "Record a served arm into FILE (MCAP): telemetry, commands with their result, and inputs and "
    "action of each policy step. Ctrl-C ends the recording. A recorder that is killed, or whose "
    "disk is full, leaves a file with all but the last second. The server waits for no recorder. "
    "With --lerobot, FILE is a recording, which is exported. See docs/recording.md. " + VERSION_HINT
)


@dataclass(frozen=True, kw_only=True)
class RecordOptions:
    """The command line."""

    file: Positional[Annotated[Path, arg(metavar="FILE")]]
    """The recording; no file is overwritten."""
    server: OmitArgPrefixes[ServerOptions] = field(default_factory=ServerOptions)
    """The server."""
    seconds: Annotated[float, arg(metavar="S", help_behavior_hint="(default: until Ctrl-C)")] = (
        math.inf
    )
    """End after this time [s]."""
    rotate_mb: Annotated[float, arg(metavar="MB", help_behavior_hint="(default: one file)")] = (
        math.inf
    )
    """Begin a new file after this size [10^6 bytes]: run-001.mcap, run-002.mcap, ..."""
    rotate_minutes: Annotated[
        float, arg(metavar="MIN", help_behavior_hint="(default: one file)")
    ] = math.inf
    """Begin a new file after this time [min]."""
    lerobot: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Write the recording FILE as a LeRobotDataset v3 into this new folder, and end."""
    fps: Annotated[int | None, arg(metavar="HZ", help_behavior_hint="(default: the policy's)")] = (
        None
    )
    """Frames per second of the dataset."""


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    options = tyro.cli(RecordOptions, prog="skill-record", description=DESCRIPTION)
    try:
        check_options(options)
        check_installed("skill-record", "record", ("mcap", "zstandard"))
        if options.lerobot is not None:
            check_installed("skill-record --lerobot", "record", ("pyarrow",))
            raise_at_interrupt()
            _export(options, options.lerobot)
        else:
            _record(options)
    except UsageError as error:
        print_error("skill-record", error)
        sys.exit(USAGE)
    except ClientError as error:
        print_error("skill-record", as_flags(error, address=options.server.address))
        sys.exit(exit_code_of(error))
    except KeyboardInterrupt:
        print_error("skill-record", "interrupted; the dataset is not complete")
        sys.exit(INTERRUPTED)


def check_options(options: RecordOptions) -> None:
    """Checks the flags.

    Raises:
        UsageError: A flag is out of its range, or does not fit another one.
    """
    check_number("seconds", options.seconds, 1e-3, math.inf, unit="s")
    check_number("rotate-mb", options.rotate_mb, 1.0, math.inf, unit="MB")
    check_number("rotate-minutes", options.rotate_minutes, 0.1, math.inf, unit="min")
    check_number("fps", options.fps, 1, 1000, unit="Hz")
    if options.fps is not None and options.lerobot is None:
        raise UsageError("--fps is the rate of a dataset; give it with --lerobot DIR")
    if options.lerobot is None and options.file.suffix != ".mcap":
        raise UsageError(f"{options.file} must end with .mcap, so that other programs know it")
    given = (options.seconds, options.rotate_mb, options.rotate_minutes)
    if options.lerobot is not None and min(given) < math.inf:
        raise UsageError(
            "--seconds, --rotate-mb and --rotate-minutes are for a new recording, and --lerobot "
            "exports a whole one; omit either these flags or --lerobot"
        )
    if options.lerobot is not None and options.server != ServerOptions():
        raise UsageError(
            "--address and the other flags of the server are for a new recording, and --lerobot "
            "exports one; omit either these flags or --lerobot"
        )


def _record(options: RecordOptions) -> None:
    from skill_proto.topics import TOPICS
    from skill_runtime.console.streams import OutputError
    from skill_runtime.subscribers.recording.recorder import Recorder
    from skill_runtime.subscribers.recording.rotation import RecordingFiles, Rotation
    from skill_runtime.subscribers.subscription import Subscription

    rotation = Rotation(size_mb=options.rotate_mb, minutes=options.rotate_minutes)
    first = rotation.path_of(options.file, 1)
    if os.path.lexists(first):  # also a link that leads nowhere
        raise UsageError(f"{first} exists, and a recording overwrites no file; name a new one")
    ending = Ending()
    stopping = ending.or_after(options.seconds, time.monotonic)
    with options.server.client("skill-record") as client:
        subscription = Subscription(client, TOPICS, options.server.telemetry_address)
        files = RecordingFiles(options.file, rotation)
        line = LiveLine(LOG_PERIOD_S)
        recorder = None
        try:
            recorder = Recorder(subscription, files)
            recorder.run(stopping, line.show)
            files.close()
        except OutputError as error:
            files.abandon()
            kept = f"; the recording up to here is readable ({files.size / 1e6:.2f} MB)"
            line.end()
            print_error("skill-record", f"{error}{kept}")
            sys.exit(FAILED)
        finally:
            subscription.close()
        line.say(recorder.progress())
        line.flush()


def _export(options: RecordOptions, folder: Path) -> None:
    from skill_runtime.subscribers.dataset.lerobot import DatasetError, write_dataset
    from skill_runtime.subscribers.recording.reader import RecordingError

    try:
        print(write_dataset([options.file], folder, options.fps))
    except (RecordingError, DatasetError) as error:
        raise UsageError(str(error)) from None


if __name__ == "__main__":
    main()
