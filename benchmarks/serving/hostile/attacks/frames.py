"""Messages of very many frames: the reader must not be busy with one message."""

from __future__ import annotations

from functools import cache

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack, repeat, send_once
from benchmarks.serving.hostile.zmtp import MORE, frame

MILLIONS = 3_000_000
ENDLESS = 500_000
"""Frames of a message that fits into the memory of the gateway, which must read them."""
LONG = 50_000

HEAVY_S = 2.0
"""Time in which the 9 MB are sent, also on a busy machine [s]."""


@cache
def one_byte_frames(number: int) -> bytes:
    """Returns a message of this many frames of one byte."""
    return frame(b"x", MORE) * (number - 1) + frame(b"x")


@attack(arm="either", lasts_s=HEAVY_S, share=0.125, burns=True)
def frames_on_stop(target: Target) -> None:
    """3 million one-byte frames on the stop socket."""
    send_once(target, target.stop, one_byte_frames(MILLIONS))


@attack(lasts_s=HEAVY_S, share=0.125, burns=True)
def frames_on_commands(target: Target) -> None:
    """3 million one-byte frames on the commands socket."""
    send_once(target, target.commands, one_byte_frames(MILLIONS))


@attack(lasts_s=HEAVY_S, share=0.125, burns=True)
def frames_500000_on_commands(target: Target) -> None:
    """500,000 one-byte frames on the commands socket."""
    send_once(target, target.commands, one_byte_frames(ENDLESS))


@attack(arm="either", burns=True, share=0.25)
def long_messages_on_stop(target: Target) -> None:
    """Messages of 50,000 frames in a row on the stop socket."""
    repeat(target, target.stop, one_byte_frames(LONG))


@attack(burns=True, share=0.25)
def long_messages_on_commands(target: Target) -> None:
    """Messages of 50,000 frames in a row on the commands socket."""
    repeat(target, target.commands, one_byte_frames(LONG))


ATTACKS: tuple[Attack, ...] = (
    frames_on_stop,
    frames_on_commands,
    frames_500000_on_commands,
    long_messages_on_stop,
    long_messages_on_commands,
)
