"""AsyncShardedClient: the calls of ShardedClient for asyncio; many sessions at the same time.

A service that does not answer delays no call to another one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Protocol, Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_runtime.client.errors import ServerReplacedError
from skill_runtime.client.policy import AsyncPolicyClient
from skill_runtime.client.sharding.arguments import ActArguments
from skill_runtime.client.sharding.division import Division


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


class AsyncShardedClient(Division[AsyncServiceClient]):
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
        super().__init__(
            addresses,
            timeout_s=timeout_s,
            key=key,
            server_key=server_key,
            make_client=make_client
            or partial(
                AsyncPolicyClient, timeout_s=timeout_s, name=name, key=key, server_key=server_key
            ),
        )

    async def use(self, addresses: Iterable[str]) -> None:
        """Changes the list of addresses; see ``ShardedClient.use``."""
        self._guard.check_open()
        for client in self._changed(addresses):
            await client.close()

    async def act(
        self, observation: ArrayLike, *, session: str, **arguments: Unpack[ActArguments]
    ) -> dict[str, FloatArray]:
        """Requests actions from the service of a session; see ``ShardedClient.act``."""
        self._guard.check_open()
        with self._shards.attempt(session, arguments.get("episode")) as attempt:
            client = self._client(attempt.address)
            try:
                return await client.act(observation, session=session, **arguments)
            except ServerReplacedError:
                await client.hello()
                self._shards.replaced(attempt)
                return await client.act(observation, session=session, **arguments)

    async def close(self) -> None:
        """Closes all sockets; raises no error. Every later call raises InvalidUseError."""
        self._guard.close()
        self._shards.close()
        for client in self._clients.values():
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
