"""Expensive requests cost the tick nothing."""

from __future__ import annotations

import pytest
from benchmarks.serving.hostile.attacks import requests
from benchmarks.serving.hostile.attacks.attack import Target, attack, repeat
from benchmarks.serving.hostile.attacks.frames import one_byte_frames
from benchmarks.serving.hostile.attacks.subscriptions import subscription
from benchmarks.serving.hostile.bystanders import HOLDER, Bystanders
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.rig import Server
from tests.runtime.hostile.attacked import Watch, settled, under, until_it_moves

WATCHED_S = 2.0

MORE_SKIPPED = 0.2
"""Share of servo periods that a busy machine may skip beyond those of the control."""

EXPENSIVE = {
    "an act of 10,900 empty arrays": requests.empty_arrays,
    "an act of 32 MiB": lambda: requests.large_act("float32"),
    "20,000 frames": lambda: one_byte_frames(20_000),
    "2,500 unknown fields": requests.unknown_keys,
    "lists 16,000 deep": requests.nested,
}


def skipped_share(clients: Bystanders, seconds: float) -> float:
    """Returns the share of the servo periods that the loop skips in this time."""
    settled(clients)
    before = clients.state
    clients.run(now() + seconds)
    settled(clients)
    skipped = clients.state.skipped - before.skipped
    return skipped / (skipped + clients.state.tick - before.tick)


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_requests_in_a_row_skip_no_ticks(
    server: Server, clients: Bystanders, name: str
) -> None:
    data = EXPENSIVE[name]()

    @attack()
    def expensive(target: Target) -> None:
        """The same request again and again."""
        repeat(target, target.commands, data)

    control, watch = skipped_share(clients, WATCHED_S), Watch(server)
    with under(expensive, server, WATCHED_S):
        attacked = skipped_share(clients, WATCHED_S)
    assert attacked < control + MORE_SKIPPED
    watch.check()
    assert clients.state.holder == HOLDER
    until_it_moves(clients)


def test_subscriptions_of_15_mb_in_a_row_skip_no_ticks(server: Server, clients: Bystanders) -> None:
    @attack()
    def subscribe(target: Target) -> None:
        """The same subscription again and again."""
        repeat(target, target.telemetry, subscription(15_000_000), "SUB")

    control, watch = skipped_share(clients, WATCHED_S), Watch(server)
    with under(subscribe, server, WATCHED_S):
        attacked = skipped_share(clients, WATCHED_S)
    assert attacked < control + MORE_SKIPPED
    watch.check()
    assert clients.state.holder == HOLDER
    assert clients.state.mode == "skill"
