"""Options of the server's sockets, which bound their queues and frames."""

from __future__ import annotations

import zmq

MAX_QUEUED_MESSAGES = 64
"""Messages kept per connection and direction."""

CUT_OFF_BYTES = 16 * 1024 * 1024
"""ZeroMQ closes a connection at a longer frame; a shorter one gets an error reply."""

MAX_SUBSCRIPTION_BYTES = 256
"""ZeroMQ closes a subscriber's connection at a longer subscription."""

MAX_QUEUED_SUBSCRIPTIONS = 1
"""Subscriptions kept per connection until the publisher reads them.

libzmq reads subscriptions until no more wait, in the thread that publishes. A longer queue is
refilled faster than it is read, and so a peer with very many subscriptions keeps the gateway from
all other work. With a queue of one, the publisher goes on after each subscription.
"""

MAX_QUEUED_WITH_KEYS = 2
"""The same as ``MAX_QUEUED_SUBSCRIPTIONS`` on a socket with keys. With a queue of one, libzmq 4.3.5
delivers no subscription there."""

MAX_HANDSHAKE_BYTES = 1024
"""The same as ``MAX_SUBSCRIPTION_BYTES`` on a socket with keys: the handshake of CURVE has commands
of about 300 bytes."""

HANDSHAKE_MS = 2000
"""A connection that has not completed the ZeroMQ handshake is closed after this time [ms]."""


def router_options(address: str) -> dict[zmq.SocketOption, int]:
    """Returns the options of a ROUTER socket at ``address``.

    With ROUTER_HANDOVER a new connection takes over the name of an older one. Without it, libzmq
    drops the messages of a client that chooses a name which a dead connection still has.
    """
    return {**dealer_options(address), zmq.ROUTER_HANDOVER: 1}


def dealer_options(address: str) -> dict[zmq.SocketOption, int]:
    """Returns the options of a DEALER socket at ``address``."""
    return {
        **_common(address),
        zmq.RCVHWM: MAX_QUEUED_MESSAGES,
        zmq.MAXMSGSIZE: CUT_OFF_BYTES,
    }


def publisher_options(address: str, *, keyed: bool = False) -> dict[zmq.SocketOption, int]:
    """Returns the options of an XPUB socket at ``address``, with manual subscriptions."""
    return {
        **_common(address),
        zmq.XPUB_MANUAL: 1,
        zmq.RCVHWM: MAX_QUEUED_WITH_KEYS if keyed else MAX_QUEUED_SUBSCRIPTIONS,
        zmq.MAXMSGSIZE: MAX_HANDSHAKE_BYTES if keyed else MAX_SUBSCRIPTION_BYTES,
    }


def _common(address: str) -> dict[zmq.SocketOption, int]:
    return {
        zmq.LINGER: 0,
        zmq.IPV6: int("[" in address),
        zmq.SNDHWM: MAX_QUEUED_MESSAGES,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
    }
