"""Gateway and stop listener inside one process and on virtual time, with the failures of real ones.

Their code is that of the real processes. A process that is dead or frozen does no steps; messages
to it wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skill_runtime.channel.channel import Channel, Word
from skill_runtime.fault_injection.virtual.clock import VirtualClock
from skill_runtime.fault_injection.virtual.transport import PortName, VirtualPort, VirtualTransport
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.gateway.gateway import Gateway
from skill_runtime.stop_listener.listener import StopListener

ProcessName = Literal["gateway", "stop listener"]

INSTANCE = "0123456789abcdef"

BEAT_S = 0.01
"""Time between two heartbeats of the stop listener [s]."""

NO_PID = 2**22
"""Largest process id of Linux, plus one (proc(5), pid_max). Ids of virtual processes begin here:
the state of a real process would change the run."""


@dataclass
class Outage:
    """The state of one process."""

    until: float = -math.inf
    """End of its outage [s]."""
    starts_anew: bool = False
    """Whether it is then a new process, or goes on."""


class VirtualProcesses:
    """The processes beside the controller.

    Args:
        transport: their sockets.
        channel: the memory that they share with the controller.
        clock: virtual time.
        on_start: called with the port of a process that starts anew.
    """

    def __init__(
        self,
        transport: VirtualTransport,
        channel: Channel,
        clock: VirtualClock,
        on_start: Callable[[PortName], None],
    ) -> None:
        self._transport = transport
        self._channel = channel
        self._clock = clock
        self._on_start = on_start
        self._outages: dict[ProcessName, Outage] = {"gateway": Outage(), "stop listener": Outage()}
        self._gateway: Gateway | None = None
        self._config: GatewayConfig | None = None
        self._listener = self._new_listener()

    def describe(self, config: GatewayConfig) -> None:
        """Starts the gateway, once the controller is known."""
        self._config = config
        self._gateway = self._new_gateway(config)

    def _new_gateway(self, config: GatewayConfig) -> Gateway:
        self._channel.words[Word.GATEWAY_STARTS] += 1
        return Gateway(self._transport, self._channel, config, lambda: None, self._clock)

    def _new_listener(self) -> StopListener:
        self._channel.words[Word.LISTENER_STARTS] += 1
        return StopListener(
            self._transport.stop, self._channel.stops, lambda: None, self._clock.now, INSTANCE
        )

    def fail(self, name: ProcessName, seconds: float, *, starts_anew: bool) -> None:
        """Makes a process do nothing for a while [s].

        Args:
            name: the process.
            seconds: length of the outage [s].
            starts_anew: whether it dies and is started again, or is frozen and goes on.
        """
        outage = self._outages[name]
        outage.until = self._clock.time_s + seconds
        outage.starts_anew = outage.starts_anew or starts_anew

    def is_out(self, name: ProcessName) -> bool:
        """Returns whether a process does nothing at present."""
        return self._clock.time_s < self._outages[name].until

    @property
    def next_due(self) -> float | None:
        """Arrival of the next message that a living process reads [s]; None without one."""
        ports: dict[ProcessName, VirtualPort] = {
            "gateway": self._transport.commands,
            "stop listener": self._transport.stop,
        }
        due = [port.due for name, port in ports.items() if not self.is_out(name)]
        return min([time_s for time_s in due if time_s is not None], default=None)

    def step(self) -> None:
        """Lets the living processes do the work that waits."""
        self._end_outages()
        if not self.is_out("stop listener"):
            pid = NO_PID + self._channel.words[Word.LISTENER_STARTS]
            self._channel.stops.beat(int(self._clock.time_s * 1e9), pid)
            self._listener.step()
        if self._gateway is not None and not self.is_out("gateway"):
            self._gateway.step()

    def confirm(self) -> None:
        """Lets the living processes send the replies that the controller has given."""
        if not self.is_out("stop listener"):
            self._listener.confirm()
        if self._gateway is not None and not self.is_out("gateway"):
            self._gateway.step()

    def _end_outages(self) -> None:
        for name, outage in self._outages.items():
            if not outage.starts_anew or self.is_out(name):
                continue
            outage.starts_anew = False
            if name == "gateway":
                assert self._config is not None
                self._on_start("commands")
                self._transport.commands.drop_connection()
                self._gateway = self._new_gateway(self._config)
            else:
                self._on_start("stop")
                self._transport.stop.drop_connection()
                self._listener = self._new_listener()
