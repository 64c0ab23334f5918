"""Identities of ZeroMQ: the same one twice, and guesses of those that the server gives."""

from __future__ import annotations

import contextlib
import random
import struct

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack
from benchmarks.serving.hostile.zmtp import RawPeer, message

PANEL = b"panel"
"""Identity that two innocent programs have in common."""

GUESSES = 200
"""Connections of one attack."""


@attack(identity=PANEL)
def same_identity(target: Target) -> None:
    """Connections of another program with the identity of the innocent clients."""
    with contextlib.ExitStack() as opened:
        for address in (target.commands, target.stop):
            with contextlib.suppress(OSError):
                peer = opened.enter_context(RawPeer(address, identity=PANEL))
                peer.send(message(b'{"type":"hello"}'))
        target.linger()


@attack(burns=True, share=0.5)
def identity_guesses(target: Target) -> None:
    """Identities of the form that the ROUTER gives to anonymous connections, at random."""
    dice = random.Random(target.repeat)
    with contextlib.ExitStack() as opened:
        for i in range(GUESSES):
            if not target.running():
                break
            identity = b"\0" + struct.pack(">I", dice.getrandbits(32)) if i % 2 else b""
            address = (target.commands, target.stop)[i % 4 // 2]
            with contextlib.suppress(OSError):
                opened.enter_context(RawPeer(address, identity=identity))
        target.linger()


ATTACKS: tuple[Attack, ...] = (same_identity, identity_guesses)
