"""The tables of roles: they name the messages that a role may send."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_runtime.security import roles
from skill_runtime.security.roles import ROLES, roles_for

TABLE = Path(__file__).parents[3] / "docs" / "security.md"


@pytest.mark.parametrize("kind", ["clear", "scene", "swap", "track", "act"])
def test_both_tables_name_the_messages_of_a_role(kind: str) -> None:
    (role,) = roles_for(kind)
    assert role in ROLES
    (line,) = [line for line in (roles.__doc__ or "").splitlines() if line.startswith(role + " ")]
    assert f"``{kind}``" in line
    text = TABLE.read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `{role}` |")]
    assert f"`{kind}`" in row
