"""Addresses that are served, and the errors for all others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skill_runtime.transport.addresses import (
    MAX_PATH_BYTES,
    AddressError,
    absolute_path,
    check_address,
    in_use,
)


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:5555", "tcp://127.1.2.3:*", "tcp://localhost:80", "tcp://[::1]:5", "ipc://a"],
)
def test_local_addresses_are_accepted(address: str) -> None:
    check_address(address, "commands")


@pytest.mark.parametrize(
    "address",
    ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.2:5555", "tcp://[::]:1", "tcp://arm:1"],
)
def test_addresses_of_other_machines_are_refused(address: str) -> None:
    with pytest.raises(AddressError, match=r"--stop .*other machines.*skill-keys new server"):
        check_address(address, "stop")


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:5555", "tcp://arm:1", "tcp://[2001:db8::1]:5"])
def test_addresses_of_other_machines_are_accepted_with_keys(address: str) -> None:
    check_address(address, "stop", keyed=True)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "5555",
        "127.0.0.1:5555",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:x",
        "tcp://127.0.0.1:-1",
        "udp://a:1",
        "ipc://",
        "tcp://[::1]:65536",
    ],
)
def test_a_malformed_address_is_named(address: str) -> None:
    with pytest.raises(AddressError, match="is not an address; write tcp://") as info:
        check_address(address, "commands")
    assert repr(address) in str(info.value)


def test_a_path_is_absolute_and_as_long_as_the_system_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_path("here/../arm") == f"{tmp_path}/arm"
    assert absolute_path("/run/arm") == "/run/arm"
    longest = "x" * (MAX_PATH_BYTES - len(os.fsencode(tmp_path)) - 1)
    check_address(f"ipc://{longest}", "commands")
    for path in (longest + "x", "\u20ac" * 100, "/" + "y" * MAX_PATH_BYTES):
        with pytest.raises(AddressError, match=r"--commands .* longer than 107 bytes.*shorter"):
            check_address(f"ipc://{path}", "commands")


def test_an_address_in_use_is_named_with_its_port_or_path() -> None:
    text = str(in_use("tcp://[::1]:7000", "stop"))
    assert "port 7000 is in use" in text
    assert "--port" in text
    assert "--stop" in text
    assert "/run/arm is in use" in str(in_use("ipc:///run/arm", "stop"))
