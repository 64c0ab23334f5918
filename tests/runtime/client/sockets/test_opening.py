"""The context that all clients of a process share."""

from __future__ import annotations

import zmq

from skill_runtime.client.sockets.opening import process_context


def test_the_number_of_clients_is_not_limited_by_the_default_of_zeromq() -> None:
    context = process_context()
    assert context.get(zmq.MAX_SOCKETS) == context.get(zmq.SOCKET_LIMIT) > 60_000
