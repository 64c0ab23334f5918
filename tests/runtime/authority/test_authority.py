"""Mode, lease and active command of one arm."""

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
    header = CommandHeader(lease=token, seq=seq, reference_time=now, valid_for_s=valid_for_s)
    expires = authority.check(header, event, now)
    authority.accept(header, event, ActiveCommand(kind="skill", vector=Z, expires=expires, seq=seq))


def test_a_command_runs_and_then_expires_into_hold() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.1, valid_for_s=0.5)
    authority.advance(0.59)
    assert (authority.mode, authority.seq) == ("skill", 1)
    authority.advance(0.6)
    assert authority.mode == "hold"
    assert authority.command is None
    assert authority.events.counters["expired"] == 1
    assert authority.lease is not None


def test_an_expired_command_is_counted_even_if_the_next_one_replaces_it_first() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.1, valid_for_s=0.5)
    command(authority, token, 2, 0.7)  # no tick in between
    assert (authority.mode, authority.seq) == ("skill", 2)
    assert authority.events.counters["expired"] == 1
    command(authority, token, 3, 0.8)
    assert authority.events.counters["expired"] == 1


def test_when_the_lease_runs_out_the_command_goes_with_it() -> None:
    authority = Authority()
    token = take(authority, ttl_s=1.0)
    command(authority, token, 1, 0.0, valid_for_s=30.0)
    authority.advance(1.0)
    assert (authority.mode, authority.command, authority.lease) == ("hold", None, None)
    assert authority.events.counters["lease_lost"] == 1
    assert authority.events.counters["expired"] == 0


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


def test_a_refusal_keeps_the_reason_of_the_stop() -> None:
    authority = Authority()
    authority.stop("smoke")
    authority.events.record_event("refused: something else", "rejected.invalid")
    with pytest.raises(Refusal, match="smoke"):
        take(authority)


def test_clear_has_no_effect_on_a_moving_arm() -> None:
    authority = Authority()
    command(authority, take(authority), 1, 0.0)
    authority.clear(0.0)
    assert authority.mode == "skill"
    assert authority.command is not None
    assert authority.events.counters["clears"] == 0


@pytest.mark.parametrize("ending", ["acquire", "stop", "fault"])
def test_the_demo_never_resumes(ending: str) -> None:
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


def test_an_expired_lease_is_refused_before_the_next_advance() -> None:
    """The tick ends the lease; until then the refusal has the same text."""
    authority = Authority()
    token = take(authority, ttl_s=1.0)
    command(authority, token, 1, 0.0, valid_for_s=30.0)
    words: list[str] = []
    for advanced in (False, True):
        if advanced:
            authority.advance(1.5)
        for attempt in (
            lambda: command(authority, token, 2, 1.5),
            lambda: authority.renew(token, 1.5),
            lambda: authority.release(token, 1.5),
        ):
            with pytest.raises(Refusal) as refused:
                attempt()
            assert refused.value.code == "no_lease"
            words.append(refused.value.message)
        assert (authority.lease is None) == advanced
        assert authority.events.counters["lease_lost"] == advanced
    assert set(words) == {"the lease has ended: not renewed for 1 s"}


def test_an_expired_lease_is_counted_as_lost_by_the_next_holder() -> None:
    authority = Authority()
    take(authority, ttl_s=1.0)
    authority.acquire(Acquire(holder="b"), 1.5)
    counters = authority.events.counters
    assert (counters["lease_lost"], counters["leases"], counters["takeovers"]) == (1, 2, 0)


def test_scene_changes_leave_the_command_running() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    header = CommandHeader(lease=token, seq=2, reference_time=0.0)
    authority.check(header, None, 0.1)
    authority.accept(header, None)
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
def test_mode_lease_and_command_agree_after_any_events(events: list[tuple[str, float]]) -> None:
    authority, now, token, seq = Authority(), 0.0, "none", 0
    counters: dict[str, int] = {}
    for what, passed in events:
        now += passed
        before = authority.mode
        try:
            if what == "acquire":
                token, seq = take(authority, now), 0
            elif what in ("release", "renew"):
                getattr(authority, what)(token, now)
            elif what in ("skill", "hold"):
                seq += 1
                header = CommandHeader(lease=token, seq=seq, reference_time=now, valid_for_s=0.5)
                expires = authority.check(header, what, now)  # type: ignore[arg-type]  an Event
                active = ActiveCommand(kind="skill", vector=Z, expires=expires, seq=seq)
                authority.accept(header, what, active if what == "skill" else None)  # type: ignore[arg-type]  as above
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
        assert all(authority.events.counters[name] >= count for name, count in counters.items())
        counters = dict(authority.events.counters)


# Priorities, idle timeout and recoverable faults ------------------------------------------------


def test_a_higher_priority_takes_the_lease_over_and_the_arm_holds() -> None:
    authority = Authority()
    token = take(authority)
    command(authority, token, 1, 0.0)
    chief = authority.acquire(Acquire(holder="chief", priority=3), 0.1)
    assert (authority.mode, authority.command) == ("hold", None)
    assert authority.events.counters["takeovers"] == 1
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


def test_an_arm_without_a_lease_is_stopped_after_the_idle_timeout() -> None:
    authority = Authority(IdleTimeout(stop_after_s=5.0))
    authority.advance(100.0)
    assert authority.mode == "hold"  # no client has had the lease yet
    take(authority, now=100.0)
    authority.advance(101.0)  # the lease has run out
    authority.advance(105.9)
    assert authority.mode == "hold"
    authority.advance(106.0)
    assert authority.mode == "stopped"
    assert authority.events.last_event == "stop: no client has had the lease for 5 s"


def test_a_new_lease_ends_the_idle_time() -> None:
    authority = Authority(IdleTimeout(stop_after_s=5.0))
    authority.release(take(authority), 0.9)
    take(authority, now=5.0, ttl_s=60.0)
    authority.advance(50.0)
    assert authority.mode == "hold"


def test_a_recoverable_fault_keeps_the_lease_and_ends_with_its_cause() -> None:
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
    assert authority.events.counters["recoveries"] == 1
    command(authority, token, 2, 0.2)
    assert authority.mode == "skill"


@pytest.mark.parametrize("kind", [kind for kind, rule in FAULTS.items() if not rule.recovers])
def test_other_faults_revoke_the_lease_and_need_clear(kind: FaultClass) -> None:
    authority = Authority()
    take(authority)
    authority.fault("it broke", kind)
    authority.recover()
    assert (authority.mode, authority.lease) == ("fault", None)
    authority.clear(0.0)
    assert (authority.mode, authority.fault_class) == ("hold", None)


def test_not_now_means_that_the_lease_is_in_force_and_the_fault_recoverable() -> None:
    # A client that repeats commands after `not_now` must learn that its lease has ended.
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


def test_a_contact_during_a_silence_needs_clear() -> None:
    authority = Authority()
    take(authority)
    authority.fault("no answer", "communication")
    authority.fault("touched", "contact")
    authority.fault("no answer", "communication")
    assert authority.fault_class == "contact"
    assert authority.lease is None
    authority.recover()
    assert authority.mode == "fault"


def test_each_class_of_fault_is_counted_once_and_the_most_severe_is_reported() -> None:
    authority = Authority()
    authority.fault("touched", "contact")
    assert not authority.at_fault_of("communication")
    authority.fault("no answer", "communication")
    assert authority.at_fault_of("communication")
    assert (
        authority.events.counters["faults.contact"]
        == authority.events.counters["faults.communication"]
        == 1
    )
    assert authority.events.last_event == "fault: touched"
    authority.clear(0.0)
    assert not authority.at_fault_of("communication")


def test_a_stop_and_the_fault_below_it_are_both_reported() -> None:
    authority = Authority()
    authority.stop("obstacle")
    authority.fault("touched", "contact")
    assert (authority.mode, authority.fault_class) == ("stopped", "contact")
    with pytest.raises(Refusal, match=r"stopped \(stop: obstacle; fault: touched\)"):
        authority.acquire(Acquire(holder="a"), 0.0)
    authority.clear(0.0)
    authority.fault("no answer", "communication")
    with pytest.raises(Refusal, match=r"at fault \(fault: no answer\)"):
        authority.acquire(Acquire(holder="a"), 0.0)


def test_a_stop_during_a_recoverable_fault_stays() -> None:
    authority = Authority()
    authority.fault("no pose", "tracker")
    authority.stop("me")
    authority.recover()
    assert authority.mode == "stopped"
