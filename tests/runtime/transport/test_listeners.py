"""The listening sockets of a server, and the addresses that clients are given."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from skill_runtime.transport.addresses import AddressError, Addresses
from skill_runtime.transport.listeners import Listeners

FREE = "tcp://127.0.0.1:*"

Listen = Callable[..., Listeners]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Binds three addresses until the test ends; those not given are free ports."""
    opened: list[Listeners] = []

    def start(**addresses: str) -> Listeners:
        free = {"commands": FREE, "telemetry": FREE, "stop": FREE}
        opened.append(Listeners(Addresses(**free | addresses)))
        return opened[-1]

    yield start
    for listeners in opened:
        listeners.close()


def bound(listeners: Listeners) -> list[str]:
    addresses = listeners.addresses
    return [addresses.commands, addresses.telemetry, addresses.stop]


def paths(folder: Path) -> dict[str, str]:
    return {name: f"ipc://{folder}/{name}" for name in ("commands", "telemetry", "stop")}


def reach(address: str) -> None:
    """Connects to a socket."""
    transport, _, place = address.partition("://")
    if transport == "ipc":
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(place)
        return
    host, _, port = place.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port))).close()


def test_real_ports_are_published_and_can_be_reached(listen: Listen) -> None:
    addresses = bound(listen())
    assert len(set(addresses)) == 3
    for address in addresses:
        assert "*" not in address
        reach(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3"])
def test_a_name_is_published_as_a_number(listen: Listen, host: str) -> None:
    address = listen(commands=f"tcp://{host}:*").addresses.commands
    expected = "127.0.0.1" if host == "localhost" else host
    assert address.startswith(f"tcp://{expected}:")
    reach(address)


def test_ipv6_is_published_in_brackets(listen: Listen) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this system has no IPv6")
    address = listen(stop="tcp://[::1]:*").addresses.stop
    assert address.startswith("tcp://[::1]:")
    reach(address)


def test_a_relative_path_is_published_from_the_root(
    listen: Listen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    address = listen(commands="ipc://arm").addresses.commands
    assert address == f"ipc://{tmp_path}/arm"
    monkeypatch.chdir("/")
    reach(address)


@pytest.mark.parametrize("name", ["commands", "telemetry", "stop"])
def test_a_port_in_use_is_named_with_its_flag_and_no_socket_stays_open(
    listen: Listen, name: str
) -> None:
    taken = getattr(listen().addresses, name)
    before = psutil.Process().num_fds()
    port = taken.rpartition(":")[2]
    with pytest.raises(AddressError, match=rf"port {port} is in use.*--port.*--{name}"):
        listen(**{name: taken})
    assert psutil.Process().num_fds() == before


def test_the_same_address_twice_is_in_use(listen: Listen, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="arm is in use"):
        listen(commands=f"ipc://{tmp_path}/arm", stop=f"ipc://{tmp_path}/arm")


def test_a_path_in_use_is_not_taken_over(listen: Listen, tmp_path: Path) -> None:
    first = listen(**paths(tmp_path))
    with pytest.raises(AddressError, match=r"commands is in use.*--commands"):
        listen(**paths(tmp_path))
    for address in bound(first):
        reach(address)


def test_a_path_left_by_a_killed_server_is_reused(listen: Listen, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "commands"))
    reach(listen(**paths(tmp_path)).addresses.commands)


def test_a_file_of_the_user_is_not_replaced(listen: Listen, tmp_path: Path) -> None:
    file = tmp_path / "commands"
    file.write_text("notes")
    with pytest.raises(AddressError, match=r"--commands .* cannot be served: .*not a socket"):
        listen(**paths(tmp_path))
    assert file.read_text() == "notes"


def test_a_folder_that_does_not_exist_is_explained(listen: Listen, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"--stop .*absent.* cannot be served: No such file"):
        listen(stop=f"ipc://{tmp_path}/absent/stop")


@pytest.mark.parametrize("address", ["tcp://0.0.0.0:*", "nonsense"])
def test_an_address_that_is_refused_opens_no_socket(listen: Listen, address: str) -> None:
    before = psutil.Process().num_fds()
    with pytest.raises(AddressError, match="--telemetry"):
        listen(telemetry=address)
    assert psutil.Process().num_fds() == before


def test_close_frees_ports_paths_and_descriptors(tmp_path: Path) -> None:
    before = psutil.Process().num_fds()
    listeners = Listeners(Addresses(**{**paths(tmp_path), "commands": FREE}))
    assert not os.get_inheritable(listeners.commands.socket.fileno())
    commands = listeners.addresses.commands
    assert listeners.close()
    assert not listeners.close()
    assert psutil.Process().num_fds() == before
    assert list(tmp_path.iterdir()) == []
    Listeners(Addresses(commands=commands, telemetry=FREE, stop=FREE)).close()
