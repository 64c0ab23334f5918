"""Addresses that are served, and the errors for all others."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from skill_runtime.transport.sockets import AddressError, Addresses, ServerSockets, check_local

Context = zmq.Context[zmq.Socket[bytes]]


@pytest.fixture
def context() -> Iterator[Context]:
    with zmq.Context() as context:
        yield context


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:5555", "tcp://127.1.2.3:*", "tcp://localhost:80", "tcp://[::1]:5", "ipc://a"],
)
def test_local_addresses_are_accepted(address: str) -> None:
    check_local(address, "commands")


@pytest.mark.parametrize(
    "address",
    ["tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.2:5555", "tcp://[::]:1", "tcp://arm:1"],
)
def test_addresses_of_other_machines_are_refused(address: str) -> None:
    with pytest.raises(AddressError, match=r"--stop .*other machines.*SSH"):
        check_local(address, "stop")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "5555",
        "127.0.0.1:5555",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:x",
        "udp://a:1",
        "tcp://[::1]:65536",
    ],
)
def test_a_malformed_address_is_named(address: str) -> None:
    with pytest.raises(AddressError, match="is not an address; write tcp://"):
        check_local(address, "commands")


def test_a_port_in_use_is_named_with_its_flag_and_all_sockets_are_closed(
    context: Context,
) -> None:
    free = "tcp://127.0.0.1:*"
    first = ServerSockets(Addresses(commands=free, telemetry=free, stop=free), context)
    taken = first.addresses.telemetry
    port = taken.rpartition(":")[2]
    with pytest.raises(AddressError, match=rf"port {port} is in use.*--port.*--telemetry"):
        ServerSockets(Addresses(commands=free, telemetry=taken, stop=free), context)
    first.close()


def test_a_path_in_use_is_not_taken_over(context: Context, tmp_path: Path) -> None:
    paths = {name: f"ipc://{tmp_path}/{name}" for name in ("commands", "telemetry", "stop")}
    first = ServerSockets(Addresses(**paths), context)
    with pytest.raises(AddressError, match=r"commands is in use.*--commands"):
        ServerSockets(Addresses(**paths), context)
    first.close()


def test_a_path_left_by_a_killed_server_is_reused(context: Context, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "commands"))
    paths = {name: f"ipc://{tmp_path}/{name}" for name in ("commands", "telemetry", "stop")}
    ServerSockets(Addresses(**paths), context).close()


def test_real_ports_are_reported_and_localhost_is_resolved(context: Context) -> None:
    sockets = ServerSockets(
        Addresses(
            commands="tcp://localhost:*", telemetry="tcp://127.0.0.1:*", stop="tcp://127.0.0.1:*"
        ),
        context,
    )
    ports = {
        address.rpartition(":")[2]
        for address in (
            sockets.addresses.commands,
            sockets.addresses.telemetry,
            sockets.addresses.stop,
        )
    }
    assert len(ports) == 3
    assert "*" not in ports
    sockets.close()
