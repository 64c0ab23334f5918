"""Laws of the division of sessions among addresses."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skill_runtime.client import InvalidAddressError, InvalidUseError
from skill_runtime.client.sharding.rendezvous import address_of, check_addresses, score

SESSIONS = [f"robot {i}" for i in range(5_000)]
ADDRESSES = [f"tcp://10.0.0.{i}:5555" for i in range(1, 11)]

names = st.text(min_size=1, max_size=64)
lists = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=8, unique=True)


def test_a_score_is_that_of_the_documented_hash() -> None:
    # printf 'tcp://10.0.0.1:5555\0robot 17' | b2sum -l 64
    assert score("robot 17", "tcp://10.0.0.1:5555") == 0xF6D4_2E56_CD82_7061


def test_every_address_has_its_share() -> None:
    counts = Counter(address_of(name, ADDRESSES) for name in SESSIONS)
    # 500 of 5,000 expected, standard deviation sqrt(5,000 * .1 * .9) = 21
    assert set(counts) == set(ADDRESSES)
    assert max(abs(n - 500) for n in counts.values()) < 5 * 21


def test_a_new_address_takes_over_its_share_and_no_other_session_moves() -> None:
    before = {name: address_of(name, ADDRESSES) for name in SESSIONS}
    after = {name: address_of(name, [*ADDRESSES, "tcp://10.0.0.11:5555"]) for name in SESSIONS}
    moved = [name for name in SESSIONS if before[name] != after[name]]
    assert {after[name] for name in moved} == {"tcp://10.0.0.11:5555"}
    # 5,000 / 11 = 455 expected, standard deviation 20
    assert abs(len(moved) - 455) < 5 * 20


@settings(max_examples=25)
@given(names, lists, st.data())
def test_a_removed_address_loses_its_own_sessions_alone(
    name: str, addresses: list[str], data: st.DataObject
) -> None:
    removed = data.draw(st.sampled_from(addresses))
    rest = [address for address in addresses if address != removed]
    before = address_of(name, addresses)
    if rest and before != removed:
        assert address_of(name, rest) == before


@settings(max_examples=25)
@given(names, lists, st.randoms())
def test_the_order_of_the_addresses_is_irrelevant(
    name: str, addresses: list[str], random: Random
) -> None:
    shuffled = list(addresses)
    random.shuffle(shuffled)
    assert address_of(name, shuffled) == address_of(name, addresses)


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [
        ([], "the list of addresses is empty"),
        (["tcp://a:1", "tcp://b:1", "tcp://a:1"], "'tcp://a:1' is in the list of addresses twice"),
        ("tcp://a:1", r"addresses is a list. Fix: pass \['tcp://a:1'\]"),
    ],
)
def test_a_list_without_use_is_refused(addresses: list[str], problem: str) -> None:
    with pytest.raises(InvalidUseError, match=problem):
        check_addresses(addresses)


def test_an_address_is_a_text() -> None:
    with pytest.raises(InvalidAddressError, match="5555 is not an address: it is not a text"):
        check_addresses([5555])  # type: ignore[list-item]


def test_every_address_is_checked() -> None:
    with pytest.raises(InvalidAddressError, match="'tcp://b:99999' is not an address: its port"):
        check_addresses(["tcp://a:1", "tcp://b:99999"])
