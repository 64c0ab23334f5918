"""The commands socket under attack: it answers, and `act` keeps the contract of the commands."""

from __future__ import annotations

import json
import struct
from contextlib import ExitStack
from typing import Any

import pytest
from benchmarks.serving.hostile.attacks.attack import Attack
from benchmarks.serving.hostile.attacks.connections import HALF_OPEN, HTTP
from benchmarks.serving.hostile.attacks.frames import frames_on_commands
from benchmarks.serving.hostile.attacks.heartbeat import heartbeat_on_commands, heartbeat_on_stop
from benchmarks.serving.hostile.attacks.identities import identity_guesses
from benchmarks.serving.hostile.attacks.subscriptions import many_subscriptions, subscription
from benchmarks.serving.hostile.attacks.unfinished import unfinished_on_commands
from benchmarks.serving.hostile.bystanders import HOLDER, Bystanders
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.rig import Server
from benchmarks.serving.hostile.zmtp import RawPeer, connect_tcp
from tests.runtime.hostile.attacked import Watch, ask, settled, under, until_it_moves

ANSWERED_S = 10.0
"""A hello behind no other request is answered within this time, also on a busy machine [s]."""

HELLO = {"type": "hello"}


def answers(server: Server) -> bool:
    """Returns whether a new client gets a reply."""
    return ask(server.addresses.commands, HELLO, ANSWERED_S).get("type") == "welcome"


def test_behind_a_message_of_3_million_frames_commands_are_answered(
    server: Server, clients: Bystanders
) -> None:
    watch = Watch(server)
    with under(frames_on_commands, server, lasts_s=3.0):
        clients.run(now() + 2.5)
        assert answers(server)
    watch.check()
    settled(clients)
    assert clients.state.holder == HOLDER


def test_an_unfinished_message_of_400_mb_is_bounded(server: Server, clients: Bystanders) -> None:
    watch = Watch(server)
    with under(unfinished_on_commands, server, lasts_s=4.0):
        clients.run(now() + 3.5)
        watch.check()
    assert answers(server)
    settled(clients)
    assert clients.state.holder == HOLDER


@pytest.mark.parametrize("many", [False, True])
def test_huge_subscriptions_are_bounded(server: Server, clients: Bystanders, many: bool) -> None:
    watch = Watch(server)
    data = many_subscriptions() if many else subscription(15_000_000)
    for _ in range(4):
        with RawPeer(server.addresses.telemetry, "SUB") as peer:
            ends = now() + 2.0
            try:
                peer.send(data, lambda ends=ends: now() < ends)
                peer.ended_within(0.2)
            except ConnectionError:
                pass  # the server closes the connection
        settled(clients)
    watch.check()
    assert clients.state.holder == HOLDER


@pytest.mark.parametrize("attack", [heartbeat_on_commands, heartbeat_on_stop, identity_guesses])
def test_no_peer_ends_the_server(server: Server, clients: Bystanders, attack: Attack) -> None:
    watch = Watch(server)
    with under(attack, server, lasts_s=2.0):
        clients.run(now() + 2.0)
    watch.check()
    assert answers(server)
    until_it_moves(clients)


@pytest.mark.parametrize("name", ["commands", "stop"])
def test_2000_half_open_connections_keep_no_new_client_out(
    server: Server, clients: Bystanders, name: str
) -> None:
    clients.moving = False
    with ExitStack() as opened:
        address = getattr(server.addresses, name)
        connections = [opened.enter_context(connect_tcp(address)) for _ in range(HALF_OPEN)]
        connections[0].sendall(HTTP)
        assert answers(server)
        settled(clients)
        assert ask(server.addresses.stop, {"type": "stop"}, ANSWERED_S).get("type") == "ok"
    until_it_moves(clients)


@pytest.mark.parametrize("value", [True, 1.0, 2, "1", None])
def test_a_version_that_is_not_the_integer_1_is_refused(server: Server, value: object) -> None:
    reply = ask(server.addresses.commands, {**HELLO, "v": value})
    assert reply["type"] == "error"
    assert reply["code"] in ("wrong_version", "invalid")


def test_a_message_for_another_server_is_refused(server: Server, clients: Bystanders) -> None:
    instance = ask(server.addresses.commands, HELLO)["instance"]
    assert instance
    for address in (server.addresses.commands, server.addresses.stop):
        kind = "hello" if address == server.addresses.commands else "stop"
        reply = ask(address, {"type": kind, "instance": "another"})
        assert (reply["type"], reply.get("code")) == ("error", "wrong_server")
    settled(clients)
    assert clients.state.mode != "stopped"
    assert ask(server.addresses.commands, {**HELLO, "instance": instance})["type"] == "welcome"


def act(server: Server, dtype: str = "float32", **arrays: list[float]) -> dict[str, Any]:
    """Sends an ``act`` with one row of each array in a new session; returns the reply."""
    letter = {"float32": "f", "float64": "d"}[dtype]
    specs = [{"name": n, "dtype": dtype, "shape": [1, len(v)]} for n, v in arrays.items()]
    header = {"type": "act", "session": "test", "arrays": specs}
    frames = [struct.pack(f"<{len(v)}{letter}", *v) for v in arrays.values()]
    return ask(server.addresses.commands, [json.dumps(header).encode(), *frames])


OBSERVATION = [0.1] * 28


@pytest.mark.parametrize(
    "arrays",
    [
        {"skill": [0.0, 0.0]},
        {"goal": [9.0, 9.0]},
        {"skill": [1.0, 0.0], "previous_action": [5.0, 0.0, 0.0]},
        {"skill": [1.0, 0.0], "goal": [0.1, 0.1]},
        {},
    ],
)
def test_act_refuses_what_the_commands_refuse(
    server: Server, arrays: dict[str, list[float]]
) -> None:
    reply = act(server, observation=OBSERVATION, **arrays)
    assert (reply["type"], reply.get("code")) == ("error", "invalid")


def test_act_with_numbers_beyond_float32_is_the_fault_of_the_client(server: Server) -> None:
    reply = act(server, "float64", observation=[1e300] * 28, skill=[1.0, 0.0])
    assert (reply["type"], reply.get("code")) == ("error", "invalid")


def test_act_with_huge_numbers_is_no_internal_error(server: Server) -> None:
    reply = act(server, observation=[1e38] * 28, skill=[1.0, 0.0])
    assert reply.get("code", "invalid") == "invalid"
    assert "RuntimeWarning" not in server.log.read_text(errors="replace")


def test_act_reports_the_age_of_the_recurrent_state(server: Server) -> None:
    assert act(server, observation=OBSERVATION, skill=[1.0, 0.0])["steps"] == 1
