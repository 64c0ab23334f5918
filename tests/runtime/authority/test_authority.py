"""Mode, lease and command change only together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skill_proto.faults import FAULTS
from skill_proto.messages import Acquire, FaultClass
from skill_runtime.authority.authority import Authority, IdleTimeout
from skill_runtime.authority.command import DEMO, ActiveCommand, CommandHeader
from skill_runtime.authority.modes import LATCHED, Event
from skill_runtime.authority.refusal import Refusal

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
    order = CommandHeader(lease=token, seq=seq, reference_time=now, valid_for_s=valid_for_s)
    expires = authority.check(order, event, now)
    authority.accept(order, event, ActiveCommand(kind="skill", vector=Z, expires=expires, seq=seq))


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
    for seq, reference_time in ((3, 0.2), (4, -5.0), (4, 9.0)):
        with pytest.raises(Refusal):
            authority.check(
                CommandHeader(lease=token, seq=seq, reference_time=reference_time, valid_for_s=1.0),
                "goal",
                0.2,
            )
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
    authority.clear(0.0)
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
    authority.clear(0.0)
    assert authority.mode == "skill"
    assert authority.command is not None
    assert authority.counters["clears"] == 0


@pytest.mark.parametrize("ending", ["acquire", "stop", "fault"])
def test_the_show_never_comes_back(ending: str) -> None:
    authority = Authority()
    authority.demo("skill", Z)
    assert authority.command is not None
    assert (authority.mode, authority.command.kind) == ("skill", DEMO)
    assert authority.command.expires == math.inf
    if ending == "acquire":
        token = take(authority)
        assert (authority.mode, authority.command) == ("hold", None)
        authority.release(token, 0.1)
    else:
        getattr(authority, ending)("x")
        authority.clear(0.0)
    authority.demo("skill", Z)
    assert (authority.mode, authority.command) == ("hold", None)
    assert not authority.demo_allowed


def test_scene_changes_leave_the_command_running() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    order = CommandHeader(lease=token, seq=2, reference_time=0.0)
    authority.check(order, None, 0.1)
    authority.accept(order, None)
    assert authority.command is not None
    assert (authority.mode, authority.seq) == ("skill", 2)


actions = st.lists(
    st.tuples(
        st.sampled_from(
            ["acquire", "release", "renew", "skill", "hold", "stop", "fault", "clear", "demo"]
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
                order = CommandHeader(lease=token, seq=seq, reference_time=now, valid_for_s=0.5)
                expires = authority.check(order, what, now)  # type: ignore[arg-type]  an Event
                running = ActiveCommand(kind="skill", vector=Z, expires=expires, seq=seq)
                authority.accept(order, what, running if what == "skill" else None)  # type: ignore[arg-type]  as above
            elif what in ("stop", "fault"):
                getattr(authority, what)("x")
            elif what == "clear":
                authority.clear(0.0)
            else:
                authority.demo("skill", Z)
        except Refusal:
            pass
        authority.advance(now)
        moving = authority.mode in ("skill", "goal", "servo")
        assert moving == (authority.command is not None)
        if authority.mode in LATCHED:
            assert authority.lease is None
        if before in LATCHED and what != "clear":
            assert authority.mode in LATCHED
        if authority.command is not None and authority.command.kind != DEMO:
            assert authority.lease is not None
            assert now < authority.command.expires
        assert all(authority.counters[name] >= count for name, count in counters.items())
        counters = dict(authority.counters)


# Priorities, patience and faults that end -------------------------------------------------------


def test_a_higher_priority_takes_the_lease_over_and_the_arm_holds() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    chief = authority.acquire(Acquire(holder="chief", priority=3), 0.1)
    assert (authority.mode, authority.command) == ("hold", None)
    assert authority.counters["takeovers"] == 1
    with pytest.raises(Refusal, match="'chief' took it over, with priority 3") as refusal:
        command(authority, token, 2, 0.2)
    assert refusal.value.code == "no_lease"
    command(authority, chief.token, 1, 0.2)
    assert authority.mode == "skill"


@pytest.mark.parametrize("priority", [0, 2, 3])
def test_the_same_or_a_lower_priority_does_not(priority: int) -> None:
    authority = Authority()
    token = authority.acquire(Acquire(holder="chief", priority=3), 0.0).token
    command(authority, token, 1, 0.0)
    with pytest.raises(Refusal, match="with priority 3") as refusal:
        authority.acquire(Acquire(holder="b", priority=priority), 0.1)
    assert refusal.value.code == "lease_held"
    command(authority, token, 2, 0.1)
    assert authority.mode == "skill"


def test_an_arm_that_nobody_commands_any_more_is_stopped_after_a_while() -> None:
    authority = Authority(IdleTimeout(stop_after_s=5.0))
    authority.advance(100.0)
    assert authority.mode == "hold"  # nobody ever commanded it
    take(authority, now=100.0)
    authority.advance(101.0)  # the lease has run out
    authority.advance(105.9)
    assert authority.mode == "hold"
    authority.advance(106.0)
    assert authority.mode == "stopped"
    assert authority.last_event == "stop: nobody has had the lease for 5 s"


def test_a_new_lease_in_time_keeps_it_from_being_stopped() -> None:
    authority = Authority(IdleTimeout(stop_after_s=5.0))
    authority.release(take(authority), 0.9)
    take(authority, now=5.0, ttl_s=60.0)
    authority.advance(50.0)
    assert authority.mode == "hold"


def test_a_fault_that_may_end_keeps_the_lease_and_ends_with_its_cause() -> None:
    authority = Authority()
    token = take(authority, ttl_s=10.0)
    command(authority, token, 1, 0.0)
    authority.fault("no pose", "tracker")
    assert (authority.mode, authority.command) == ("fault", None)
    assert authority.lease is not None
    with pytest.raises(Refusal, match="no pose") as refusal:
        command(authority, token, 2, 0.1)
    assert "a fresh pose" in refusal.value.fix
    authority.recover()
    assert (authority.mode, authority.fault_class) == ("hold", None)
    assert authority.counters["recoveries"] == 1
    command(authority, token, 2, 0.2)
    assert authority.mode == "skill"


@pytest.mark.parametrize("kind", [kind for kind, rule in FAULTS.items() if not rule.recovers])
def test_a_fault_that_may_not_revokes_the_lease_and_waits_for_clear(kind: FaultClass) -> None:
    authority = Authority()
    take(authority)
    authority.fault("it broke", kind)
    authority.recover()
    assert (authority.mode, authority.lease) == ("fault", None)
    authority.clear(0.0)
    assert (authority.mode, authority.fault_class) == ("hold", None)


def test_not_now_says_that_the_lease_is_in_force_and_the_fault_may_end() -> None:
    # What goes on sending after it would otherwise never be told that all is over.
    for kind, rule in FAULTS.items():
        authority = Authority()
        token = take(authority, ttl_s=10.0)
        authority.fault("it broke", kind)
        with pytest.raises(Refusal) as refused:
            command(authority, token, 1, 0.1)
        assert refused.value.code == ("not_now" if rule.recovers else "no_lease")
        authority.stop("me")
        with pytest.raises(Refusal) as refused:
            command(authority, token, 1, 0.1)
        assert refused.value.code == "no_lease"


def test_a_contact_on_top_of_a_silence_does_not_end_by_itself() -> None:
    authority = Authority()
    take(authority)
    authority.fault("no answer", "communication")
    authority.fault("touched", "contact")
    authority.fault("no answer", "communication")
    assert authority.fault_class == "contact"
    assert authority.lease is None
    authority.recover()
    assert authority.mode == "fault"


def test_each_kind_of_fault_is_counted_once_and_the_gravest_told() -> None:
    authority = Authority()
    authority.fault("touched", "contact")
    assert not authority.at_fault_of("communication")
    authority.fault("no answer", "communication")
    assert authority.at_fault_of("communication")
    assert authority.counters["faults.contact"] == authority.counters["faults.communication"] == 1
    assert authority.last_event == "fault: touched"
    authority.clear(0.0)
    assert not authority.at_fault_of("communication")


def test_a_stop_and_the_fault_below_it_are_both_told() -> None:
    authority = Authority()
    authority.stop("a hand in the way")
    authority.fault("touched", "contact")
    assert (authority.mode, authority.fault_class) == ("stopped", "contact")
    with pytest.raises(Refusal, match=r"stopped \(stop: a hand in the way; fault: touched\)"):
        authority.acquire(Acquire(holder="a"), 0.0)
    authority.clear(0.0)
    authority.fault("no answer", "communication")
    with pytest.raises(Refusal, match=r"at fault \(fault: no answer\)"):
        authority.acquire(Acquire(holder="a"), 0.0)


def test_a_stop_during_a_fault_that_may_end_stays() -> None:
    authority = Authority()
    authority.fault("no pose", "tracker")
    authority.stop("me")
    authority.recover()
    assert authority.mode == "stopped"
