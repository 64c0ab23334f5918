"""The subcommands of skill-keys; each one is a dataclass of its arguments."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from tyro.conf import Positional, arg, subcommand

from skill_proto.files.atomic_file import replace_text
from skill_runtime.security.authorized_keys import check_name, read
from skill_runtime.security.config import Client
from skill_runtime.security.keys import (
    AUTHORIZED_KEYS,
    CLIENT_KEY,
    SERVER_KEY,
    SERVER_PUBLIC_KEY,
    KeyFileError,
    folder_flag,
    make_folder,
    new_key_pair,
    public_key,
    write_key_file,
    write_new,
)
from skill_runtime.security.roles import read_roles, roles_text

HEADER = (
    "# The clients of this server: PUBLIC_KEY NAME ROLE[,ROLE...]\n"
    "# Roles: controller, tracker, observer, service, stop. Each key may stop the arm.\n"
)

SERVER, CLIENT = SERVER_KEY.removesuffix(".key"), CLIENT_KEY.removesuffix(".key")


class Subcommand(Protocol):
    """One subcommand."""

    def run(self, folder: Path) -> None:
        """Runs the subcommand on a folder of keys.

        Raises:
            KeyFileError, ValueError: It cannot be done; the text gives the reason.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class NewSubcommand:
    """Make a key pair: `server` for a server, else for a client."""

    name: Annotated[Positional[str], arg(metavar="NAME")] = CLIENT
    """Name of the file, without `.key`; clients use `client` by default."""

    def run(self, folder: Path) -> None:
        """Writes the files, and prints the public key and the next step."""
        name, pair = check_name(self.name), new_key_pair()
        if "/" in name:
            raise ValueError(f"{name!r} is no name of a file; give the folder with --folder")
        write_key_file(folder / f"{name}.key", pair)
        print(f"secret key  {folder / f'{name}.key'}")
        print(f"public key  {pair.public}")
        if name != SERVER:
            print(f"next        on the server: skill-keys allow NAME ROLES '{pair.public}'")
            return
        public = folder / SERVER_PUBLIC_KEY
        with suppress(FileNotFoundError):  # that of a pair that was removed
            public.unlink()
        write_new(public, f"{pair.public}\n", 0o644)
        with suppress(KeyFileError):  # a list of clients may exist
            write_new(folder / AUTHORIZED_KEYS, HEADER, 0o600)
        flag = folder_flag(folder)
        print(f"next        copy {public} to ~/.config/skill-serve of each client,")
        print(f"            and allow each one with: skill-keys allow NAME ROLES KEY{flag}")
        if flag:
            print(f"            Serve with: skill-serve --keys {shlex.quote(str(folder))}")


@dataclass(frozen=True, kw_only=True)
class AllowSubcommand:
    """Let a client connect, or give it other roles."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """Name of the client, for the log."""
    roles: Annotated[Positional[str], arg(metavar="ROLES")]
    """controller, tracker, observer, service or stop; several with commas."""
    key: Annotated[Positional[str | None], arg(metavar="[KEY]", help_behavior_hint="")] = None
    """Public key of the client in single quotes, or a file with it; not needed for other roles of
    a known client, or for NAME.key in the folder."""

    def run(self, folder: Path) -> None:
        """Writes the line of the client."""
        path = folder / AUTHORIZED_KEYS
        clients = read(path) if os.path.exists(path) else {}
        known = next((one for one in clients.values() if one.name == self.name), None)
        if self.key is not None:
            key = public_key(self.key)
        elif known is not None:
            key = known.key
        else:
            key = public_key(str(folder / f"{self.name}.key"))
        if key == _server_key(folder):
            raise ValueError(
                "this is the public key of this server, not of a client; give the one that "
                "'skill-keys new client' prints on the machine of the client"
            )
        client = Client(key, check_name(self.name), read_roles(self.roles))
        other = clients.get(key)
        if other is not None and other.name != self.name:
            raise ValueError(f"this key is that of {other.name!r} already")
        gone = {self.name}
        _rewrite(path, _lines_without(path, gone), [str(client)])
        print(f"{self.name} may: {roles_text(client.roles)}")


@dataclass(frozen=True, kw_only=True)
class RevokeSubcommand:
    """Refuse a client from its next message on, also if it is connected."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """Name or public key of the client."""

    def run(self, folder: Path) -> None:
        """Removes the line of the client."""
        path = folder / AUTHORIZED_KEYS
        clients = read(path)
        found = [one for one in clients.values() if self.name in (one.name, one.key)]
        if not found:
            names = ", ".join(one.name for one in clients.values()) or "none"
            raise ValueError(f"{path} has no client {self.name!r}; it has: {names}")
        _rewrite(path, _lines_without(path, {one.name for one in found}), [])
        print(f"{found[0].name} is refused from the next message on")


@dataclass(frozen=True, kw_only=True)
class ListSubcommand:
    """Print the clients of the server."""

    def run(self, folder: Path) -> None:
        """Prints one line per client."""
        server = _server_key(folder)
        if server is not None:
            print(f"{server} (this server)")
        for client in read(folder / AUTHORIZED_KEYS).values():
            print(client)


AnySubcommand = (
    Annotated[NewSubcommand, subcommand("new")]
    | Annotated[AllowSubcommand, subcommand("allow")]
    | Annotated[RevokeSubcommand, subcommand("revoke")]
    | Annotated[ListSubcommand, subcommand("list")]
)


def _server_key(folder: Path) -> str | None:
    """Returns the public key of the server whose keys are in a folder; None without one.

    Raises:
        KeyFileError: Its file has none.
    """
    for name in (SERVER_PUBLIC_KEY, SERVER_KEY):
        if os.path.exists(folder / name):
            return public_key(str(folder / name))
    return None


def _lines_without(path: Path, names: set[str]) -> list[str]:
    """Returns the lines of a file without those of some clients; comments stay."""
    if not os.path.exists(path):
        return [*HEADER.splitlines()]
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("#") or _name_of(line) not in names]


def _name_of(line: str) -> str:
    return next(iter(line.split()[1:2]), "")


def _rewrite(path: Path, kept: Iterable[str], added: Iterable[str]) -> None:
    """Replaces a file at once, so that a server never reads a part of it.

    Raises:
        KeyFileError: It cannot be written.
    """
    make_folder(path.parent)
    text = "".join(f"{line}\n" for line in (*kept, *added))
    try:
        replace_text(path, text, 0o600)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from None
