"""ShardedClient: ``act`` with sessions divided among several policy services.

A service that does not answer costs its own sessions one timeout. After that their calls fail at
once, so that a program with one thread goes on to serve the others, and a question in the
background finds the service when it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ServerReplacedError
from skill_runtime.client.guard import Guard
from skill_runtime.client.policy import PolicyClient
from skill_runtime.client.requests import check_timeout, read_keys
from skill_runtime.client.sharding.arguments import ActArguments
from skill_runtime.client.sharding.probe import Probe
from skill_runtime.client.sharding.shards import Shards


class ServiceClient(Protocol):
    """The part of a client of one service that a sharded client uses."""

    def hello(self) -> object:
        """Adopts the server that answers."""
        ...

    @property
    def act(self) -> Callable[..., dict[str, FloatArray]]:
        """Returns the policy's actions; its arguments include those of :class:`ActArguments`."""
        ...

    def close(self) -> None:
        """Closes the sockets."""
        ...


class ShardedClient:
    """A client of several services; the constructor does not send anything.

    Calls of one client come one at a time; each thread makes a client of its own.

    Args:
        addresses: Addresses of the services, spelled the same way in all programs that share
            sessions.
        timeout_s: Longest duration of a call, up to an hour [s]. A client of ``make_client`` has
            its own; a SkillClient is called up to three times after a restart of its server.
        name: Name of this program in the debug logs of the services.
        key: File with the key pair of this client, from ``skill-keys new``.
        server_key: Public key of the services, which have one pair of keys, or a file with it.
        make_client: Makes the client of one address, in place of a PolicyClient; e.g. a
            SkillClient for the ``act`` of a server with an arm.

    Raises:
        InvalidUseError: there is no address, one of them twice, or ``timeout_s`` is not a number
            of seconds.
        InvalidAddressError: an address is not a text.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        *,
        timeout_s: float = 2.0,
        name: str = "client",
        key: str | Path | None = None,
        server_key: str | Path | None = None,
        make_client: Callable[[str], ServiceClient] | None = None,
    ) -> None:
        self.timeout_s = check_timeout(timeout_s)
        self._guard = Guard()
        self._shards = Shards(addresses, self._make_probe)
        self._name, self._key, self._server_key = name, key, server_key
        self._make_client = make_client or self._default_client
        self._clients: dict[str, ServiceClient] = {}

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

    def client_of(self, session: str) -> ServiceClient:
        """Returns the client of the address of a session."""
        return self._client(self._shards.address_of(session))

    def use(self, addresses: Iterable[str]) -> None:
        """Changes the list of addresses; a new one takes over its share of the sessions.

        The next call of a session that moves raises SessionLostError.

        Raises:
            InvalidUseError, InvalidAddressError: as the constructor; the list is unchanged.
        """
        with self._guard:
            for address in self._shards.use(addresses):
                client = self._clients.pop(address, None)
                if client is not None:
                    client.close()

    def act(
        self, observation: ArrayLike, *, session: str, **arguments: Unpack[ActArguments]
    ) -> dict[str, FloatArray]:
        """Requests actions from the service of a session.

        Arguments and result are those of ``PolicyClient.act``.

        Raises:
            SessionLostError: the service dropped the recurrent state or was started again, or the
                session moved with a change of the addresses; the text says which. The next call
                goes on. After a restart or a move, the call had no effect.
            AddressDownError: the address does not answer; the call was not sent.
            HandshakeError: the service refuses the key; once it is allowed, the next call is sent.
            ServerUnreachableError: no reply arrived within the timeout.
            CommandRefusedError, SessionSharedError: as ``PolicyClient.act``.
        """
        with self._guard, self._shards.attempt(session, arguments.get("episode")) as attempt:
            client = self._client(attempt.address)
            try:
                return client.act(observation, session=session, **arguments)
            except ServerReplacedError:
                client.hello()
                self._shards.replaced(attempt)
                return client.act(observation, session=session, **arguments)

    def _default_client(self, address: str) -> ServiceClient:
        return PolicyClient(
            address,
            timeout_s=self.timeout_s,
            name=self._name,
            key=self._key,
            server_key=self._server_key,
        )

    def _make_probe(self, address: str) -> Probe:
        keys = read_keys(address, self._key, self._server_key)
        return Probe(Connection(address, self.timeout_s, keys))

    def _client(self, address: str) -> ServiceClient:
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = self._make_client(address)
        return client

    def close(self) -> None:
        """Closes all sockets; raises no error."""
        if self._guard.forked:
            return
        with suppress(Exception), self._guard:
            self._shards.close()
            for client in self._clients.values():
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
