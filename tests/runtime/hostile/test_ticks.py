"""Expensive requests leave the holder its lease and the arm its motion.

``benchmarks.serving.hostile`` measures whether they make ticks late.
"""

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

EXPENSIVE = {
    "an act of 10,900 empty arrays": requests.empty_arrays,
    "an act of 32 MiB": lambda: requests.large_act("float32"),
    "20,000 frames": lambda: one_byte_frames(20_000),
    "2,500 unknown fields": requests.unknown_keys,
    "lists 16,000 deep": requests.nested,
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_requests_in_a_row_end_no_motion(
    server: Server, clients: Bystanders, name: str
) -> None:
    data = EXPENSIVE[name]()

    @attack()
    def expensive(target: Target) -> None:
        """The same request again and again."""
        repeat(target, target.commands, data)

    settled(clients)
    watch = Watch(server)
    with under(expensive, server, WATCHED_S):
        clients.run(now() + WATCHED_S)
        settled(clients)
    watch.check()
    assert clients.state.holder == HOLDER
    until_it_moves(clients)


def test_subscriptions_of_15_mb_in_a_row_end_no_motion(server: Server, clients: Bystanders) -> None:
    @attack()
    def subscribe(target: Target) -> None:
        """The same subscription again and again."""
        repeat(target, target.telemetry, subscription(15_000_000), "SUB")

    settled(clients)
    watch = Watch(server)
    with under(subscribe, server, WATCHED_S):
        clients.run(now() + WATCHED_S)
        settled(clients)
    watch.check()
    assert clients.state.holder == HOLDER
    assert clients.state.mode == "skill"
