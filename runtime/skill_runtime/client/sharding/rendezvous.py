"""Rendezvous hashing: the address of a session, from its name and the list of addresses.

Every address gets a score for the name, and the highest score wins (Thaler and Ravishankar, "Using
name-based mappings to increase hit rates", IEEE/ACM Transactions on Networking 6, 1998). An address
that is added takes over the sessions for which it has the highest score, one in n of all; no other
session moves. An address that is removed loses its own sessions alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from skill_runtime.client.errors import InvalidUseError
from skill_runtime.client.sockets.address import check_address


def address_of(session: str, addresses: Iterable[str]) -> str:
    """Returns the address at which a session lives; the order of the addresses is irrelevant.

    Args:
        session: Name of the session.
        addresses: At least one address. Two spellings of one address count as two addresses.
    """
    return max(addresses, key=lambda address: (score(session, address), address))


def score(session: str, address: str) -> int:
    """Returns the score of an address for a session, in [0, 2^64).

    BLAKE2b (RFC 7693) with a digest of 8 bytes, read as a big-endian number, of the address in
    UTF-8, a zero byte, and the name in UTF-8.
    """
    text = f"{address}\0{session}".encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def check_addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    """Returns the addresses as a tuple.

    Raises:
        InvalidUseError: there is no address, or one of them twice.
        InvalidAddressError: an address is malformed.
    """
    if isinstance(addresses, str):
        raise InvalidUseError(f"addresses is a list. Fix: pass [{addresses!r}]")
    known = tuple(addresses)
    for address in known:
        check_address(address)
    if not known:
        raise InvalidUseError("the list of addresses is empty. Fix: name at least one service")
    if len(set(known)) < len(known):
        twice = next(address for address in known if known.count(address) > 1)
        raise InvalidUseError(f"{twice!r} is in the list of addresses twice. Fix: name it once")
    return known
