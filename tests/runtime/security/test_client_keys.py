"""The keys with which a client connects."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_runtime.security.client_keys import KEY_VARIABLE, SERVER_KEY_VARIABLE, client_keys
from skill_runtime.security.keys import (
    CLIENT_KEY,
    SERVER_PUBLIC_KEY,
    KeyFileError,
    new_key_pair,
    write_key_file,
)

FAR, NEAR = "tcp://10.0.0.1:5555", "tcp://127.0.0.1:5555"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, with the keys of a client and of its server."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(SERVER_KEY_VARIABLE, raising=False)
    path = tmp_path / "skill-serve"
    path.mkdir()
    write_key_file(path / CLIENT_KEY, new_key_pair())
    (path / SERVER_PUBLIC_KEY).write_text(new_key_pair().public)
    return path


def test_the_files_count_for_other_machines(folder: Path) -> None:
    keys = client_keys(FAR)
    assert keys is not None
    assert keys.server == (folder / SERVER_PUBLIC_KEY).read_text()
    assert client_keys(NEAR) is None


@pytest.mark.parametrize(
    ("forgotten", "text"),
    [
        (SERVER_PUBLIC_KEY, "server's public key is missing. Fix: .*copy server.pub"),
        (CLIENT_KEY, "key of this client is missing. Fix: .*skill-keys new client"),
    ],
)
def test_a_forgotten_file_does_not_end_in_plain_text(
    folder: Path, forgotten: str, text: str
) -> None:
    (folder / forgotten).unlink()
    with pytest.raises(KeyFileError, match=text):
        client_keys(FAR)
    assert client_keys(NEAR) is None


def test_without_both_files_a_client_connects_without_keys(folder: Path) -> None:
    for name in (CLIENT_KEY, SERVER_PUBLIC_KEY):
        (folder / name).unlink()
    assert client_keys(FAR) is None
