"""One run of the policy service, from opening the policy to its end."""

from __future__ import annotations

from collections.abc import Callable

import zmq

from skill_runtime.policy_service.config import MAX_ROWS, PolicyServiceConfig
from skill_runtime.policy_service.restorable_policy import RestorablePolicy
from skill_runtime.policy_service.service import PolicyService
from skill_runtime.realtime.clock import MonotonicClock

MAX_QUEUED_MESSAGES = 64
"""Capacity of the queue of requests, and of the queue of replies."""

BEAT_MS = 10
"""Longest time between two heartbeats of the idle service [ms]."""

RECONNECT_MS = 20
"""Interval of attempts to reach a gateway that was started again [ms]."""

FAREWELL_MS = 1000
"""Longest wait for the delivery of the last message [ms]."""


def serve(
    config: PolicyServiceConfig, *, beat: Callable[[], None], ending: Callable[[], bool]
) -> None:
    """Opens the policy, and answers requests until ``ending`` returns True.

    The first message to the gateway is ``[b"", b"ready"]``, or ``[b"", b"failed", reason]`` if the
    policy cannot be opened.

    Args:
        config: Configuration of the service.
        beat: Called every :data:`BEAT_MS` while idle, and before and after every inference.
        ending: Whether the service ends.

    Raises:
        PolicyFileError: The policy cannot be opened.
    """
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = _connect(context, config.address)
    try:
        beat()
        policy = _open(config, socket)
        service = PolicyService(socket, policy, config.instance, MonotonicClock(), beat)
        socket.send_multipart([b"", b"ready"], zmq.NOBLOCK)
        while not ending():
            beat()
            if socket.poll(BEAT_MS):
                service.step()
    finally:
        socket.close()
        context.term()


def _connect(context: zmq.Context[zmq.Socket[bytes]], address: str) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, MAX_QUEUED_MESSAGES)
    socket.setsockopt(zmq.RCVHWM, MAX_QUEUED_MESSAGES)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
    socket.connect(address)
    return socket


def _open(config: PolicyServiceConfig, socket: zmq.Socket[bytes]) -> RestorablePolicy:
    try:
        return RestorablePolicy(config.model, device=config.device, slots=MAX_ROWS)
    except Exception as error:  # such as a file that was removed, or no memory
        socket.setsockopt(zmq.LINGER, FAREWELL_MS)
        socket.send_multipart([b"", b"failed", str(error).encode(errors="replace")], zmq.NOBLOCK)
        raise
