"""The keys with which a client connects.

They come from arguments, else from environment variables, else from the files of ``skill-keys`` in
the user's folder. The files count only for addresses of other machines: on its own machine a server
needs keys only if it was asked to.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from skill_runtime.security.keys import (
    CLIENT_KEY,
    SERVER_PUBLIC_KEY,
    KeyFileError,
    default_folder,
    public_key,
    read_key_file,
)

KEY_VARIABLE, SERVER_KEY_VARIABLE = "SKILL_KEY", "SKILL_SERVER_KEY"
"""Environment variables: the file with the client's keys; the server's public key or its file."""


@dataclass(frozen=True)
class ClientKeys:
    """The keys of a client, and that of its server."""

    public: str
    secret: str = field(repr=False)
    server: str
    """Public key of the server."""

    def apply(self, socket: zmq.Socket[Any]) -> None:
        """Makes a socket connect with these keys; to be called before it connects."""
        socket.curve_publickey = self.public.encode()
        socket.curve_secretkey = self.secret.encode()
        socket.curve_serverkey = self.server.encode()


def client_keys(
    address: str, key: str | Path | None = None, server_key: str | Path | None = None
) -> ClientKeys | None:
    """Returns the keys for a server; None to connect without keys.

    Args:
        address: Endpoint of the server.
        key: File with the client's key pair.
        server_key: The server's public key, or a file with it.

    Raises:
        KeyFileError: A key cannot be read, or the other one is missing.
    """
    folder = default_folder()
    own = key or os.environ.get(KEY_VARIABLE)
    server = server_key or os.environ.get(SERVER_KEY_VARIABLE)
    if not (own or server or _is_remote(address)):
        return None
    own = own or _existing(folder / CLIENT_KEY)
    server = server or _existing(folder / SERVER_PUBLIC_KEY)
    if not own and not server:  # a server without keys may be behind a tunnel
        return None
    if not own or not server:  # a forgotten file must not end in plain text
        raise KeyFileError(_missing(own, folder))
    pair = read_key_file(Path(own).expanduser())
    return ClientKeys(pair.public, pair.secret, public_key(str(server)))


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _is_remote(address: str) -> bool:
    transport, _, place = address.partition("://")
    host = place.rpartition(":")[0].strip("[]")
    return transport == "tcp" and not (host in ("localhost", "::1") or host.startswith("127."))


def _missing(own: object, folder: Path) -> str:
    if own:
        return (
            "the server's public key is missing. Fix: give server_key, set "
            f"{SERVER_KEY_VARIABLE}, or copy server.pub of the server to {folder}"
        )
    return (
        "the key of this client is missing. Fix: give key, set "
        f"{KEY_VARIABLE}, or make one with: skill-keys new client"
    )
