"""Steering: one tab at a time, under the lease, against a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.served import Served, serving, until

from skill_runtime.client import SkillClient
from skill_runtime.subscribers.web.steering import NOT_OPEN, OTHER_STEERS, Steering, Wish

EAST = Wish("skill", (1.0, 0.0))
FIRST, SECOND = 1, 2


@pytest.fixture
def steering(served: Served) -> Iterator[Steering]:
    with SkillClient(served.address, timeout_s=20.0) as client:
        steering = Steering(client, "page")
        steering.start()
        for tab in (FIRST, SECOND):
            steering.open(tab)
        yield steering
        steering.close()


def mode(client: SkillClient) -> tuple[str, str | None]:
    state = client.state()
    return state.mode, state.lease_holder


def test_a_wish_is_repeated_until_it_is_dropped(steering: Steering, client: SkillClient) -> None:
    assert steering.want(FIRST, EAST) == ""
    until(lambda: mode(client) == ("skill", "page"))
    first = client.state().command_seq
    until(lambda: client.state().command_seq >= first + 8)  # longer than one is valid
    assert mode(client) == ("skill", "page")
    steering.drop(FIRST)
    until(lambda: mode(client) == ("hold", None))
    assert not steering.holds
    assert steering.tab is None


def test_a_second_tab_watches_until_the_first_has_released(
    steering: Steering, client: SkillClient
) -> None:
    assert steering.want(FIRST, EAST) == ""
    assert steering.want(SECOND, Wish("hold")) == OTHER_STEERS
    assert steering.refusal(SECOND) == OTHER_STEERS
    steering.drop(SECOND)  # has no effect
    until(lambda: mode(client) == ("skill", "page"))
    steering.drop(FIRST)
    assert steering.want(SECOND, Wish("skill", (0.0, 1.0))) == ""
    until(lambda: client.state().skill == (0.0, 1.0))


def test_a_tab_that_is_closed_cannot_steer_by_a_click_that_comes_after(
    steering: Steering, client: SkillClient
) -> None:
    assert steering.want(FIRST, EAST) == ""
    until(lambda: mode(client) == ("skill", "page"))
    steering.shut(FIRST)
    assert steering.want(FIRST, EAST) == NOT_OPEN
    until(lambda: mode(client) == ("hold", None))
    assert steering.tab is None
    assert steering.refusal(SECOND) == ""


def test_an_error_of_the_thread_releases_the_lease(
    steering: Steering, client: SkillClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a fault of this program")

    steering.want(FIRST, EAST)
    until(lambda: mode(client) == ("skill", "page"))
    monkeypatch.setattr(SkillClient, "skill", fails)
    until(lambda: steering.failure is not None)
    until(lambda: mode(client) == ("hold", None))
    assert not steering.holds
    assert steering.tab is None


def test_hold_keeps_the_lease(steering: Steering, client: SkillClient) -> None:
    steering.want(FIRST, Wish("hold"))
    until(lambda: mode(client) == ("hold", "page"))
    until(lambda: steering.holds)  # the answer comes after the telemetry


def test_after_a_stop_the_arm_moves_only_after_another_wish(
    steering: Steering, client: SkillClient
) -> None:
    steering.want(FIRST, EAST)
    until(lambda: mode(client) == ("skill", "page"))
    client.stop("test")
    until(lambda: steering.tab is None)
    assert "stop" in steering.note
    until(lambda: client.state().mode == "stopped" and not client.state().braking)
    client.clear()
    assert mode(client) == ("hold", None)
    steering.want(SECOND, EAST)
    until(lambda: mode(client) == ("skill", "page"))
    assert steering.note == ""


def test_the_lease_of_another_client_is_not_taken(served: Served, steering: Steering) -> None:
    with SkillClient(served.address, timeout_s=20.0) as other:
        other.acquire("somebody", ttl_s=30.0)
        steering.want(FIRST, EAST)
        until(lambda: steering.note != "")
        assert "somebody" in steering.note
        assert steering.tab is None
        assert not steering.holds


def test_the_server_refuses_a_skill_without_a_direction(steering: Steering) -> None:
    steering.want(FIRST, Wish("skill", (0.0, 0.0)))
    until(lambda: "skill" in steering.note)
    assert steering.tab is None


def test_the_end_releases_the_lease(served: Served, client: SkillClient) -> None:
    with SkillClient(served.address, timeout_s=20.0) as own:
        steering = Steering(own, "page")
        steering.start()
        steering.open(FIRST)
        steering.want(FIRST, EAST)
        until(lambda: mode(client) == ("skill", "page"))
        steering.close()
        until(lambda: mode(client) == ("hold", None))


def test_a_skill_of_one_policy_is_not_sent_to_another(
    policy_file: Path, make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_policy_file(tmp_path, name="another")
    with serving(policy_file) as first:
        addresses = first.server.addresses
        own = SkillClient(first.address, timeout_s=20.0)
        own.hello()
        steering = Steering(own, "page")
        steering.start()
        steering.open(FIRST)
    with serving(other, addresses=addresses) as second, own:
        steering.want(FIRST, EAST)
        until(lambda: steering.note != "")
        assert "another policy" in steering.note
        steering.close()
        assert second.server.latest is not None
        assert second.server.latest.command_seq == 0
