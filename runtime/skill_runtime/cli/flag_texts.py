"""Errors of a client in terms of the flags of a command line."""

from __future__ import annotations

from collections.abc import Mapping

from skill_runtime.client import ClientError

_AS_FLAGS = {
    "pass stop_address=...": "pass --stop-address ADDRESS",
    "pass telemetry_address=...": "pass --telemetry-address ADDRESS",
    "give key and server_key": "give --key FILE and --server-key KEY",
    "give key, set": "give --key FILE, set",
    "give server_key, set": "give --server-key KEY, set",
}
"""Fixes in terms of the client's arguments, and the same for a command line."""


def as_flags(error: ClientError | str, own: Mapping[str, str] | None = None) -> str:
    """Returns the text of an error with its fix in terms of flags.

    Args:
        error: The error, or its text.
        own: Further fixes, and the same for the command line of one program.
    """
    text = str(error)
    for argument, flag in (_AS_FLAGS | dict(own or {})).items():
        text = text.replace(argument, flag)
    return text
