"""Watch: the newest state of a server, its last minute, and its newest events.

It subscribes to telemetry like every client: the newest message alone waits in its socket, and the
messages in between are dropped there. So it decodes as many as it draws.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from skill_proto.messages import Telemetry, Welcome
from skill_proto.printable import printable
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.client.telemetry import TelemetrySubscription

SILENT_S = 1.0
"""Without telemetry for this long, the server does not answer [s]."""

RETRY_S = 1.0
"""Time between two questions to a server that does not publish [s]."""

HISTORY_S = 60.0
SAMPLE_S = 0.25
"""Length of the history, and time between two samples of it [s]."""

MAX_EVENTS = 40

TRUTHS = {"cube_mass": "mass", "cube_table_friction": "friction"}
"""Names of estimates, and of the true values in ``scene``."""


@dataclass(frozen=True)
class Sample:
    """One moment of the charts."""

    time: float
    """Server time [s]."""
    estimates: dict[str, float]
    """By name; empty without estimates."""
    truths: dict[str, float]
    """True values of a simulated object, by the same names."""
    distance: float | None
    """Distance of the context from training; None if it is unknown."""
    latency_ms: tuple[float, float]
    """Median and 99th percentile of the wake-up latency [ms]."""
    overruns: int
    """Since the start of the server."""


class Watch:
    """The telemetry of one server, across its restarts.

    Args:
        client: Client of the server; it says ``hello``.
        telemetry_address: Address for telemetry; that of the server if None.
        clock: Time [s].

    Attributes:
        welcome: Newest description of the server.
        state: Newest state; None before the first, and after the server was started again.
        history: The last minute, oldest first.
        events: Newest first: server time [s] and text.
        error: Why the server cannot be reached; '' if it can.
        other_policy: Name of the policy of a server that was started with another one; '' if none
            was. What follows is of no use to a page of the first policy.

    Raises:
        ClientError: The server does not answer.
    """

    def __init__(
        self,
        client: SkillClient,
        telemetry_address: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._address = telemetry_address
        self._clock = clock
        self._subscription = TelemetrySubscription(client.keys)
        self._heard = self._asked = clock()
        self.state: Telemetry | None = None
        self.history: deque[Sample] = deque()
        self.events: deque[tuple[float, str]] = deque(maxlen=MAX_EVENTS)
        self.error = self.other_policy = ""
        self.welcome: Welcome = client.hello()
        self._connect(self.welcome)

    @property
    def silence_s(self) -> float:
        """Time since the newest telemetry [s]."""
        return self._clock() - self._heard

    @property
    def is_silent(self) -> bool:
        """Whether the server does not answer."""
        return self.silence_s > SILENT_S

    def read(self, timeout_s: float) -> bool:
        """Reads the newest state; returns whether there is a new one within the timeout [s]."""
        now = self._clock()
        if now - max(self._heard, self._asked) > RETRY_S:
            self._asked = now
            self._ask()
        try:
            self._subscription.wait(timeout_s)
            state = self._subscription.poll()
        except ClientError as error:
            self.error = str(error)
            return False
        if state is None:
            return False
        if state.instance != self.welcome.instance and not self._ask():
            return False
        self._take(state)
        return True

    def _ask(self) -> bool:
        """Asks for the description of the server, and connects to its telemetry."""
        try:
            welcome = self._client.hello()
            self._connect(welcome)
        except ClientError as error:
            self.error = str(error)
            return False
        if welcome.instance != self.welcome.instance:
            self.state = None
            self.history.clear()
            self.events.appendleft((welcome.time, "the server was started again"))
        if (welcome.manifest, welcome.simulated) != (self.welcome.manifest, self.welcome.simulated):
            self.other_policy = welcome.manifest.name
            return False
        self.welcome = welcome
        return True

    def _connect(self, welcome: Welcome) -> None:
        self._subscription.connect(self._address or welcome.telemetry_address)

    def _take(self, state: Telemetry) -> None:
        previous, self.state = self.state, state
        self._heard, self.error = self._clock(), ""
        if previous is None or (
            state.counters != previous.counters and state.last_event != previous.last_event
        ):
            self.events.appendleft((state.time, printable(state.last_event)))
        remember(self.history, state)

    def close(self) -> None:
        """Closes the socket."""
        self._subscription.close()


def remember(history: deque[Sample], state: Telemetry) -> None:
    """Adds a sample of a state, unless the newest is too young, and drops those before a minute."""
    if history and state.time < history[-1].time + SAMPLE_S:
        return
    history.append(sample(state))
    while history[0].time < state.time - HISTORY_S:
        history.popleft()


def sample(state: Telemetry) -> Sample:
    """Returns the part of a state that the charts show."""
    estimates = state.context_estimate or {}
    scene = state.scene or {}
    return Sample(
        time=state.time,
        estimates={name: value for name, value in estimates.items() if value is not None},
        truths={name: scene[key] for name, key in TRUTHS.items() if key in scene},
        distance=state.context_distance,
        latency_ms=(
            state.timing.wakeup_latency_p50_us / 1e3,
            state.timing.wakeup_latency_p99_us / 1e3,
        ),
        overruns=state.timing.overruns,
    )
