"""The stop socket of a real server fails safe: in doubt the arm stops, and else it moves on."""

from __future__ import annotations

import pytest
from tests.runtime.server.raw_client import (
    RawClient,
    Refusals,
    assert_error,
    assert_untouched,
)
from tests.support.served import LocalServer, until

from skill_runtime.stop_listener.listener import MAX_BYTES


def test_while_stopped_every_motion_is_refused(
    live: LocalServer, mover: RawClient, panel: RawClient, refusals: Refusals
) -> None:
    assert panel.say(type="stop", reason="smoke")["type"] == "ok"
    refusals.check(mover.command(type="skill", skill=[1, 0]), "no_lease", "smoke")
    reply = mover.say(type="acquire", holder="mover", ttl_s=1)
    refusals.check(reply, "not_now", "smoke")
    assert live.authority.mode == "stopped"
    assert mover.say(type="clear")["type"] == "ok"
    mover.acquire()
    assert mover.command(type="skill", skill=[1, 0])["type"] == "ok"


@pytest.mark.parametrize(
    "frames",
    [
        [b'{"v":1,"id":7,"type":"stop","reason":"x"}'],
        [b'{"v":9,"id":7,"type":"stop"}'],
        [b'{"type":"stop","reason":5,"more":[]}'],
        [b'{"type":"stop","reason":"%s"}' % (b"x" * (MAX_BYTES // 2))],
        [b"{}"],
        [b"stop"],
        [b'{"type":"sto', b'{"type":"stop'],
        ['{"type":"stop"}'.encode("utf-16")],
        [b"", b'{"type":"stop"}'],  # of a REQ socket
    ],
    ids=["valid", "version", "fields", "long", "no type", "text", "broken", "utf-16", "req"],
)
def test_a_malformed_stop_stops(
    live: LocalServer, mover: RawClient, panel: RawClient, frames: list[bytes]
) -> None:
    assert live.authority.mode == "skill"
    assert panel.ask(*frames)["type"] == "ok"
    assert live.authority.mode == "stopped"
    assert mover.say(type="hello")["mode"] == "stopped"


@pytest.mark.parametrize(
    "header", [b"", b"halt", b'{"v":1,"type":"hello"}', b"[]", b"\xff"], ids=repr
)
def test_other_messages_on_the_stop_socket_do_not_stop(
    live: LocalServer, mover: RawClient, panel: RawClient, header: bytes
) -> None:
    reply = panel.ask(header)
    assert_error(live, reply, "unknown_type", "not a stop")
    assert "stop" in reply["fix"]
    assert_untouched(live, mover)


def test_a_stop_for_another_server_does_not_stop(
    live: LocalServer, mover: RawClient, panel: RawClient
) -> None:
    assert_error(live, panel.say(type="stop", instance="other"), "wrong_server", live.instance)
    assert_untouched(live, mover)
    assert panel.say(type="stop", instance=live.instance)["type"] == "ok"
    assert live.authority.mode == "stopped"


@pytest.mark.parametrize(
    "frames",
    [
        [b'{"type":"hello","more":"%s"}' % (b"x" * MAX_BYTES)],
        [b"[" + b"[]," * 1_000_000 + b"[]]"] * 9,
        [b"x"] * 10_000,
    ],
    ids=["long", "nested", "frames"],
)
def test_a_message_that_is_too_long_to_be_read_stops(
    live: LocalServer, mover: RawClient, panel: RawClient, frames: list[bytes]
) -> None:
    assert_error(live, panel.ask(*frames), "too_large", "was stopped")
    until(lambda: mover.say(type="hello")["mode"] == "stopped")
    assert panel.say(type="stop")["type"] == "ok"
