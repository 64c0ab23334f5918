"""Messages without an end: libzmq keeps all of their frames in memory."""

from __future__ import annotations

import contextlib

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack
from benchmarks.serving.hostile.zmtp import MORE, RawPeer, frame

TOTAL_BYTES = 400_000_000
FRAME_BYTES = 1_000_000
CONNECTIONS = 16

HEAVY_S = 2.0
"""Time in which the bytes are sent, also on a busy machine [s]."""


def fill(target: Target, address: str, total: int) -> None:
    """Sends frames that all announce another frame, up to ``total`` bytes."""
    part, sent = frame(bytes(FRAME_BYTES), MORE), 0
    with contextlib.suppress(OSError), RawPeer(address) as peer:
        while sent < total and target.running():
            sent += peer.send(part, target.running)
        target.linger()


@attack(lasts_s=HEAVY_S, share=0.125, burns=True)
def unfinished_on_commands(target: Target) -> None:
    """One message of 400 MB without an end on the commands socket."""
    fill(target, target.commands, TOTAL_BYTES)


@attack(arm="either", lasts_s=HEAVY_S, share=0.125, burns=True)
def unfinished_on_stop(target: Target) -> None:
    """One message of 400 MB without an end on the stop socket."""
    fill(target, target.stop, TOTAL_BYTES)


@attack(lasts_s=HEAVY_S, share=0.125, burns=True)
def unfinished_on_16_connections(target: Target) -> None:
    """A message of 25 MB without an end on each of 16 connections to the commands socket."""
    part = frame(bytes(FRAME_BYTES), MORE)
    with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
        peers = [opened.enter_context(RawPeer(target.commands)) for _ in range(CONNECTIONS)]
        for _ in range(TOTAL_BYTES // CONNECTIONS // FRAME_BYTES):
            for peer in peers:
                peer.send(part, target.running)
        target.linger()


ATTACKS: tuple[Attack, ...] = (
    unfinished_on_commands,
    unfinished_on_stop,
    unfinished_on_16_connections,
)
