"""The keys with which skill-serve serves: those of a folder, or none."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING

from skill_runtime.security.config import Client, ServerSecurity
from skill_runtime.transport.addresses import AddressError, Addresses, is_loopback

if TYPE_CHECKING:
    from skill_runtime.security.client_keys import ClientKeys


def server_security(
    given: Path | None, addresses: Addresses, *, view: bool = False, web: bool = False
) -> ServerSecurity | None:
    """Returns the keys of the server; None without keys, which only this machine can reach.

    Args:
        given: Folder that the user gave; None for the default one, which addresses of other
            machines need.
        addresses: The addresses to serve.
        view: Whether the server's own viewer needs a key.
        web: Whether the server's own page needs one, with which it commands the arm.

    Raises:
        AddressError: Keys are needed and cannot be used; the text has the command that makes them.
    """
    reachable = next(filter(_is_reachable, astuple(addresses)), None)
    if given is None and reachable is None:
        return None
    from skill_runtime.security.door import read_security
    from skill_runtime.security.keys import SERVER_KEY, KeyFileError, default_folder, folder_flag

    folder = (given or default_folder()).expanduser()
    if not (folder / SERVER_KEY).exists():
        raise AddressError(_how_to_make(folder, reachable, folder_flag(folder)))
    try:
        security = read_security(folder)
    except KeyFileError as error:
        raise AddressError(str(error)) from None
    return _with_guest(security, web=web) if view or web else security


def viewer_keys(security: ServerSecurity | None) -> ClientKeys | None:
    """Returns the keys of the server's own viewer and page; None for a server without keys."""
    if security is None:
        return None
    from skill_runtime.security.client_keys import ClientKeys

    return ClientKeys(security.guests[0].key, security.guest_secret, security.public)


def _with_guest(security: ServerSecurity, *, web: bool) -> ServerSecurity:
    from skill_runtime.security.keys import new_key_pair

    pair = new_key_pair()
    name, role = ("page", "controller") if web else ("viewer", "observer")
    guest = Client(pair.public, f"{name} of this server", frozenset({role}))
    return replace(security, guests=(guest,), guest_secret=pair.secret)


def _is_reachable(address: str) -> bool:
    """Returns whether other machines can reach an address."""
    transport, _, place = address.partition("://")
    return transport == "tcp" and not is_loopback(place.rpartition(":")[0])


def _how_to_make(folder: Path, reachable: str | None, flag: str) -> str:
    reason = f"there are no keys in {folder}"
    if reachable is not None:
        reason = f"{reachable} can be reached from other machines, and {reason}"
    return (
        f"{reason}. Make them with: skill-keys new server{flag}; then allow each client with: "
        f"skill-keys allow NAME controller KEY{flag} (docs/security.md)"
    )
