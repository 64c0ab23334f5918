"""The part of a sharded client that does not wait: addresses, and a client for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from skill_runtime.client.connection import Connection
from skill_runtime.client.guard import Guard
from skill_runtime.client.requests import check_timeout, read_keys
from skill_runtime.client.sharding.probe import Probe
from skill_runtime.client.sharding.shards import Shards

C = TypeVar("C")


class Division(Generic[C]):
    """Sessions that are divided among services, with a client of each service.

    Args:
        addresses: Addresses of the services.
        timeout_s: Longest duration of a call [s].
        key: File with the key pair of this client.
        server_key: Public key of the services, or a file with it.
        make_client: Makes the client of one address.

    Raises:
        InvalidUseError, InvalidAddressError: as ShardedClient.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        timeout_s: float,
        key: str | Path | None,
        server_key: str | Path | None,
        make_client: Callable[[str], C],
    ) -> None:
        self.timeout_s = check_timeout(timeout_s)
        self._guard = Guard()
        self._key, self._server_key = key, server_key
        self._make_client = make_client
        self._clients: dict[str, C] = {}
        self._shards = Shards(addresses, self._make_probe)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses among which the sessions are divided."""
        return self._shards.addresses

    @property
    def down(self) -> tuple[str, ...]:
        """The addresses that did not answer their last call."""
        return self._shards.down

    def address_of(self, session: str) -> str:
        """Returns the address at which a session lives."""
        return self._shards.address_of(session)

    def client_of(self, session: str) -> C:
        """Returns the client of the address of a session."""
        return self._client(self._shards.address_of(session))

    def _client(self, address: str) -> C:
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = self._make_client(address)
        return client

    def _changed(self, addresses: Iterable[str]) -> list[C]:
        """Changes the list of addresses, and returns the clients of those that left it."""
        left = [self._clients.pop(address, None) for address in self._shards.use(addresses)]
        return [client for client in left if client is not None]

    def _make_probe(self, address: str) -> Probe:
        keys = read_keys(address, self._key, self._server_key)
        return Probe(Connection(address, self.timeout_s, keys))
