"""The attacks, by name; one module for each family.

- ``attack``: the description of an attack, and helpers of all families.
- ``connections``: connections that do not speak the protocol, or do not go on.
- ``floods``: many requests by many connections.
- ``frames``: messages of very many frames.
- ``heartbeat``: a heartbeat that makes libzmq abort.
- ``identities``: identities of ZeroMQ.
- ``requests``: single requests that cost much to read.
- ``stops``: stops that are hard to read, and forged texts.
- ``subscriptions``: subscriptions without bound.
- ``unfinished``: messages without an end.
"""

from __future__ import annotations

from benchmarks.serving.hostile.attacks import (
    connections,
    floods,
    frames,
    heartbeat,
    identities,
    requests,
    stops,
    subscriptions,
    unfinished,
)
from benchmarks.serving.hostile.attacks.attack import Attack

FAMILIES = (
    stops,
    requests,
    floods,
    identities,
    connections,
    subscriptions,
    heartbeat,
    frames,
    unfinished,
)

ATTACKS: dict[str, Attack] = {
    attack.name: attack for family in FAMILIES for attack in family.ATTACKS
}
