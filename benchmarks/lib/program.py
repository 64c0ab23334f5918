"""Start and end of every benchmark: flags, ranges, files to write, and signals."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, cast, get_type_hints

import tyro

from benchmarks.lib.files import JSON, PICTURES, check_outputs, check_suffix
from benchmarks.lib.ranges import range_errors
from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_folder
from skill_runtime.console.streams import OutputError
from skill_runtime.evaluation.options import FILM_FORMATS

Config = TypeVar("Config")

USER_ERROR = 2
"""Exit code of a wrong value; tyro has the same."""
SIGNALLED = 128
"""Added to the number of a signal, as shells do."""

OUTPUTS = {
    "json": JSON,
    "film": FILM_FORMATS,
    **dict.fromkeys(("out", "picture", "figure"), PICTURES),
}
"""Fields of the options that name a file to write, and its suffixes."""
FOLDER = "folder"
"""Field of the options that names a folder to write to."""


def run_program(
    main: Callable[[Config], int | None],
    kind: type[Config],
    *,
    prog: str,
    description: str | None,
    args: Sequence[str] | None = None,
) -> None:
    """Parses the command line, checks it, and runs a benchmark.

    Exits with 2 if a value or a file to write is refused, with 1 if a file cannot be written, and
    with 130 or 143 after Ctrl-C or SIGTERM.

    Args:
        main: The benchmark. What it returns is the exit code.
        kind: Dataclass of its options.
        prog: Command, for the help.
        description: Help text.
        args: Words of the command line, without the command.
    """
    with ended_by_errors(), ended_by_signals():
        code = main(checked(tyro.cli(kind, prog=prog, description=description, args=args)))
    if code:
        sys.exit(code)


def run_subcommand(
    main: Callable[[Any], int | None],
    kinds: Mapping[str, type],
    *,
    prog: str,
    description: str | None,
) -> None:
    """Does the same for a program with subcommands, each with options of its own."""
    with ended_by_errors(), ended_by_signals():
        config = tyro.extras.subcommand_cli_from_dict(
            dict(kinds), prog=prog, description=description
        )
        code = main(checked(config))
    if code:
        sys.exit(code)


def checked(config: Config) -> Config:
    """Returns the options.

    Raises:
        UsageError: A value or a file to write is refused.
    """
    errors = range_errors(config)
    if errors:
        raise UsageError("; ".join(errors))
    outputs: dict[str, Path] = {}
    inputs: list[Path] = []
    folders: list[Path] = []
    for field in dataclasses.fields(cast("Any", config)):
        value: object = getattr(config, field.name)
        if field.name == FOLDER and isinstance(value, Path):
            folders.append(value)
        elif field.name not in OUTPUTS:
            inputs += _paths_in(value)
        elif isinstance(value, Path):
            check_suffix(value, OUTPUTS[field.name])
            outputs[_argument(config, field.name)] = value
    check_outputs(outputs, inputs)
    for folder in folders:  # last, since it creates them
        check_folder(folder)
    return config


@contextmanager
def ended_by_errors() -> Generator[None]:
    """Ends the program with one line if it is used wrongly or cannot write a result."""
    try:
        yield
    except UsageError as error:
        print(error, file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    except OutputError as error:
        raise SystemExit(str(error)) from None


@contextmanager
def ended_by_signals() -> Generator[None]:
    """Ends the program with one line, not a traceback, at Ctrl-C and SIGTERM.

    The block gets a KeyboardInterrupt at both, so that its servers and pools end too. A signal that
    is ignored (``nohup``) stays ignored.
    """
    program, received = os.getpid(), [signal.SIGINT]

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        if os.getpid() != program:  # A forked child is ended by the signal itself.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        received[0] = signal.Signals(number)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    defaults = (signal.SIG_DFL, signal.default_int_handler)
    replaced = {number: handler for number, handler in before.items() if handler in defaults}
    for number in replaced:
        signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt as error:
        advice = "".join(f"; {one}" for one in error.args if isinstance(one, str))
        print(f"interrupted by {received[0].name}{advice}", file=sys.stderr)
        raise SystemExit(SIGNALLED + received[0]) from None
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


def _argument(config: object, name: str) -> str:
    """Returns how the command line names an option: its flag; NAME if it has no flag."""
    hint = get_type_hints(type(config), include_extras=True)[name]
    is_positional = tyro.conf.Positional in getattr(hint, "__metadata__", ())
    return name.upper() if is_positional else f"--{name}"


def _paths_in(value: object) -> Iterator[Path]:
    """Yields the files that options name: paths, and those of ``NAME=FILE,FILE#part``."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, str):
        _, equals, paths = value.partition("=")
        for path in paths.split(",") if equals else ():
            yield Path(path.partition("#")[0])
    elif isinstance(value, tuple):
        for one in cast("tuple[object, ...]", value):
            yield from _paths_in(one)
