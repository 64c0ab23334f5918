"""Key pairs and their files."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
import zmq

from skill_runtime.security.keys import (
    KeyFileError,
    KeyPair,
    default_folder,
    is_key,
    new_key_pair,
    public_key,
    read_key_file,
    write_key_file,
)


@pytest.fixture
def pair() -> KeyPair:
    return new_key_pair()


def test_a_pair_belongs_together_and_its_secret_is_not_shown(pair: KeyPair) -> None:
    assert zmq.curve_public(pair.secret.encode()).decode() == pair.public
    assert pair.public[0].isalnum()
    assert pair.secret not in repr(pair)


def test_a_file_is_for_its_owner_alone_and_is_never_overwritten(
    tmp_path: Path, pair: KeyPair
) -> None:
    path = tmp_path / "new" / "a.key"
    write_key_file(path, pair)
    assert read_key_file(path) == pair
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="exists already"):
        write_key_file(path, new_key_pair())
    assert read_key_file(path) == pair


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, pair: KeyPair, mode: int) -> None:
    path = tmp_path / "a.key"
    write_key_file(path, pair)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"read by others .mode 0{mode:o}.*chmod 600"):
        read_key_file(path)


def test_a_file_without_a_pair_and_a_missing_one_are_explained(
    tmp_path: Path, pair: KeyPair
) -> None:
    path = tmp_path / "a.key"
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_key_file(path)
    os.close(os.open(path, os.O_CREAT, 0o600))
    for text in ("", "public x\nsecret y\n", "\x00\x01", f"public {pair.public}\n"):
        path.write_text(text)
        with pytest.raises(KeyFileError, match="no pair of keys"):
            read_key_file(path)
    path.write_text(f"public {pair.public}\nsecret {new_key_pair().secret}\n")
    with pytest.raises(KeyFileError, match="do not belong together"):
        read_key_file(path)


def test_a_file_is_no_folder_of_keys(tmp_path: Path, pair: KeyPair) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="file is no folder"):
        write_key_file(tmp_path / "file" / "a.key", pair)
    with pytest.raises(KeyFileError, match=r"folder .*file/keys cannot be made: Not a directory"):
        write_key_file(tmp_path / "file" / "keys" / "a.key", pair)


def test_a_full_disk_leaves_no_part_of_a_key(tmp_path: Path, pair: KeyPair) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))  # Python ignores the signal
    try:
        with pytest.raises(KeyFileError, match=r"a\.key cannot be written: File too large"):
            write_key_file(tmp_path / "a.key", pair)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_public_key_is_a_text_or_a_file(tmp_path: Path, pair: KeyPair) -> None:
    write_key_file(tmp_path / "a.key", pair)
    (tmp_path / "a.pub").write_text(f"{pair.public}\n")
    for given in (pair.public, str(tmp_path / "a.key"), str(tmp_path / "a.pub")):
        assert public_key(given) == pair.public
    with pytest.raises(KeyFileError, match="neither a key of 40 characters nor a file"):
        public_key(pair.public[:-1])


def test_a_key_has_40_characters_of_its_alphabet(pair: KeyPair) -> None:
    assert is_key(pair.public)
    assert not is_key(pair.public[1:])
    assert not is_key("~" * 40)
    assert not is_key("#" * 40)  # the alphabet, but beyond 32 bits


def test_the_folder_of_the_user_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/skill-serve")
