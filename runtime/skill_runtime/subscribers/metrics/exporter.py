"""Exporter: the newest state of a server, kept while the server is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from skill_proto.messages import Telemetry, Welcome
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.client.telemetry import TelemetrySubscription
from skill_runtime.subscribers.metrics.families import PREFIX, server_families, state_families

UP_S = 2.0
"""A server is up if it published within this time [s]."""

READ_S = 0.2
"""Longest wait for a state [s]."""

RETRY_S = 2.0
"""Time between two questions to a server that does not publish [s]."""


class Exporter(Collector):
    """Collects the metrics of one server.

    Args:
        make_client: Makes a client of the server, in the thread that reads.
        telemetry_address: Address for telemetry; that of the server if None.
        report: Receives each new error for which the server cannot be read.
        clock: Time [s].
    """

    def __init__(
        self,
        make_client: Callable[[], SkillClient],
        telemetry_address: str | None = None,
        report: Callable[[ClientError], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_client = make_client
        self._address = telemetry_address
        self._report = report
        self._clock = clock
        self._state: Telemetry | None = None
        self._welcome: Welcome | None = None
        self._heard = float("-inf")
        self._ended = threading.Event()
        self._reason = ""

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics; those of the last known state if the server is away."""
        state, welcome, age_s = self._state, self._welcome, self._clock() - self._heard
        yield GaugeMetricFamily(
            f"{PREFIX}up",
            f"Whether telemetry came within the last {UP_S:g} seconds",
            value=float(age_s < UP_S),
        )
        if welcome is not None:
            yield from server_families(welcome)
        if state is None:
            return
        yield GaugeMetricFamily(
            f"{PREFIX}telemetry_age_seconds", "Time since the newest telemetry", value=age_s
        )
        yield from state_families(state)

    def run(self) -> None:
        """Reads telemetry until :meth:`end`."""
        with self._make_client() as client:
            subscription = TelemetrySubscription(client.keys)
            try:
                self._read(client, subscription)
            finally:
                subscription.close()

    def _read(self, client: SkillClient, subscription: TelemetrySubscription) -> None:
        asked = float("-inf")
        while not self._ended.is_set():
            now = self._clock()
            if now - max(self._heard, asked) > RETRY_S:
                asked = now
                self._connect(client, subscription)
            subscription.wait(READ_S)
            try:
                state = subscription.poll()
            except ClientError as error:
                self._fail(error)
                self._ended.wait(READ_S)
                continue
            if state is None:
                if not self._welcome:
                    self._ended.wait(READ_S)
                continue
            if self._welcome is not None and state.instance != self._welcome.instance:
                self._connect(client, subscription)
            self._state, self._heard, self._reason = state, self._clock(), ""

    def _connect(self, client: SkillClient, subscription: TelemetrySubscription) -> None:
        """Asks the server for its description, and connects to its telemetry."""
        try:
            self._welcome = client.hello()
            subscription.connect(self._address or self._welcome.telemetry_address)
        except ClientError as error:
            self._fail(error)

    def _fail(self, error: ClientError) -> None:
        reason = str(error)
        if reason != self._reason:
            self._reason = reason
            self._report(error)

    def end(self) -> None:
        """Ends :meth:`run`."""
        self._ended.set()
