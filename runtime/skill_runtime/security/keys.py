"""Key pairs of CURVE (Curve25519), and their files.

A key is 32 bytes, written as 40 characters of Z85 (ZeroMQ RFC 32). A file has two lines, ``public
KEY`` and ``secret KEY``, and comments. Only its owner may read it, as with a key of SSH.
"""

from __future__ import annotations

import os
import shlex
import stat
import string
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

KEY_LENGTH = 40
"""Characters of a key."""

SERVER_KEY, SERVER_PUBLIC_KEY = "server.key", "server.pub"
CLIENT_KEY, AUTHORIZED_KEYS = "client.key", "authorized_keys"
"""Names of the files in a folder of keys."""

Z85 = frozenset(f"{string.digits}{string.ascii_letters}.-:+=^!/*?&<>()[]{{}}@%$#")
"""The alphabet of RFC 32."""


class KeyFileError(Exception):
    """A key or a file of keys cannot be used; the text gives the reason and the fix."""


@dataclass(frozen=True)
class KeyPair:
    """The two keys of a server or of a client."""

    public: str
    secret: str = field(repr=False)


def default_folder() -> Path:
    """Returns the folder of the user's keys: ``~/.config/skill-serve``."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "skill-serve"


def new_key_pair() -> KeyPair:
    """Returns a new pair, whose public key begins with a letter or a digit.

    So no key looks like a flag of a command line, or like a comment in ``authorized_keys``.
    """
    while True:
        public, secret = (key.decode() for key in zmq.curve_keypair())
        if public[0].isalnum():
            return KeyPair(public, secret)


def is_key(text: str) -> bool:
    """Returns whether a text is a key in Z85."""
    if len(text) != KEY_LENGTH or not Z85.issuperset(text):
        return False
    try:
        return len(z85.decode(text.encode())) == 32
    except (ValueError, KeyError, struct.error):  # a group of five beyond 32 bits
        return False


def write_key_file(path: Path, pair: KeyPair) -> None:
    """Writes a new file that only this user can read.

    Raises:
        KeyFileError: The file exists, or cannot be written.
    """
    text = (
        "# Key pair of skill-serve. Keep this file secret; give others the public key only.\n"
        f"public {pair.public}\nsecret {pair.secret}\n"
    )
    write_new(path, text, 0o600)


def make_folder(folder: Path) -> None:
    """Makes a folder of keys that only this user can read, if there is none.

    Raises:
        KeyFileError: It cannot be made.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):  # unlike Path, these never raise
        raise KeyFileError(f"{folder} is no folder. Fix: give a folder for the keys with --folder")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(
            f"the folder {folder} cannot be made: {error.strerror}. Fix: give another one with "
            "--folder"
        ) from None


def folder_flag(folder: Path) -> str:
    """Returns the flag of ``skill-keys`` for a folder, after a space; empty for the user's own."""
    return "" if folder == default_folder() else f" --folder {shlex.quote(str(folder))}"


def write_new(path: Path, text: str, mode: int) -> None:
    """Writes a new file with these permissions.

    Raises:
        KeyFileError: The file exists, or cannot be written.
    """
    make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(descriptor, mode)
                file.write(text)
        except OSError:  # a part of a key is none, and would be in the way
            path.unlink()
            raise
    except FileExistsError:
        raise KeyFileError(
            f"{path} exists already, and clients may depend on it. Fix: choose another name, or "
            "remove the file first"
        ) from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}") from None


def read_key_file(path: Path) -> KeyPair:
    """Returns the pair in a file.

    Raises:
        KeyFileError: It cannot be read, others can read it, or it has no pair of keys.
    """
    lines = _private_text(path).splitlines()
    words = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    keys = {entry[0]: entry[1] for entry in words if len(entry) == 2}
    public, secret = keys.get("public", ""), keys.get("secret", "")
    if not (is_key(public) and is_key(secret)):
        raise KeyFileError(
            f"{path} has no pair of keys: the lines 'public KEY' and 'secret KEY' are expected, "
            f"with keys of {KEY_LENGTH} characters. Fix: make one with: skill-keys new NAME"
        )
    if zmq.curve_public(secret.encode()).decode() != public:
        raise KeyFileError(
            f"the two keys in {path} do not belong together. Fix: make a pair with: skill-keys new "
            "NAME"
        )
    return KeyPair(public, secret)


def public_key(given: str) -> str:
    """Returns a public key that is given as text, or as a file with one.

    Args:
        given: The key, or the path of a ``.pub`` or ``.key`` file.

    Raises:
        KeyFileError: It is neither.
    """
    if is_key(given):
        return given
    path = Path(os.path.expanduser(given))
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        raise KeyFileError(
            f"{given!r} is neither a key of {KEY_LENGTH} characters nor a file with one. Fix: give "
            "the public key that 'skill-keys new' printed, in single quotes"
        ) from None
    if "secret" in words:
        return read_key_file(path).public
    found = next((word for word in words if is_key(word)), None)
    if found is None:
        raise KeyFileError(f"{path} has no public key. Fix: give a file that 'skill-keys' wrote")
    return found


def _private_text(path: Path) -> str:
    try:
        with open(path, encoding="ascii") as file:
            status = os.fstat(file.fileno())
            if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
                raise KeyFileError(
                    f"{path} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}), and "
                    f"its secret key may be known to them. Fix: chmod 600 {path}, or make new keys"
                )
            return file.read()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is not a file of keys") from None
