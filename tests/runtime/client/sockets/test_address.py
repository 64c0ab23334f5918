"""Addresses that a client accepts, and those that it refuses without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import InvalidAddressError, SkillClient
from skill_runtime.client.aio import AsyncSkillClient
from skill_runtime.client.policy import AsyncPolicyClient, PolicyClient
from skill_runtime.client.sharding import AsyncShardedClient, ShardedClient
from skill_runtime.client.sockets.address import check_address

CLIENTS: list[Callable[[str], object]] = [
    SkillClient,
    AsyncSkillClient,
    PolicyClient,
    AsyncPolicyClient,
    lambda address: ShardedClient([address]),
    lambda address: AsyncShardedClient([address]),
]


@pytest.mark.parametrize(
    "address",
    [
        DEFAULT_ADDRESS,
        "tcp://robot-3.example:1",
        "tcp://[::1]:65535",
        "tcp://eth0:0;10.0.0.2:5555",
        "ipc:///run/arm/commands",
        "ipc://arm",
    ],
)
def test_addresses_that_zeromq_can_connect_to_are_accepted(address: str) -> None:
    check_address(address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (5555, "it is not a text"),
        ("", "neither tcp:// nor ipc://"),
        ("127.0.0.1:5555", "neither tcp:// nor ipc://"),
        ("http://127.0.0.1:5555", "neither tcp:// nor ipc://"),
        ("ipc://", "it has no path"),
        ("tcp://", "no host or no port"),
        ("tcp://127.0.0.1", "no host or no port"),
        ("tcp://:5555", "no host or no port"),
        ("tcp://127.0.0.1:", "its port is not a number from 1 to 65535"),
        ("tcp://127.0.0.1:0", "its port"),
        ("tcp://127.0.0.1:65536", "its port"),
        ("tcp://127.0.0.1:99999", "its port"),
        ("tcp://127.0.0.1:*", "its port"),
        ("tcp://127.0.0.1:\u00b2", "its port"),
        ("tcp://[::1]", "its port"),
    ],
)
def test_other_addresses_are_refused_with_the_reason(address: Any, said: str) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(InvalidAddressError, match=f"{said}.*Fix: use tcp://HOST:PORT"):
        check_address(address)


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:99999", "http://127.0.0.1:5555"])
def test_the_constructor_of_a_client_refuses_them(
    make: Callable[[str], object], address: str
) -> None:
    async def program() -> None:
        with pytest.raises(InvalidAddressError):
            make(address)

    asyncio.run(program())
