"""The rules of the lease; time is an argument."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_runtime.authority.lease import (
    DEFAULT_VALIDITY_S,
    ENDS_KEPT,
    FUTURE_TOLERANCE_S,
    LeaseManager,
)
from skill_runtime.authority.refusal import Refusal

times = st.floats(0, 1e6, allow_nan=False)


def held(ttl_s: float = 1.0, now: float = 10.0) -> tuple[LeaseManager, str]:
    leases = LeaseManager()
    return leases, leases.acquire("a", ttl_s, now).token


def code_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    assert refused.value.message
    assert refused.value.fix
    return refused.value.code


def test_one_holder_at_a_time_and_the_refusal_names_it() -> None:
    leases, token = held()
    with pytest.raises(Refusal, match="'a'") as refused:
        leases.acquire("b", 1.0, 10.5)
    assert code_of(refused) == "lease_held"
    leases.release(token, 10.6)
    assert leases.acquire("b", 1.0, 10.7).holder == "b"


def test_tokens_cannot_be_guessed_from_one_another() -> None:
    leases = LeaseManager()
    tokens = set[str]()
    for _ in range(100):
        lease = leases.acquire("a", 1.0, 0.0)
        tokens.add(lease.token)
        leases.release(lease.token, 0.0)
    assert len(tokens) == 100
    assert all(len(token) == 32 for token in tokens)


def test_a_lease_expires_after_its_time_to_live_unless_renewed() -> None:
    leases, token = held(ttl_s=1.0, now=10.0)
    leases.renew(token, 10.9)
    assert leases.expire(11.8) is None
    assert leases.expire(11.9) is not None
    assert leases.lease is None


def test_an_expired_lease_cannot_be_renewed_even_before_expire() -> None:
    leases, token = held(ttl_s=1.0, now=10.0)
    with pytest.raises(Refusal, match="not renewed") as refused:
        leases.renew(token, 11.0)
    assert code_of(refused) == "no_lease"
    assert leases.acquire("b", 1.0, 11.0).holder == "b"


def test_the_refusal_says_how_the_lease_ended() -> None:
    leases, token = held()
    leases.end("stop: smoke")
    with pytest.raises(Refusal, match="stop: smoke"):
        leases.check(token, 10.1)


def test_the_refusal_says_so_for_a_while_after_other_leases_too() -> None:
    leases, token = held()
    for _ in range(ENDS_KEPT - 1):
        leases.acquire("b", 1.0, 10.0, priority=1)
        leases.end("released")
        with pytest.raises(Refusal, match="'b' took it over"):
            leases.check(token, 10.0)
    leases.acquire("b", 1.0, 10.0)
    leases.end("released")
    with pytest.raises(Refusal, match="not that of the lease in force"):
        leases.check(token, 10.0)


@pytest.mark.parametrize("token", ["", "x", "0" * 32, "\N{SNOWMAN}"])
def test_a_foreign_token_is_refused(token: str) -> None:
    leases, _ = held()
    with pytest.raises(Refusal) as refused:
        leases.check(token, 10.1)
    assert code_of(refused) == "no_lease"


def test_without_any_lease_the_empty_token_is_refused_too() -> None:
    with pytest.raises(Refusal):
        LeaseManager().check("", 0.0)


def test_seq_must_rise_and_only_accepted_commands_count() -> None:
    leases, token = held()
    leases.check_command(token, 5, 10.0, 1.0, 10.0)  # checked, but never accepted
    leases.check_command(token, 1, 10.0, 1.0, 10.0)
    leases.accept(1)
    for seq in (0, 1):
        with pytest.raises(Refusal) as refused:
            leases.check_command(token, seq, 10.0, 1.0, 10.0)
        assert code_of(refused) == "out_of_order"
    leases.check_command(token, 2, 10.0, 1.0, 10.0)


def test_seq_starts_again_with_each_lease() -> None:
    leases, token = held()
    leases.accept(7)
    leases.release(token, 10.0)
    lease = leases.acquire("a", 1.0, 10.0)
    leases.check_command(lease.token, 1, 10.0, 1.0, 10.0)


@given(now=times, age=st.floats(-10, 100), valid=st.floats(1e-3, 60))
def test_validity_begins_at_the_reference_time_not_on_arrival(
    now: float, age: float, valid: float
) -> None:
    leases, token = held(ttl_s=60.0, now=now)
    reference_time = now - age
    fresh = reference_time <= now + FUTURE_TOLERANCE_S and reference_time + valid > now
    if fresh:
        assert leases.check_command(token, 1, reference_time, valid, now) == reference_time + valid
    else:
        with pytest.raises(Refusal) as refused:
            leases.check_command(token, 1, reference_time, valid, now)
        assert code_of(refused) == "stale"


def test_commands_without_a_validity_have_the_default() -> None:
    leases, token = held(ttl_s=60.0, now=10.0)
    leases.check_command(token, 1, 10.0, None, 10.0 + 0.9 * DEFAULT_VALIDITY_S)
    with pytest.raises(Refusal, match="old"):
        leases.check_command(token, 1, 10.0, None, 10.0 + DEFAULT_VALIDITY_S)
