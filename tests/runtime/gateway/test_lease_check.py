"""Messages with a token that is not in force do not keep the controller busy."""

from __future__ import annotations

import pytest
from tests.runtime.gateway.rig import Client, Rig

from skill_proto.messages import Granted
from skill_runtime.authority.lease import UNKNOWN_TOKEN
from skill_runtime.gateway.lease_check import UNKNOWN_BURST, UNKNOWN_RATE_HZ

HEADER = {"seq": 1, "reference_time": 0.0}


def exhaust(rig: Rig, client: Client) -> None:
    """Sends messages with an unknown token until the gateway refuses them."""
    rig.write_state(holder="someone", lease="in force")
    for _ in range(round(UNKNOWN_BURST)):
        client.send(type="renew", lease="nobody")
        rig.gateway.step()
        assert len(rig.commands()) == 1


def grant(rig: Rig, client: Client, token: str) -> None:
    """Passes the reply to an ``acquire`` on."""
    client.send(type="acquire", holder="someone", ttl_s=0.5)
    rig.gateway.step()
    ((request, _),) = rig.commands()
    rig.reply(request, Granted(time=0.0, lease=token, ttl_s=0.5, seq=0))
    rig.gateway.step()
    assert client.reply()["lease"] == token


@pytest.mark.parametrize(
    "body",
    [
        {"type": "renew"},
        {"type": "release"},
        {"type": "hold", **HEADER},
        {"type": "reset", **HEADER},
        {"type": "skill", "skill": [1.0, 0.0], "valid_for_s": 1.0, **HEADER},
    ],
    ids=lambda body: str(body["type"]),
)
def test_a_flood_with_an_unknown_token_is_refused_by_the_gateway(
    rig: Rig, client: Client, body: dict[str, object]
) -> None:
    exhaust(rig, client)
    wakes = rig.wakes
    for _ in range(3):
        reply = client.ask(**body, lease="nobody", id=3)
        assert (reply["type"], reply["code"], reply["id"]) == ("error", "no_lease", 3), reply
        assert reply["message"] == UNKNOWN_TOKEN
        assert "acquire" in reply["fix"]
    assert rig.commands() == []
    assert rig.wakes == wakes


def test_a_flood_does_not_refuse_the_lease_in_force(rig: Rig, client: Client) -> None:
    exhaust(rig, client)
    client.send(type="renew", lease="in force")
    rig.gateway.step()
    assert [message.type for _, message in rig.commands()] == ["renew"]


def test_a_token_that_was_just_granted_is_known_before_the_next_state(
    rig: Rig, client: Client
) -> None:
    """The gateway may fail to read a state that is being written."""
    exhaust(rig, client)
    grant(rig, client, "new")
    client.send(type="renew", lease="new")
    rig.gateway.step()
    assert [message.type for _, message in rig.commands()] == ["renew"]


def test_the_controller_explains_the_end_of_a_lease_also_during_a_flood(
    rig: Rig, client: Client
) -> None:
    grant(rig, client, "ended")
    exhaust(rig, client)
    client.send(type="renew", lease="ended")
    rig.gateway.step()
    assert [message.type for _, message in rig.commands()] == ["renew"]


def test_a_gateway_that_was_restarted_passes_some_unknown_tokens_on(
    rig: Rig, client: Client
) -> None:
    exhaust(rig, client)
    rig.clock.time_s += 1.0 / UNKNOWN_RATE_HZ + 1e-6
    client.send(type="renew", lease="of before the restart")
    rig.gateway.step()
    assert len(rig.commands()) == 1
    assert client.ask(type="renew", lease="of before the restart")["code"] == "no_lease"


def test_messages_without_a_token_pass(rig: Rig, client: Client) -> None:
    exhaust(rig, client)
    client.send(type="clear")
    rig.gateway.step()
    assert [message.type for _, message in rig.commands()] == ["clear"]


@pytest.mark.parametrize("state", [False, True])
def test_without_a_lease_in_force_the_same_holds(rig: Rig, client: Client, state: bool) -> None:
    if state:
        rig.write_state()
    passed = 0
    for _ in range(2 * round(UNKNOWN_BURST)):
        client.send(type="renew", lease="nobody")
        rig.gateway.step()
        passed += len(rig.commands())
    # Before the first state, the gateway knows nothing.
    assert passed == round(UNKNOWN_BURST) * (1 if state else 2)
