"""The exceptions of the client: their tree, and their texts."""

from __future__ import annotations

import pytest

from skill_proto.messages import Error
from skill_runtime.client import (
    ClientError,
    CommandRefusedError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ServerUnreachableError,
)
from skill_runtime.client.errors import from_reply


def test_the_tree_of_errors() -> None:
    assert issubclass(LeaseLostError, NoLeaseError)
    assert issubclass(LeaseHeldError, CommandRefusedError)
    for kind in (ServerUnreachableError, ProtocolError, NoLeaseError, CommandRefusedError):
        assert issubclass(kind, ClientError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("no_lease", LeaseLostError), ("lease_held", LeaseHeldError), ("busy", CommandRefusedError)],
)
def test_an_error_reply_becomes_its_exception(code: str, kind: type[ClientError]) -> None:
    fields = {"time": 1.0, "code": code, "message": "the problem", "fix": "the remedy"}
    error = from_reply(Error.model_validate(fields))
    assert type(error) is kind
    assert str(error) == "the problem. Fix: the remedy"


def test_an_error_without_a_fix_is_the_problem_alone() -> None:
    assert str(CommandRefusedError("invalid", "the problem", "")) == "the problem"
