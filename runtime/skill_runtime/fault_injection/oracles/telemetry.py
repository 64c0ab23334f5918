"""Telemetry is true: states as the controller writes them, and frames as the gateway publishes."""

from __future__ import annotations

from collections import OrderedDict

from skill_proto.messages import TELEMETRY
from skill_runtime.channel.channel import Channel
from skill_runtime.fault_injection.oracles.motion import InvariantError
from skill_runtime.fault_injection.oracles.server import Oracle
from skill_runtime.gateway.telemetry import make_telemetry
from skill_runtime.server.arm_server import ArmServer

STATES_KEPT = 4000
"""States with which a published frame is compared; a frozen gateway may be this far behind."""


class TelemetryOracle:
    """Checks states and frames of one run.

    Args:
        server: the controller.
        channel: its memory.
        oracle: knows what has happened.

    Attributes:
        newest_time: server time of the newest frame [s]; None before the first.
    """

    def __init__(self, server: ArmServer, channel: Channel, oracle: Oracle) -> None:
        self.newest_time: float | None = None
        self._authority = server.authority
        self._layout = server.gateway_config.layout
        self._channel = channel
        self._oracle = oracle
        self._written: OrderedDict[tuple[int, str, str | None], None] = OrderedDict()
        self._counters: dict[str, int] = {}
        self._seq, self._version = -1, 0

    def written(self) -> None:
        """Checks the state that the controller has just written, if it is new."""
        version = self._channel.state.version
        record = self._channel.state.read()
        if record is None or version == self._version:
            return
        self._version = version
        state = make_telemetry(self._layout.unpack(record), self._layout)
        self._oracle.published(state, self._authority.mode, self._authority.fault_class)
        self._written[state.seq, state.mode, state.fault] = None
        if len(self._written) > STATES_KEPT:
            self._written.popitem(last=False)

    def published(self, frame: bytes) -> None:
        """Checks a frame of the gateway."""
        state = TELEMETRY.validate_json(frame)
        if (state.seq, state.mode, state.fault) not in self._written:
            raise InvariantError(f"telemetry says {state.mode!r}, {state.fault!r}; it never was")
        if state.seq < self._seq:
            raise InvariantError(f"telemetry {state.seq} comes after {self._seq}")
        fallen = [
            name for name, count in self._counters.items() if state.counters.get(name, 0) < count
        ]
        if fallen:
            raise InvariantError(f"a counter in telemetry has fallen: {fallen}")
        self._seq, self._counters, self.newest_time = state.seq, state.counters, state.time
