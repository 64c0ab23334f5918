"""Nonsense on every port of the control box: it goes on, and serves the next client."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from tests.support.fci_client import FciClient

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.franka.model import FrankaRobot

VERSIONS: dict[FrankaRobot, int] = {"fer": 5, "fr3": 10}
PAYLOADS = (0, 2, 4, 7, 16, 40, 48, 56, 104, 113, 128, 416)
"""Sizes of payloads: those of real requests are among them."""


@pytest.fixture(params=VERSIONS)
def box(request: pytest.FixtureRequest) -> Iterator[ControlBox]:
    box = ControlBox(robot_config(request.param, scene="none"), address(request.param))
    yield box
    box.close()


@pytest.fixture
def clients() -> Iterator[list[FciClient]]:
    """Clients to be closed at the end, whatever happens."""
    clients: list[FciClient] = []
    yield clients
    for client in clients:
        client.close()


def address(robot: str) -> str:
    return f"127.45.{os.getpid() % 250 + 1}.{len(robot) + ord(robot[-1]) % 7}"


def cycle(box: ControlBox, count: int = 1) -> None:
    for _ in range(count):
        box.advance()
        box.send()


def still_serves(box: ControlBox, port: int = 1337) -> None:
    """A new client gets a reply to Connect and states."""
    version = VERSIONS[box.config.robot] if port == 1337 else 3
    client = FciClient(address(box.config.robot), version, port)
    client.connect()
    cycle(box, 40)
    assert client.replies()[0].status == 0
    assert client.states()
    client.close()
    cycle(box, 3)


def test_random_bytes_on_both_ports(box: ControlBox) -> None:
    rng = np.random.default_rng(1)
    for i in range(60):
        port = 1337 if i % 2 else 1338
        with socket.create_connection((address(box.config.robot), port), 1.0) as connection:
            for _ in range(3):
                with contextlib.suppress(OSError):
                    connection.sendall(rng.bytes(int(rng.integers(1, 3000))))
                cycle(box)
        cycle(box)
    still_serves(box)
    still_serves(box, 1338)


@pytest.mark.parametrize("port", [1337, 1338])
def test_every_request_with_random_payloads(
    box: ControlBox, clients: list[FciClient], port: int
) -> None:
    """Numbers of all magnitudes, sizes that are right and wrong; the state stays finite."""
    rng = np.random.default_rng(2)
    version = VERSIONS[box.config.robot] if port == 1337 else 3
    client: FciClient | None = None
    for _ in range(600):
        if client is None:
            client = FciClient(address(box.config.robot), version, port)
            clients.append(client)
            client.connect()
            cycle(box, 2)
        size = int(rng.choice(PAYLOADS))
        numbers = rng.standard_normal(size // 8 + 1) * 10.0 ** rng.integers(-3, 6)
        payload = numbers.tobytes()[:size] if rng.random() < 0.7 else rng.bytes(size)
        client.request(int(rng.integers(1, 14)), payload)
        cycle(box, 2)
        client.states()
        if client.is_closed():
            client.close()
            client = None
            cycle(box)
    if client is not None:
        client.close()
    cycle(box, 3)
    assert np.isfinite(box.robot.state.q).all()
    assert np.isfinite(box.robot.state.tau_j).all()
    still_serves(box, port)


def test_random_commands_during_a_motion(box: ControlBox, clients: list[FciClient]) -> None:
    rng = np.random.default_rng(3)
    version = VERSIONS[box.config.robot]
    client = FciClient(address(box.config.robot), version)
    clients.append(client)
    client.connect()
    cycle(box, 2)
    client.states()
    recovery = 12 if version == 5 else 10
    tail = bytes(57) if version == 10 else b""
    for generator in (0, 1, 2, 3) * 5:
        client.request(1, struct.pack("<II6d", int(rng.integers(3)), generator, *[9.0] * 6) + tail)
        cycle(box)
        for _ in range(5):
            states = client.states()
            message_id = client.message_id(states[-1])
            size = 370 if version == 5 else 371
            client.send_datagram(struct.pack("<Q", message_id) + rng.bytes(size - 8))
            client.send_datagram(rng.bytes(int(rng.integers(0, 1400))))
            client.send_command(message_id, q=(rng.standard_normal(7) * 100).tolist())
            cycle(box)
        client.states()
        cycle(box, 400)
        client.request(recovery)
        client.states()
        cycle(box, 5)
        assert np.isfinite(box.robot.state.q).all()
    assert not client.is_closed()
    client.close()
    cycle(box, 3)
    still_serves(box)


def test_a_flood_of_connections(box: ControlBox) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(300):
        with contextlib.suppress(OSError):
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex((address(box.config.robot), 1337))
            connection.close()
        cycle(box)
    cycle(box, 20)
    still_serves(box)
    assert len(os.listdir("/proc/self/fd")) == descriptors
