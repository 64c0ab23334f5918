"""Errors of a client on a command line: their fixes as flags and commands, and exit codes."""

from __future__ import annotations

from typing import Literal

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import ClientError, InvalidAddressError, InvalidUseError
from skill_runtime.console.exit_codes import FAILED, USAGE
from skill_runtime.console.text import control_command

_AS_FLAGS = {
    "pass stop_address=...": "pass --stop-address ADDRESS",
    "pass telemetry_address=...": "pass --telemetry-address ADDRESS",
    "give key and server_key": "give --key FILE and --server-key KEY",
    "give key, set": "give --key FILE, set",
    "give server_key, set": "give --server-key KEY, set",
}
"""Fixes in terms of the client's arguments, and the same for a command line."""

_AGAIN = "run this {noun} again"

_AS_COMMANDS = {
    "call hello() to use the new server, then acquire() again": _AGAIN,
    "after a restart of the server, call hello()": f"after a restart of the server, {_AGAIN}",
    "call acquire() again if this program should still command the arm": _AGAIN,
    "call acquire() again, with a ttl_s longer than such a call": _AGAIN,
    "call acquire() again": _AGAIN,
    "call again; if it is refused again, give a longer valid_for_s": _AGAIN,
    "call clear(), then call acquire()": "run {clear}, then this {noun} again",
}
"""Fixes in terms of the client's methods, and the same for a command line."""


def as_flags(
    error: ClientError | str,
    *,
    noun: Literal["program", "command"] = "program",
    address: str = DEFAULT_ADDRESS,
) -> str:
    """Returns the text of an error with its fix in terms of flags and commands.

    Args:
        error: The error, or its text.
        noun: Whether the user runs a program again or sends a command again.
        address: The server's address for commands.
    """
    text, clear = str(error), control_command("clear", address)
    for method, command in _AS_COMMANDS.items():
        text = text.replace(method, command.format(noun=noun, clear=clear))
    for argument, flag in _AS_FLAGS.items():
        text = text.replace(argument, flag)
    return text


def exit_code_of(error: ClientError) -> int:
    """Returns the exit code after an error: a wrong address or key file is a wrong command line."""
    return USAGE if isinstance(error, InvalidAddressError | InvalidUseError) else FAILED
