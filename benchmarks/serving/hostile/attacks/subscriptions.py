"""Subscriptions that are far too long, or far too many; and subscribers that never read."""

from __future__ import annotations

import contextlib
from functools import cache

from benchmarks.serving.hostile.attacks.attack import Attack, Target, attack, send_once
from benchmarks.serving.hostile.zmtp import RawPeer, message

SUBSCRIBE = b"\1"
MANY = 200_000
SUBSCRIBERS = 100


@cache
def subscription(size: int) -> bytes:
    """Returns a subscription to a topic of ``size`` bytes."""
    return message(SUBSCRIBE + bytes(size))


@cache
def many_subscriptions() -> bytes:
    """Returns subscriptions to different topics of 200 bytes, 41 MB in all."""
    return b"".join(message(SUBSCRIBE + i.to_bytes(8) * 25) for i in range(MANY))


@attack()
def subscription_1_mb(target: Target) -> None:
    """One subscription of 1 MB."""
    send_once(target, target.telemetry, subscription(1_000_000), "SUB")


@attack(lasts_s=1.0, share=0.125)
def subscription_15_mb(target: Target) -> None:
    """One subscription of 15 MB."""
    send_once(target, target.telemetry, subscription(15_000_000), "SUB")


@attack(lasts_s=2.0, share=0.125, burns=True)
def subscriptions_200000(target: Target) -> None:
    """200,000 subscriptions of 200 bytes on one connection."""
    send_once(target, target.telemetry, many_subscriptions(), "SUB")


@attack(share=0.5)
def deaf_subscribers(target: Target) -> None:
    """100 subscribers that never read."""
    with contextlib.ExitStack() as opened:
        for _ in range(SUBSCRIBERS):
            with contextlib.suppress(OSError):
                peer = opened.enter_context(RawPeer(target.telemetry, "SUB"))
                peer.send(message(SUBSCRIBE))
        target.linger()


ATTACKS: tuple[Attack, ...] = (
    subscription_1_mb,
    subscription_15_mb,
    subscriptions_200000,
    deaf_subscribers,
)
