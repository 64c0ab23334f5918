"""Laws of the lease, with time passed in."""

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
    keeper = LeaseManager()
    return keeper, keeper.acquire("a", ttl_s, now).token


def code_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    assert refused.value.message
    assert refused.value.fix
    return refused.value.code


def test_one_holder_at_a_time_and_the_refusal_names_it() -> None:
    keeper, token = held()
    with pytest.raises(Refusal, match="'a'") as refused:
        keeper.acquire("b", 1.0, 10.5)
    assert code_of(refused) == "lease_held"
    keeper.release(token, 10.6)
    assert keeper.acquire("b", 1.0, 10.7).holder == "b"


def test_tokens_cannot_be_guessed_from_one_another() -> None:
    keeper = LeaseManager()
    tokens = set[str]()
    for _ in range(100):
        lease = keeper.acquire("a", 1.0, 0.0)
        tokens.add(lease.token)
        keeper.release(lease.token, 0.0)
    assert len(tokens) == 100
    assert all(len(token) == 32 for token in tokens)


def test_it_runs_out_after_its_time_to_live_unless_renewed() -> None:
    keeper, token = held(ttl_s=1.0, now=10.0)
    keeper.renew(token, 10.9)
    assert keeper.expire(11.8) is None
    assert keeper.expire(11.9) is not None
    assert keeper.lease is None


def test_a_lease_that_ran_out_is_not_renewed_even_before_anyone_noticed() -> None:
    keeper, token = held(ttl_s=1.0, now=10.0)
    with pytest.raises(Refusal, match="ran out") as refused:
        keeper.renew(token, 11.0)
    assert code_of(refused) == "no_lease"
    assert keeper.acquire("b", 1.0, 11.0).holder == "b"


def test_the_refusal_says_how_the_lease_ended() -> None:
    keeper, token = held()
    keeper.end("stop: smoke")
    with pytest.raises(Refusal, match="stop: smoke"):
        keeper.check(token, 10.1)


def test_it_says_so_for_a_while_after_other_leases_too() -> None:
    keeper, token = held()
    for _ in range(ENDS_KEPT - 1):
        keeper.acquire("b", 1.0, 10.0, priority=1)
        keeper.end("released")
        with pytest.raises(Refusal, match="'b' took it over"):
            keeper.check(token, 10.0)
    keeper.acquire("b", 1.0, 10.0)
    keeper.end("released")
    with pytest.raises(Refusal, match="not that of the lease in force"):
        keeper.check(token, 10.0)


@pytest.mark.parametrize("token", ["", "x", "0" * 32, "\N{SNOWMAN}"])
def test_a_foreign_token_is_refused(token: str) -> None:
    keeper, _ = held()
    with pytest.raises(Refusal) as refused:
        keeper.check(token, 10.1)
    assert code_of(refused) == "no_lease"


def test_without_any_lease_the_empty_token_is_refused_too() -> None:
    with pytest.raises(Refusal):
        LeaseManager().check("", 0.0)


def test_seq_must_rise_and_only_accepted_commands_count() -> None:
    keeper, token = held()
    keeper.check_command(token, 5, 10.0, 1.0, 10.0)  # checked, but never accepted
    keeper.check_command(token, 1, 10.0, 1.0, 10.0)
    keeper.accept(1)
    for seq in (0, 1):
        with pytest.raises(Refusal) as refused:
            keeper.check_command(token, seq, 10.0, 1.0, 10.0)
        assert code_of(refused) == "out_of_order"
    keeper.check_command(token, 2, 10.0, 1.0, 10.0)


def test_seq_starts_again_with_each_lease() -> None:
    keeper, token = held()
    keeper.accept(7)
    keeper.release(token, 10.0)
    lease = keeper.acquire("a", 1.0, 10.0)
    keeper.check_command(lease.token, 1, 10.0, 1.0, 10.0)


@given(now=times, age=st.floats(-10, 100), valid=st.floats(1e-3, 60))
def test_a_command_lives_from_its_basis_not_from_its_arrival(
    now: float, age: float, valid: float
) -> None:
    keeper, token = held(ttl_s=60.0, now=now)
    reference_time = now - age
    fresh = reference_time <= now + FUTURE_TOLERANCE_S and reference_time + valid > now
    if fresh:
        assert keeper.check_command(token, 1, reference_time, valid, now) == reference_time + valid
    else:
        with pytest.raises(Refusal) as refused:
            keeper.check_command(token, 1, reference_time, valid, now)
        assert code_of(refused) == "stale"


def test_commands_without_a_validity_have_one_all_the_same() -> None:
    keeper, token = held(ttl_s=60.0, now=10.0)
    keeper.check_command(token, 1, 10.0, None, 10.0 + 0.9 * DEFAULT_VALIDITY_S)
    with pytest.raises(Refusal, match="old"):
        keeper.check_command(token, 1, 10.0, None, 10.0 + DEFAULT_VALIDITY_S)
