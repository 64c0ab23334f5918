"""Shards: which session is where, which address does not answer, and which state was lost.

This is the part of a sharded client that does not depend on the way in which the client waits.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

from skill_proto.printable import printable
from skill_runtime.client.errors import (
    HandshakeError,
    InvalidAddressError,
    ServerUnreachableError,
    SessionLostError,
)
from skill_runtime.client.sharding.probe import Probe
from skill_runtime.client.sharding.rendezvous import address_of, check_addresses

MAX_SESSIONS = 65_536
"""Sessions that a client remembers; beyond them it forgets the one that was idle for longest."""


class AddressDownError(ServerUnreachableError):
    """The address of the session did not answer an earlier call; this one was not sent."""

    def __init__(self, address: str, since_s: float) -> None:
        super(ServerUnreachableError, self).__init__(
            f"no answer from {printable(address)} for {since_s:.1f} s, so this call was not sent. "
            "The sessions of other addresses are served. Fix: start the service at this address "
            "again; the next call after its start is sent"
        )
        self.address = address


@dataclass
class _Shard:
    """One address."""

    generation: int = 0
    """Number of servers that have replaced others at this address."""
    answered_at: float = float("-inf")
    """Monotonic time of the newest reply [s]."""
    failed_at: float = 0.0
    """Monotonic time of the call without a reply [s]."""
    probe: Probe | None = None
    """Present while the address does not answer."""

    def is_reachable(self, now: float) -> bool:
        """Whether the address answers, as far as is known; it does not wait."""
        if self.probe is not None and self.probe.is_answered(now):
            self.close()
        return self.probe is None

    def close(self) -> None:
        """Closes the probe."""
        probe, self.probe = self.probe, None
        if probe is not None:
            probe.close()


@dataclass(frozen=True)
class Attempt:
    """One call of a session."""

    session: str
    episode: int | None
    address: str
    """Address to which the call goes."""
    generation: int
    """Generation of the server there before the call."""


@dataclass(frozen=True)
class _Place:
    """Where the recurrent state of a session is."""

    address: str
    generation: int
    episode: int | None

    def is_continued_by(self, episode: int | None) -> bool:
        """Whether a call of this episode needs the recurrent state."""
        return episode is None or episode == self.episode


class Shards:
    """The addresses, and the sessions that have a recurrent state at one of them.

    Args:
        addresses: Addresses of the services.
        make_probe: Makes the probe of an address.

    Raises:
        InvalidUseError, InvalidAddressError: see ``check_addresses``.
    """

    def __init__(self, addresses: Iterable[str], make_probe: Callable[[str], Probe]) -> None:
        self._make_probe = make_probe
        self._addresses = check_addresses(addresses)
        self._shards = {address: _Shard() for address in self._addresses}
        self._homes: dict[str, str] = {}  # results of address_of, which hashes every address
        self._places: OrderedDict[str, _Place] = OrderedDict()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses among which the sessions are divided."""
        return self._addresses

    @property
    def down(self) -> tuple[str, ...]:
        """The addresses that did not answer their last call."""
        return tuple(address for address in self._addresses if self._shards[address].probe)

    def address_of(self, session: str) -> str:
        """Returns the address of a session."""
        home = self._homes.get(session)
        if home is None:
            if len(self._homes) >= MAX_SESSIONS:
                self._homes.clear()
            home = self._homes[session] = address_of(session, self._addresses)
        return home

    def use(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Changes the list of addresses, and returns those that are no longer in it.

        The next call of a session that moves raises SessionLostError.

        Raises:
            InvalidUseError, InvalidAddressError: as the constructor; the list is unchanged.
        """
        self._addresses = check_addresses(addresses)
        self._homes.clear()
        removed = tuple(address for address in self._shards if address not in self._addresses)
        for address in removed:
            self._shards.pop(address).close()
        for address in self._addresses:
            self._shards.setdefault(address, _Shard())
        return removed

    @contextmanager
    def attempt(self, session: str, episode: int | None) -> Generator[Attempt]:
        """One call of a session: yields its address, and learns from the end of the block.

        Args:
            session: Name of the session.
            episode: Episode of the call, or None.

        Raises:
            SessionLostError: the session has moved, or its server was replaced.
            AddressDownError: the address does not answer.
        """
        began = time.monotonic()
        address = self.address_of(session)
        shard = self._shards[address]
        if not shard.is_reachable(began):
            raise AddressDownError(address, began - shard.failed_at)
        self._check_state(session, episode)
        try:
            yield Attempt(session, episode, address, shard.generation)
        except InvalidAddressError:
            raise
        except ServerUnreachableError as error:
            if isinstance(error, HandshakeError) and error.is_certain:
                raise  # at once, and the next call dials anew: the key may have been allowed
            # With a reply to another call since, one message was lost, and the address answers.
            if shard.probe is None and shard.answered_at < began and shard in self._shards.values():
                shard.failed_at = began
                shard.probe = self._make_probe(address)
            raise
        except SessionLostError:
            self._places.pop(session, None)
            raise
        shard.answered_at = time.monotonic()
        self._remember(session, _Place(address, shard.generation, episode))

    def replaced(self, attempt: Attempt) -> None:
        """Records that another server answers at the address of a call.

        Raises:
            SessionLostError: the session had a recurrent state there.
        """
        shard = self._shards.get(attempt.address)
        if shard is not None and shard.generation == attempt.generation:
            shard.generation += 1  # several calls may notice one replacement
        self._check_state(attempt.session, attempt.episode)

    def close(self) -> None:
        """Closes the probes."""
        for shard in self._shards.values():
            shard.close()

    def _check_state(self, session: str, episode: int | None) -> None:
        """Checks that a session has its recurrent state where its next call goes."""
        place = self._places.get(session)
        if place is None or not place.is_continued_by(episode):
            return
        address = self.address_of(session)
        if (place.address, place.generation) == (address, self._shards[address].generation):
            return
        del self._places[session]
        reason = f"the service at {printable(address)} was started again"
        if address != place.address:
            reason = (
                "the list of addresses was changed, and the session moved from "
                f"{printable(place.address)} to {printable(address)}"
            )
        raise SessionLostError(
            f"the recurrent state of session {session!r} was lost: {reason}. Fix: begin the "
            "episode again; the next call starts with an empty recurrent state"
        )

    def _remember(self, session: str, place: _Place) -> None:
        self._places[session] = place
        self._places.move_to_end(session)
        if len(self._places) > MAX_SESSIONS:
            self._places.popitem(last=False)
