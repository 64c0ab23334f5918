"""skill-control: watch and command a served arm from a terminal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, NoReturn

import tyro
from tyro.conf import arg

from skill_proto.faults import needs_clear
from skill_proto.ports import DEFAULT_ADDRESS
from skill_proto.printable import printable
from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.repeat_command import holder_name
from skill_runtime.cli.subcommands import (
    AnySubcommand,
    ClearSubcommand,
    StopSubcommand,
    Subcommand,
    WatchSubcommand,
)
from skill_runtime.client import ClientError, CommandRefusedError, SkillClient
from skill_runtime.console.exit_codes import FAILED, OK, USAGE
from skill_runtime.console.flags import UsageError
from skill_runtime.console.interrupts import raise_at_interrupt
from skill_runtime.console.program import VERSION_HINT
from skill_runtime.console.status_line import discard_output
from skill_runtime.console.text import control_command

_STOP_FLAGS = ("--address", "--telemetry-address", "--stop-address", "--key", "--server-key")
"""Flags of a stop."""


@dataclass(frozen=True, kw_only=True)
class ControlOptions:
    """The command line."""

    command: AnySubcommand
    address: Annotated[str, arg(metavar="ADDRESS")] = DEFAULT_ADDRESS
    """Server address for commands."""
    telemetry_address: Annotated[
        str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: as the server reports)")
    ] = None
    """Address for telemetry, if a tunnel leads to it."""
    stop_address: Annotated[
        str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: as the server reports)")
    ] = None
    """Address for stops, if a tunnel leads to it."""
    key: Annotated[
        str | None, arg(metavar="FILE", help_behavior_hint="(default: see docs/security.md)")
    ] = None
    """Key pair of this client, from `skill-keys new`."""
    server_key: Annotated[
        str | None, arg(metavar="KEY", help_behavior_hint="(default: see docs/security.md)")
    ] = None
    """Public key of the server in single quotes, or a file with it."""


def main() -> None:
    """Runs one subcommand and exits with a code of exit_codes.py."""
    try:
        options = read_stop(sys.argv[1:]) or tyro.cli(
            ControlOptions,
            prog="skill-control",
            description="Watch and command an arm that skill-serve serves. " + VERSION_HINT,
            config=(
                tyro.conf.OmitArgPrefixes,
                tyro.conf.OmitSubcommandPrefixes,
                tyro.conf.CascadeSubcommandArgs,
                tyro.conf.FlagCreatePairsOff,
            ),
        )
    except UsageError as error:
        print(f"skill-control: {error}", file=sys.stderr)
        sys.exit(USAGE)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = _run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()
        code = OK
    sys.exit(code)


def read_stop(words: Sequence[str]) -> ControlOptions | None:
    """Reads the command line of a stop, whose reason may be any text, even one like a flag.

    Args:
        words: The command line without the name of the program.

    Returns:
        The options; None for any other command line, and for one that asks for help.
    """
    given: dict[str, str] = {}
    reason: list[str] = []
    stops, left = False, list(words)
    while left:
        word = left.pop(0)
        flag, equals, value = word.partition("=")
        if flag in _STOP_FLAGS and (equals or left):
            name = flag.removeprefix("--").replace("-", "_")
            given[name] = value if equals else left.pop(0)
        elif stops:
            reason.append(word)
        elif word == "stop":
            stops = True
        else:
            return None
    if not stops or reason in (["--help"], ["-h"]):
        return None
    if reason[:1] == ["--"]:
        reason = reason[1:]
    return ControlOptions(
        command=StopSubcommand(reason=tuple(reason)),
        address=given.get("address", DEFAULT_ADDRESS),
        telemetry_address=given.get("telemetry_address"),
        stop_address=given.get("stop_address"),
        key=given.get("key"),
        server_key=given.get("server_key"),
    )


def _run(options: ControlOptions) -> int:
    advice = ""
    command = options.command
    try:
        raise_at_interrupt()
        with SkillClient(
            options.address,
            name=holder_name(),
            telemetry_address=options.telemetry_address,
            stop_address=options.stop_address,
            key=options.key,
            server_key=options.server_key,
        ) as client:
            try:
                command.run(client)
            except CommandRefusedError as error:
                advice = _advice(command, error, client)
                raise
    except KeyboardInterrupt:
        return OK if isinstance(command, WatchSubcommand) else FAILED
    except CommandRefusedError as error:
        _print_error(advice or str(error), options.address)
        return USAGE if error.code == "invalid" else FAILED
    except ClientError as error:
        _print_error(str(error), options.address)
        return exit_code_of(error)
    return OK


def _print_error(text: str, address: str) -> None:
    shown = printable(as_flags(text, noun="command", address=address))
    print(f"skill-control: {shown}", file=sys.stderr)


def _advice(command: Subcommand, error: CommandRefusedError, client: SkillClient) -> str:
    """Returns the error with the command that fixes it; empty if the error's own fix is enough.

    A recoverable fault needs no ``clear``, which would end the lease of its holder.
    """
    if error.code != "not_now" or isinstance(command, ClearSubcommand):
        return ""
    try:
        state = client.state()
    except ClientError:
        return ""
    if not needs_clear(state):
        return ""
    clear = control_command("clear", client.address)
    return f"{error.message}. Make sure it is safe, then run: {clear}, and repeat this command"


def _interrupt(signal_number: int, frame: FrameType | None) -> NoReturn:
    """Treats SIGTERM like Ctrl-C: the lease is released."""
    del signal_number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
