"""A network that delays, loses, duplicates, reorders and replays messages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from skill_runtime.fault_injection.virtual.transport import PortName, VirtualTransport


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Delays [s], and shares of all messages."""

    delay_s: float = 0.001
    """Mean of most delays [s]."""
    slow: float = 0.02
    """Share that takes up to :attr:`slowest_s`; later messages may overtake it."""
    slowest_s: float = 0.6
    """[s]."""
    lost: float = 0.01
    """Share that never arrives."""
    doubled: float = 0.01
    """Share that arrives twice."""
    replayed: float = 0.01
    """Share that is followed by an old message."""


@dataclass
class Network:
    """Carries messages from clients to the server."""

    transport: VirtualTransport
    random: np.random.Generator
    config: NetworkConfig = field(default_factory=NetworkConfig)
    _sent: deque[tuple[PortName, bytes, bytes]] = field(
        default_factory=lambda: deque[tuple[PortName, bytes, bytes]](maxlen=2000)
    )

    def send(self, port: PortName, sender: bytes, frame: bytes, now: float) -> None:
        """Sends a message of one frame; it may arrive late, twice, or never."""
        chance, config = self.random.random, self.config
        if chance() < config.lost:
            return
        for _ in range(2 if chance() < config.doubled else 1):
            self.transport.post(port, now + self._delay_s(), sender, frame)
        if port == "commands":
            if self._sent and chance() < config.replayed:
                old = self._sent[int(self.random.integers(len(self._sent)))]
                self.transport.post(old[0], now + self._delay_s(), old[1], old[2])
            self._sent.append((port, sender, frame))

    def send_reliably(self, port: PortName, sender: bytes, *frames: bytes, now: float) -> None:
        """Sends a message of any shape, with a delay but without loss."""
        self.transport.post(port, now + self._delay_s(), sender, *frames)

    def _delay_s(self) -> float:
        if self.random.random() < self.config.slow:
            return float(self.random.uniform(0.0, self.config.slowest_s))
        return float(self.random.exponential(self.config.delay_s))
