"""The program skill-keys."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from skill_runtime.cli.keys.main import main
from skill_runtime.security.door import read_security
from skill_runtime.security.keys import public_key, read_key_file


@pytest.fixture
def keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> object:
    """Runs a command line on a folder; returns exit code and output."""

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["skill-keys", "--folder", str(tmp_path), *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_from_nothing_to_an_allowed_client_and_back(keys: object, tmp_path: Path) -> None:
    assert callable(keys)
    code, text = keys("new", "server")
    assert code == 0
    server = read_key_file(tmp_path / "server.key")
    assert server.public in text
    assert server.secret not in text
    assert public_key(str(tmp_path / "server.pub")) == server.public
    assert read_security(tmp_path).secret == server.secret
    keys("new")
    client = read_key_file(tmp_path / "client.key")
    assert keys("allow", "client", "observer") == (0, "client may: observer\n")
    assert keys("allow", "arm", "controller", keys("new", "arm")[1].split("'")[1])[0] == 0
    assert keys("allow", "client", "tracker,controller")[1] == "client may: controller,tracker\n"
    listed = keys("list")[1].splitlines()
    assert listed[0] == f"{server.public} (this server)"
    assert f"{client.public} client controller,tracker" in listed
    assert keys("revoke", "client") == (0, "client is refused from the next message on\n")
    text = (tmp_path / "authorized_keys").read_text()
    assert client.public not in text
    assert text.startswith("# The clients of this server")
    assert " arm controller" in text
    assert (tmp_path / "authorized_keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["new", "server"], "exists already"),
        (["new", "../a"], "is no name of a file"),
        (["allow", "x", "boss", "k.pub"], "neither a key"),
        (["allow", "x", "observer"], "neither a key of 40 characters"),
        (["revoke", "x"], "has no client 'x'; it has: none"),
    ],
)
def test_mistakes_are_explained_in_one_line(keys: object, words: list[str], error: str) -> None:
    assert callable(keys)
    keys("new", "server")
    code, text = keys(*words)
    assert code == 2
    assert text.startswith("skill-keys: ")
    assert error in text
    assert text.count("\n") == 1
