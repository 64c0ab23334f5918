"""Keys of senders: a stranger is told nothing, and a revoked key loses its lease."""

from __future__ import annotations

import pytest
from tests.runtime.gateway.rig import Client, Rig

from skill_proto.messages import Acquire, Granted, Release
from skill_runtime.gateway.gateway import Gateway

NO_KEY = "the key is not authorized"


class Guard:
    """Admits every sender, or none."""

    def __init__(self) -> None:
        self.admits = True
        self.kinds: list[str] = []

    def refusal(self, key: str, kind: str) -> str:
        self.kinds.append(kind)
        return "" if self.admits else NO_KEY


@pytest.fixture
def guard(rig: Rig) -> Guard:
    """A guard of the rig's gateway."""
    one = Guard()
    rig.gateway = Gateway(
        rig.sockets, rig.channel, rig.config, rig._wake, rig.clock, refusal=one.refusal
    )
    return one


@pytest.mark.parametrize("frames", [[b"{"], [b"x"] * 100], ids=["no message", "too many frames"])
def test_a_message_that_cannot_be_read_needs_a_key_like_a_hello(
    rig: Rig, guard: Guard, client: Client, frames: list[bytes]
) -> None:
    assert client.ask_frames(*frames)["code"] != "forbidden"
    guard.admits = False
    refused = client.ask_frames(*frames)
    assert (refused["code"], refused["message"]) == ("forbidden", NO_KEY)
    assert guard.kinds == ["hello", "hello"]


def test_the_lease_of_a_revoked_key_ends_although_the_queue_was_full(
    rig: Rig, guard: Guard, client: Client
) -> None:
    rig.write_state()
    client.send(type="acquire", holder="alice")
    rig.gateway.step()
    ((request, acquire),) = rig.commands()
    assert isinstance(acquire, Acquire)
    rig.gateway._lease_key.passed_on(request, "key of alice", acquire)  # no key inside a process
    rig.reply(request, Granted(id=7, time=50.0, lease="token", ttl_s=1.0))
    rig.gateway.step()
    while rig.channel.commands.put(b"another command"):
        pass
    guard.admits = False
    rig.gateway.step()
    while rig.channel.commands.get() == b"another command":
        pass
    guard.admits = True  # too late
    rig.gateway.step()
    assert [command for _, command in rig.commands()] == [Release(lease="token")]
    rig.gateway.step()
    assert rig.commands() == []
