"""Default ports and addresses."""

from __future__ import annotations

from skill_proto.ports import DEFAULT_ADDRESS, local_address


def test_an_address_is_on_the_loopback_interface() -> None:
    assert local_address(7000) == "tcp://127.0.0.1:7000"
    assert DEFAULT_ADDRESS == "tcp://127.0.0.1:5555"
