"""ShardedClient: ``act`` with sessions divided among several policy services.

A service that does not answer costs its own sessions one timeout. After that their calls fail at
once, so that a program with one thread goes on to serve the others, and a question in the
background finds the service when it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol, Self, Unpack

from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_runtime.client.errors import ServerReplacedError
from skill_runtime.client.policy import PolicyClient
from skill_runtime.client.sharding.arguments import ActArguments
from skill_runtime.client.sharding.division import Division


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


class ShardedClient(Division[ServiceClient]):
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
        InvalidAddressError: an address is malformed.
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
        super().__init__(
            addresses,
            timeout_s=timeout_s,
            key=key,
            server_key=server_key,
            make_client=make_client
            or partial(
                PolicyClient, timeout_s=timeout_s, name=name, key=key, server_key=server_key
            ),
        )

    def use(self, addresses: Iterable[str]) -> None:
        """Changes the list of addresses; a new one takes over its share of the sessions.

        The next call of a session that moves raises SessionLostError.

        Raises:
            InvalidUseError, InvalidAddressError: as the constructor; the list is unchanged.
        """
        with self._guard:
            for client in self._changed(addresses):
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

    def close(self) -> None:
        """Closes all sockets; raises no error. Every later call raises InvalidUseError."""
        if self._guard.forked:
            return
        with suppress(Exception), self._guard.closing():
            self._shards.close()
            for client in self._clients.values():
                client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
