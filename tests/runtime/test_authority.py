"""Mode, lease and command change only together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skill_proto.messages import Acquire
from skill_runtime.authority import SHOW, Authority, Order, Running
from skill_runtime.modes import LATCHED, Event
from skill_runtime.refusal import Refusal

Z = np.array([1.0, 0.0])


def take(authority: Authority, now: float = 0.0, ttl_s: float = 1.0) -> str:
    return authority.acquire(Acquire(holder="a", ttl_s=ttl_s), now).token


def command(
    authority: Authority,
    token: str,
    seq: int,
    now: float,
    *,
    event: Event = "skill",
    valid_for_s: float = 0.5,
) -> None:
    order = Order(lease=token, seq=seq, basis=now, valid_for_s=valid_for_s)
    expires = authority.check(order, event, now)
    authority.accept(order, event, Running(kind="skill", vector=Z, expires=expires, seq=seq))


def test_a_command_runs_and_then_expires_into_hold() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.1, valid_for_s=0.5)
    authority.advance(0.59)
    assert (authority.mode, authority.seq) == ("skill", 1)
    authority.advance(0.6)
    assert authority.mode == "hold"
    assert authority.command is None
    assert authority.counters["expired"] == 1
    assert authority.lease is not None


def test_when_the_lease_runs_out_the_command_goes_with_it() -> None:
    authority = Authority()
    token = take(authority, ttl_s=1.0)
    command(authority, token, 1, 0.0, valid_for_s=30.0)
    authority.advance(1.0)
    assert (authority.mode, authority.command, authority.lease) == ("hold", None, None)
    assert authority.counters["lease_lost"] == 1
    assert authority.counters["expired"] == 0


def test_a_refused_command_leaves_the_running_one_alone() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 3, 0.1)
    running = authority.command
    for seq, basis in ((3, 0.2), (4, -5.0), (4, 9.0)):
        with pytest.raises(Refusal):
            authority.check(Order(lease=token, seq=seq, basis=basis, valid_for_s=1.0), "goal", 0.2)
    assert authority.command is running
    assert authority.mode == "skill"
    command(authority, token, 4, 0.2)


def test_stop_revokes_latches_and_says_why() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    authority.stop("smoke")
    assert (authority.mode, authority.command, authority.lease) == ("stopped", None, None)
    with pytest.raises(Refusal, match="smoke") as refused:
        take(authority, 0.1)
    assert refused.value.code == "not_now"
    authority.clear()
    assert authority.mode == "hold"
    with pytest.raises(Refusal) as refused:
        command(authority, token, 2, 0.1)
    assert refused.value.code == "no_lease"
    command(authority, take(authority, 0.1), 1, 0.1)
    assert authority.mode == "skill"


def test_a_refusal_does_not_hide_why_the_arm_is_stopped() -> None:
    authority = Authority()
    authority.stop("smoke")
    authority.note("refused: something else", "rejected.invalid")
    with pytest.raises(Refusal, match="smoke"):
        take(authority)


def test_clear_does_nothing_to_a_moving_arm() -> None:
    authority = Authority()
    command(authority, take(authority), 1, 0.0)
    authority.clear()
    assert authority.mode == "skill"
    assert authority.command is not None
    assert authority.counters["clears"] == 0


@pytest.mark.parametrize("ending", ["acquire", "stop", "fault"])
def test_the_show_never_comes_back(ending: str) -> None:
    authority = Authority()
    authority.show("skill", Z)
    assert authority.command is not None
    assert (authority.mode, authority.command.kind) == ("skill", SHOW)
    assert authority.command.expires == math.inf
    if ending == "acquire":
        token = take(authority)
        assert (authority.mode, authority.command) == ("hold", None)
        authority.release(token, 0.1)
    else:
        getattr(authority, ending)("x")
        authority.clear()
    authority.show("skill", Z)
    assert (authority.mode, authority.command) == ("hold", None)
    assert not authority.show_allowed


def test_scene_changes_leave_the_command_running() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    order = Order(lease=token, seq=2, basis=0.0)
    authority.check(order, None, 0.1)
    authority.accept(order, None)
    assert authority.command is not None
    assert (authority.mode, authority.seq) == ("skill", 2)


actions = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire", "release", "renew", "skill", "hold", "stop", "fault", "clear", "show"]
        ),
        st.floats(0, 0.7),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(actions)
def test_whatever_happens_the_three_agree(happenings: list[tuple[str, float]]) -> None:
    authority, now, token, seq = Authority(), 0.0, "none", 0
    counters: dict[str, int] = {}
    for what, passed in happenings:
        now += passed
        before = authority.mode
        try:
            if what == "acquire":
                token, seq = take(authority, now), 0
            elif what in ("release", "renew"):
                getattr(authority, what)(token, now)
            elif what in ("skill", "hold"):
                seq += 1
                order = Order(lease=token, seq=seq, basis=now, valid_for_s=0.5)
                expires = authority.check(order, what, now)  # type: ignore[arg-type]  an Event
                running = Running(kind="skill", vector=Z, expires=expires, seq=seq)
                authority.accept(order, what, running if what == "skill" else None)  # type: ignore[arg-type]  as above
            elif what in ("stop", "fault"):
                getattr(authority, what)("x")
            elif what == "clear":
                authority.clear()
            else:
                authority.show("skill", Z)
        except Refusal:
            pass
        authority.advance(now)
        moving = authority.mode in ("skill", "goal", "servo")
        assert moving == (authority.command is not None)
        if authority.mode in LATCHED:
            assert authority.lease is None
        if before in LATCHED and what != "clear":
            assert authority.mode in LATCHED
        if authority.command is not None and authority.command.kind != SHOW:
            assert authority.lease is not None
            assert now < authority.command.expires
        assert all(authority.counters[name] >= count for name, count in counters.items())
        counters = dict(authority.counters)
