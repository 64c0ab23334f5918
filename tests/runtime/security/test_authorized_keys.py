"""The file of a server's clients."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skill_runtime.security.authorized_keys import AuthorizedKeys, check_name, parse, read
from skill_runtime.security.config import Client
from skill_runtime.security.keys import KeyFileError, new_key_pair
from skill_runtime.security.roles import ROLES, read_roles, roles_for, roles_text

ALICE, BOB = new_key_pair().public, new_key_pair().public
PATH = Path("authorized_keys")


def write(path: Path, *lines: str) -> None:
    """Replaces the file at once, as skill-keys does."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.chmod(0o600)
    os.replace(new, path)


def test_a_line_has_a_key_a_name_and_roles() -> None:
    clients = parse(f"# the lab\n\n{ALICE} alice controller,tracker\n  {BOB}  bob  stop\n", PATH)
    assert clients == {
        ALICE: Client(ALICE, "alice", frozenset({"controller", "tracker"})),
        BOB: Client(BOB, "bob", frozenset({"stop"})),
    }
    assert str(clients[ALICE]) == f"{ALICE} alice controller,tracker"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{BOB} bob", "2 words instead of 3"),
        (f"{BOB} bob controller observer", "4 words"),
        (f"{BOB[:-1]} bob observer", "no key of 40 characters"),
        (f"{BOB} bob boss", "'boss' is no role; the roles are controller, tracker"),
        (f"{BOB} bob controller,", "'' is no role"),
        (f"{ALICE} bob observer", f"'{ALICE}' is in line 1 already"),
        (f"{BOB} alice observer", "'alice' is in line 1 already"),
        (f"{BOB} {'b' * 65} observer", "is no name"),
    ],
    ids=[f"case {number}" for number in range(8)],  # not of the keys, which each process draws anew
)
def test_a_bad_line_is_named_with_its_number(line: str, reason: str) -> None:
    with pytest.raises(KeyFileError) as info:
        parse(f"{ALICE} alice observer\n# remark\n{line}\n", PATH)
    assert "line 3: " in str(info.value)
    assert reason in str(info.value)


def test_a_name_cannot_forge_a_line_of_the_log() -> None:
    for name in ("a\nb", "a b", "", "\x1b[2K", "a,b"):
        with pytest.raises(ValueError, match="is no name"):
            check_name(name)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "authorized_keys"
    write(path, f"{ALICE} alice observer")
    path.chmod(0o620)
    with pytest.raises(KeyFileError, match="written by others"):
        read(path)


def test_a_change_is_seen_at_the_next_look_and_a_broken_file_changes_nothing(
    tmp_path: Path,
) -> None:
    path, log = tmp_path / "authorized_keys", list[str]()
    write(path, f"{ALICE} alice observer")
    keys = AuthorizedKeys(path, log=log.append)
    assert keys.get(ALICE) is not None
    assert keys.get(BOB) is None
    write(path, f"{BOB} bob observer")
    assert keys.get(ALICE) is None
    assert keys.get(BOB) is not None
    assert "1 keys in force, no longer: alice" in log[-1]
    write(path, f"{BOB} bob")
    assert keys.get(BOB) is not None
    assert log[-1].startswith("the last good keys stay in force")
    assert "line 1" in log[-1]
    path.unlink()
    assert keys.get(BOB) is not None
    write(path)
    assert keys.get(BOB) is None


def test_a_file_that_is_broken_from_the_start_admits_guests_only(tmp_path: Path) -> None:
    log: list[str] = []
    guest = Client(ALICE, "viewer", frozenset({"observer"}))
    keys = AuthorizedKeys(tmp_path / "none", (guest,), log.append)
    assert (keys.get(ALICE), keys.get(BOB)) == (guest, None)
    assert log[0].startswith("no client is admitted")


def test_the_roles_of_each_message() -> None:
    assert roles_for("stop") == roles_for("hello") == set(ROLES)
    assert roles_for("track") == {"tracker"}
    assert roles_for("act") == {"service"}
    assert roles_for("telemetry") == {"controller", "observer"}
    for kind in ("acquire", "skill", "servo_pose", "clear", "scene", "a later message"):
        assert roles_for(kind) == {"controller"}
    assert roles_text(read_roles("stop,controller")) == "controller,stop"
