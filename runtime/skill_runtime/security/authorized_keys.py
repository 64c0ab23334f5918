"""The file ``authorized_keys``: the clients of a server, one a line.

``PUBLIC_KEY NAME ROLE[,ROLE...]``; a line that begins with ``#`` is a comment. The file is read
again whenever it has changed. While it cannot be read or has a bad line, the last good content
stays in force, and the log names the line.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from skill_runtime.security.config import Client
from skill_runtime.security.keys import KeyFileError, folder_flag, is_key
from skill_runtime.security.roles import read_roles

MAX_BYTES = 1024 * 1024
"""A longer file is refused: about 10,000 clients."""

MAX_NAME = 64
"""Characters of a name."""

MAX_NAMED_LINES = 5
"""Bad lines that one message names."""


def parse(text: str, path: Path) -> dict[str, Client]:
    """Returns the clients by their keys.

    Raises:
        KeyFileError: Lines are bad; the text has their numbers.
    """
    clients: dict[str, Client] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            client = _read_line(line)
            for word in (client.key, client.name):
                if word in lines:
                    raise ValueError(f"{word!r} is in line {lines[word]} already")
                lines[word] = number
            clients[client.key] = client
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = len(problems) - MAX_NAMED_LINES
        shown = problems[:MAX_NAMED_LINES] + ([f"and {more} more"] if more > 0 else [])
        raise KeyFileError(
            f"{path}: {'; '.join(shown)}. Fix: write PUBLIC_KEY NAME ROLE[,ROLE...], or remove it"
        )
    return clients


def check_name(name: str) -> str:
    """Returns the name of a client if it is one.

    Raises:
        ValueError: It is too long, or has characters that a line or a log cannot show.
    """
    if not name.isprintable() or not 1 <= len(name) <= MAX_NAME or set(name) & set(" #,"):
        raise ValueError(
            f"{name[:MAX_NAME]!r} is no name: up to {MAX_NAME} characters without spaces, commas "
            "and '#' are expected"
        )
    return name


def _read_line(line: str) -> Client:
    words = line.split()
    if len(words) != 3:
        raise ValueError(f"{len(words)} words instead of 3")
    key, name, roles = words
    if not is_key(key):
        raise ValueError("the first word is no key of 40 characters")
    return Client(key, check_name(name), read_roles(roles))


Signature = tuple[int, int, int, int]

_MISSING: Signature = (0, 0, 0, 0)


class AuthorizedKeys:
    """The clients of one server, as the file has them now. Threads may share it.

    Args:
        path: The file.
        guests: Clients of the server itself, which the file need not name.
        log: Writes a line of the server's log. A file that cannot be used from the start admits
            the guests only, until it is mended.
    """

    def __init__(
        self, path: Path, guests: Iterable[Client] = (), log: Callable[[str], None] = print
    ) -> None:
        self._path, self._place = path, str(path)
        self._guests = {guest.key: guest for guest in guests}
        self._log = log
        self._lock = threading.Lock()
        self._signature: Signature | None = None
        self._clients: dict[str, Client] = {}
        self._load(_signature(self._place), "no client is admitted")

    def get(self, key: str) -> Client | None:
        """Returns the client with this public key; None for a stranger."""
        self._refresh()
        return self._clients.get(key) or self._guests.get(key)

    def _refresh(self) -> None:
        signature = _signature(self._place)
        if signature != self._signature:
            with self._lock:
                if signature != self._signature:
                    self._load(signature, "the last good keys stay in force")

    def _load(self, signature: Signature, otherwise: str) -> None:
        is_first = self._signature is None
        try:
            clients = read(self._path)
        except KeyFileError as error:
            self._log(f"{otherwise}: {error}")
        else:
            gone = [old.name for key, old in self._clients.items() if key not in clients]
            self._clients = clients
            if not is_first:
                self._log(f"{self._path}: {len(clients)} keys in force" + _without(gone))
        self._signature = signature


def _without(names: list[str]) -> str:
    return f", no longer: {', '.join(names)}" if names else ""


def read(path: Path) -> dict[str, Client]:
    """Returns the clients in a file, by their keys.

    Raises:
        KeyFileError: The file cannot be read, others can write it, or it has bad lines.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(
            f"{path} cannot be read: {error.strerror}. Fix: allow a client with: skill-keys allow "
            f"NAME ROLES KEY{folder_flag(path.parent)}"
        ) from None
    if os.name == "posix" and mode & 0o022:
        raise KeyFileError(f"{path} can be written by others. Fix: chmod go-w {path}")
    if len(content) > MAX_BYTES:
        raise KeyFileError(f"{path} has more than {MAX_BYTES} bytes")
    try:
        return parse(content.decode(), path)
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is not a text in UTF-8") from None


def _signature(path: str) -> Signature:
    """Returns a value that changes with the file."""
    try:
        status = os.stat(path)
    except OSError:
        return _MISSING
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
