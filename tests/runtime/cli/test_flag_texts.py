"""Errors of a client as a program shows them."""

from __future__ import annotations

import pytest

from skill_proto.messages import Error, ErrorCode
from skill_runtime.cli.flag_texts import as_flags
from skill_runtime.client.errors import from_reply, replaced

ADDRESS = "tcp://127.0.0.1:7000"

CLEAR = "make sure that it is safe, send 'clear', then 'acquire' a new lease"
"""Fix of a server for a command to an arm that is stopped."""


@pytest.mark.parametrize(
    ("code", "fix"),
    [("no_lease", "send 'acquire'"), ("stale", "send it again"), ("not_now", CLEAR)],
)
def test_no_program_names_a_method(code: ErrorCode, fix: str) -> None:
    error = from_reply(Error(code=code, message="refused", fix=fix, time=0.0), ADDRESS)
    assert "()" in str(error) or "valid_for_s" in str(error)
    text = as_flags(error)
    assert "()" not in text
    assert "valid_for_s" not in text
    assert "()" not in as_flags(replaced(ADDRESS))


def test_the_fix_of_a_stop_names_the_server() -> None:
    error = from_reply(Error(code="not_now", message="refused", fix=CLEAR, time=0.0), ADDRESS)
    clear = f"skill-control clear --address {ADDRESS}"
    assert as_flags(error, address=ADDRESS) == (
        f"refused. Fix: make sure that it is safe, run {clear}, then this program again"
    )
    assert "run skill-control clear, then this program" in as_flags(error)
