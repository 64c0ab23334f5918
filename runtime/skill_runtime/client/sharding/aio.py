"""AsyncShardedClient: the calls of ShardedClient for asyncio; many sessions at the same time.

A service that does not answer delays no call to another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol, Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ServerReplacedError
from skill_runtime.client.policy import AsyncPolicyClient
from skill_runtime.client.requests import check_timeout, read_keys
from skill_runtime.client.sharding.arguments import ActArguments
from skill_runtime.client.sharding.probe import Probe
from skill_runtime.client.sharding.shards import Shards


class AsyncServiceClient(Protocol):
    """The part of a client of one service that a sharded client uses."""

    async def hello(self) -> object:
        """Adopts the server that answers."""
        ...

    @property
    def act(self) -> Callable[..., Awaitable[dict[str, FloatArray]]]:
        """Returns the policy's actions; its arguments include those of :class:`ActArguments`."""
        ...

    async def close(self) -> None:
        """Closes the sockets."""
        ...


class AsyncShardedClient:
    """A client of several services in one event loop; its arguments are those of ShardedClient."""

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        timeout_s: float = 2.0,
        name: str = "client",
        key: str | Path | None = None,
        server_key: str | Path | None = None,
        make_client: Callable[[str], AsyncServiceClient] | None = None,
    ) -> None:
        self.timeout_s = check_timeout(timeout_s)
        self._shards = Shards(addresses, self._make_probe)
        self._name, self._key, self._server_key = name, key, server_key
        self._make_client = make_client or self._default_client
        self._clients: dict[str, AsyncServiceClient] = {}

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

    def client_of(self, session: str) -> AsyncServiceClient:
        """Returns the client of the address of a session."""
        return self._client(self._shards.address_of(session))

    async def use(self, addresses: Iterable[str]) -> None:
        """Changes the list of addresses; see ``ShardedClient.use``."""
        for address in self._shards.use(addresses):
            client = self._clients.pop(address, None)
            if client is not None:
                await client.close()

    async def act(
        self, observation: ArrayLike, *, session: str, **arguments: Unpack[ActArguments]
    ) -> dict[str, FloatArray]:
        """Requests actions from the service of a session; see ``ShardedClient.act``."""
        with self._shards.attempt(session, arguments.get("episode")) as attempt:
            client = self._client(attempt.address)
            try:
                return await client.act(observation, session=session, **arguments)
            except ServerReplacedError:
                await client.hello()
                self._shards.replaced(attempt)
                return await client.act(observation, session=session, **arguments)

    def _default_client(self, address: str) -> AsyncServiceClient:
        return AsyncPolicyClient(
            address,
            timeout_s=self.timeout_s,
            name=self._name,
            key=self._key,
            server_key=self._server_key,
        )

    def _make_probe(self, address: str) -> Probe:
        keys = read_keys(address, self._key, self._server_key)
        return Probe(Connection(address, self.timeout_s, keys))

    def _client(self, address: str) -> AsyncServiceClient:
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = self._make_client(address)
        return client

    async def close(self) -> None:
        """Closes all sockets; raises no error."""
        self._shards.close()
        for client in self._clients.values():
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
