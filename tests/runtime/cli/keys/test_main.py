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


def test_the_key_of_the_server_is_not_that_of_a_client(keys: object, tmp_path: Path) -> None:
    """Its public key is at hand on the server, and easily pasted by mistake."""
    assert callable(keys)
    keys("new", "server")
    server = read_key_file(tmp_path / "server.key").public
    for given in ([server], [str(tmp_path / "server.pub")], [str(tmp_path / "server.key")]):
        code, text = keys("allow", "bob", "observer", *given)
        assert (code, "this is the public key of this server, not of a client" in text) == (2, True)
    assert keys("allow", "server", "observer")[0] == 2
    (tmp_path / "server.pub").unlink()
    assert keys("allow", "bob", "observer", server)[0] == 2
    assert server not in (tmp_path / "authorized_keys").read_text()


def test_the_next_steps_name_the_folder(
    keys: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert callable(keys)
    _, text = keys("new", "server")
    assert f"skill-keys allow NAME ROLES KEY --folder {tmp_path}\n" in text
    assert f"skill-serve --keys {tmp_path}\n" in text
    (tmp_path / "authorized_keys").unlink()
    assert f"skill-keys allow NAME ROLES KEY --folder {tmp_path}\n" in keys("revoke", "x")[1]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["skill-keys", "new", "server"])
    main()
    assert "--folder" not in capsys.readouterr().out.split("next", 1)[1]


@pytest.mark.parametrize(
    "words", [["new", "x"], ["allow", "x", "observer", "k.pub"], ["revoke", "x"], ["list"]]
)
def test_a_file_is_no_folder_of_keys(
    tmp_path: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "README.md"
    file.write_text("text")
    monkeypatch.setattr(sys, "argv", ["skill-keys", "--folder", str(file), *words])
    with pytest.raises(SystemExit, match="2"):
        main()
    error = f"skill-keys: {file} is no folder; give the folder of the keys with --folder\n"
    assert capsys.readouterr().err == error
    assert file.read_text() == "text"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["new", "server"], "exists already"),
        (["new", "../a"], "is no name of a file"),
        (["allow", "x", "boss", "k.pub"], "neither a key"),
        (["allow", "x", "observer"], "neither a key of 40 characters"),
        (["allow", "x", "observer", "~nobody/x.pub"], "neither a key"),
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
