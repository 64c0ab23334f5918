"""Requests without a lease: STOP waits for no other, and only the newest of a kind is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.support.served import DEADLINE_S, Served, until

from skill_runtime.client import SkillClient
from skill_runtime.subscribers.web.requests import STOPS, Requests

NOBODY = "tcp://127.0.0.1:1"

Make = Callable[[str], Requests]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes the requests of a page of the server at an address."""
    with ExitStack() as stack:

        def made(address: str) -> Requests:
            def client() -> SkillClient:
                return SkillClient(address, timeout_s=0.2 if address == NOBODY else 20.0)

            asking, commanding = (stack.enter_context(client()) for _ in range(2))
            requests = Requests(asking, commanding, client)
            stack.callback(requests.close)
            return requests

        yield made


def unexpected(reason: str) -> None:
    raise AssertionError(reason)


def test_stop_does_not_wait_for_the_others(served: Served, client: SkillClient, make: Make) -> None:
    requests, opened = make(served.address), threading.Event()
    for kind in map(str, range(2 * STOPS)):  # the first hangs
        requests.ask(kind, lambda _: unexpected("hung") if not opened.wait(DEADLINE_S) else None,
                     unexpected)  # fmt: skip
    try:
        requests.stop(unexpected)
        until(lambda: client.state().mode == "stopped")
    finally:
        opened.set()


def test_only_the_newest_of_a_kind_is_sent(served: Served, client: SkillClient, make: Make) -> None:
    requests, began, opened = make(served.address), threading.Event(), threading.Event()
    sent: list[float] = []

    def change(mass: float) -> Callable[[SkillClient], None]:
        def ask(client: SkillClient) -> None:
            sent.append(mass)
            began.set()
            assert opened.wait(DEADLINE_S)
            client.scene(mass=mass)

        return ask

    requests.ask("mass", change(0.5), unexpected)
    assert began.wait(DEADLINE_S)
    for mass in (0.6, 0.7, 0.8):
        requests.ask("mass", change(mass), unexpected)
    opened.set()
    until(lambda: (client.state().scene or {})["mass"] == pytest.approx(0.8))
    assert sent == [0.5, 0.8]


def test_a_refusal_is_reported(served: Served, make: Make) -> None:
    reasons: list[str] = []
    make(served.address).ask("mass", lambda client: client.scene(mass=-1.0), reasons.append)
    until(lambda: bool(reasons))
    assert "mass" in reasons[0]


def test_a_stop_that_is_not_confirmed_is_reported(make: Make) -> None:
    reasons: list[str] = []
    make(NOBODY).stop(reasons.append)
    until(lambda: bool(reasons))
    assert "no answer from tcp://127.0.0.1:1" in reasons[0]


def test_a_fault_of_a_request_is_reported_and_the_next_is_sent(
    served: Served, client: SkillClient, make: Make
) -> None:
    def fails(_: SkillClient) -> None:
        raise KeyError("x")

    requests, reasons = make(served.address), list[str]()
    requests.ask("clear", fails, reasons.append)
    requests.ask("mass", lambda one: one.scene(mass=0.8), unexpected)
    until(lambda: (client.state().scene or {})["mass"] == pytest.approx(0.8))
    assert reasons == ["a fault of this page: 'x'"]
