"""The policy service of an arm's server: its socket to the gateway, from opening to end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import zmq

from skill_runtime.policy_service.config import PolicyServiceConfig
from skill_runtime.policy_service.models import ServedModel
from skill_runtime.policy_service.service import QUIET, REQUESTS_PER_STEP, PolicyService
from skill_runtime.realtime.clock import Clock, MonotonicClock
from skill_runtime.transport.interfaces import DealerSocket

MAX_QUEUED_MESSAGES = 64
"""Capacity of the queue of requests, and of the queue of replies."""

BEAT_MS = 10
"""Longest time between two heartbeats of the idle service [ms]."""

RECONNECT_MS = 20
"""Interval of attempts to reach a gateway that was started again [ms]."""

FAREWELL_MS = 1000
"""Longest wait for the delivery of the last message [ms]."""


class GatewayLink:
    """Requests from the gateway, and replies to it.

    Args:
        socket: Requests are ``[sender, *frames]``, replies ``[sender, error code, *frames]``.
        model: The policy.
        instance: Name of this run of the server.
        clock: Server time.
        beat: Called before every inference, and after every request that was read.

    Attributes:
        service: answers the requests.
    """

    def __init__(
        self,
        socket: DealerSocket,
        model: ServedModel,
        instance: str,
        clock: Clock,
        beat: Callable[[], None],
    ) -> None:
        self.service = PolicyService([model], instance, clock, beat, self._send)
        self._socket = socket
        self._clock = clock
        self._beat = beat

    def step(self) -> None:
        """Answers the requests that wait, up to ``REQUESTS_PER_STEP``."""
        now = self._clock.now()
        with np.errstate(**QUIET):
            for _ in range(REQUESTS_PER_STEP):
                try:
                    sender, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self.service.receive(sender, frames, now)
                self._beat()
            self.service.flush()

    def _send(self, receiver: bytes, code: str, frames: list[bytes]) -> None:
        with suppress(zmq.Again):  # the gateway has gone, or does not read
            self._socket.send_multipart([receiver, code.encode(), *frames], zmq.NOBLOCK)


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
        model = _open(config, socket)
        link = GatewayLink(socket, model, config.instance, MonotonicClock(), beat)
        socket.send_multipart([b"", b"ready"], zmq.NOBLOCK)
        while not ending():
            beat()
            if socket.poll(BEAT_MS):
                link.step()
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


def _open(config: PolicyServiceConfig, socket: zmq.Socket[bytes]) -> ServedModel:
    try:
        return ServedModel.open(config.model.stem, config.model, config.device)
    except Exception as error:  # such as a file that was removed, or no memory
        socket.setsockopt(zmq.LINGER, FAREWELL_MS)
        socket.send_multipart([b"", b"failed", str(error).encode(errors="replace")], zmq.NOBLOCK)
        raise
