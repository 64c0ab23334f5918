"""The exceptions of the client: their tree, and their texts."""

from __future__ import annotations

import pytest

from skill_proto.messages import Error
from skill_runtime.client import (
    ClientError,
    CommandRefusedError,
    InvalidUseError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ResourceError,
    ServerReplacedError,
    ServerUnreachableError,
    SessionError,
    SessionLostError,
    SessionSharedError,
    WrongServerError,
)
from skill_runtime.client.errors import from_reply

ADDRESS = "tcp://127.0.0.1:5555"


def refusal(code: str, message: str = "the problem", fix: str = "the remedy") -> ClientError:
    fields = {"time": 1.0, "code": code, "message": message, "fix": fix}
    return from_reply(Error.model_validate(fields), ADDRESS)


def test_the_tree_of_errors() -> None:
    assert issubclass(LeaseLostError, NoLeaseError)
    assert issubclass(LeaseHeldError, CommandRefusedError)
    assert issubclass(ServerReplacedError, WrongServerError)
    assert issubclass(SessionLostError, SessionError)
    assert issubclass(SessionSharedError, SessionError)
    for kind in (
        ServerUnreachableError,
        ProtocolError,
        NoLeaseError,
        CommandRefusedError,
        WrongServerError,
        SessionError,
        InvalidUseError,
        ResourceError,
    ):
        assert issubclass(kind, ClientError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("no_lease", LeaseLostError),
        ("lease_held", LeaseHeldError),
        ("busy", CommandRefusedError),
        ("session_lost", SessionLostError),
        ("wrong_server", ServerReplacedError),
    ],
)
def test_an_error_reply_becomes_its_exception(code: str, kind: type[ClientError]) -> None:
    assert type(refusal(code)) is kind


def test_the_text_is_problem_and_remedy() -> None:
    assert str(refusal("busy")) == "the problem. Fix: the remedy"


def test_an_error_without_a_fix_is_the_problem_alone() -> None:
    assert str(CommandRefusedError("invalid", "the problem", "")) == "the problem"


@pytest.mark.parametrize(
    ("code", "fix", "advice"),
    [
        ("no_lease", "send 'acquire' and use the token of its reply", "call acquire() again"),
        ("stale", "take reference_time from the 'time' of a reply", "longer valid_for_s"),
        ("out_of_order", "number the commands of a lease upwards from 1", "one client at a time"),
        (
            "not_now",
            "make sure that it is safe, send 'clear', then 'acquire' a new lease",
            "call clear(), then call acquire()",
        ),
    ],
)
def test_advice_is_in_terms_of_the_client(code: str, fix: str, advice: str) -> None:
    text = str(refusal(code, fix=fix))
    assert advice in text
    for word in ("token", "reference_time", "'acquire'", "'clear'", "upwards"):
        assert word not in text


@pytest.mark.parametrize("code", ["not_now", "no_lease", "lease_held", "session_lost"])
def test_control_characters_of_the_server_are_escaped(code: str) -> None:
    error = refusal(code, message="stop: \x1b[2J\nforged \u202e\x9b", fix="\x07")
    text = str(error)
    assert r"stop: \x1b[2J\nforged \u202e\x9b" in text
    assert text.isprintable()
    if isinstance(error, CommandRefusedError):
        assert error.message.isprintable()
        assert error.fix.isprintable()


def test_a_long_text_is_cut() -> None:
    assert len(str(refusal("not_now", message="x" * 100_000))) < 1200
