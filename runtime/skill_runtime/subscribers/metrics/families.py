"""The metrics of one state, by the conventions of Prometheus: seconds, ``_total``, ``_info``.

The counts are the server's own, so they survive a restart of the exporter. A sum beside its parts,
such as ``faults`` beside ``faults.arm``, is left out: it would count twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from skill_proto.messages import FaultClass, Mode, Telemetry, Timing, Welcome

PREFIX = "skill_serve_"


def server_families(welcome: Welcome) -> Iterator[Metric]:
    """Yields the description of the server."""
    labels = {
        "server": welcome.server,
        "robot": welcome.robot,
        "backend": welcome.backend,
        "policy": welcome.manifest.name,
        "policy_file": welcome.policy_file,
    }
    yield InfoMetricFamily(f"{PREFIX}server", "The server and its policy", value=labels)


def state_families(state: Telemetry) -> Iterator[Metric]:
    """Yields all metrics of a state; a number that the state lacks has no metric."""
    yield from _loop(state)
    yield from _arm(state)
    yield from _policy(state)
    yield _events(state.counters)
    yield _named(
        "object_age_seconds",
        "Time since a tracker saw the object",
        "object",
        {name: pose.age_s for name, pose in state.objects.items()},
    )
    if state.connection is not None:
        yield from _connection(state)


def _loop(state: Telemetry) -> Iterator[Metric]:
    timing = state.timing
    yield _counter("ticks", "Servo periods executed", state.tick)
    yield _counter("overruns", "Servo periods skipped because the loop was late", timing.overruns)
    yield _latency(timing)
    yield _named(
        "tick_execution_seconds",
        "Execution time of a tick: percentiles of the last second",
        "percentile",
        {
            "p50": 1e-6 * timing.execution_time_p50_us,
            "p99": 1e-6 * timing.execution_time_p99_us,
        },
    )


def _latency(timing: Timing) -> Metric:
    """Returns the histogram of wake-up latency; the last count is that of all ticks."""
    bounds = [f"{1e-6 * bound:g}" for bound in timing.wakeup_latency_le_us] + ["+Inf"]
    counts = [float(count) for count in timing.wakeup_latency_count]
    family = HistogramMetricFamily(
        f"{PREFIX}tick_wakeup_latency_seconds", "Delay of the start of a tick since the start"
    )
    # The server keeps no sum.
    family.add_metric([], list(zip(bounds, counts, strict=True)), None)
    return family


def _arm(state: Telemetry) -> Iterator[Metric]:
    yield _states("mode", "1 for the mode of the arm", state.mode, get_args(Mode))
    yield _states("fault", "1 for the class of the fault", state.fault, get_args(FaultClass))
    yield _gauge("lease_held", "Whether a client has the lease", state.lease_holder is not None)
    yield _gauge("braking", "Whether the governor executes a braking trajectory", state.braking)
    headroom = {} if state.headroom is None else state.headroom.model_dump()
    yield _named(
        "headroom", "Margin of the set-point to a limit of the governor", "limit", headroom
    )


def _policy(state: Telemetry) -> Iterator[Metric]:
    yield _counter("policy_steps", "Inferences of the policy", state.policy_steps)
    for name, text, value in (
        ("goal_distance", "Distance from the goal in its unit", state.goal_distance),
        (
            "context_distance",
            "Distance of the context from those of training; above 1 is unusual",
            state.context_distance,
        ),
        ("outside", "Whether the policy is outside of its training", state.outside),
    ):
        if value is not None:
            yield _gauge(name, text, value)
    yield _named(
        "context_estimate",
        "The policy's estimate of the object's parameter",
        "quantity",
        state.context_estimate or {},
    )


def _connection(state: Telemetry) -> Iterator[Metric]:
    assert state.connection is not None
    connection = state.connection
    if connection.success_rate is not None:
        yield _gauge(
            "connection_success_ratio",
            "Share of the last 100 set-points that the robot received in time",
            connection.success_rate,
        )
    yield _counter(
        "missed_setpoints",
        "Set-points so late that the robot's driver braked",
        connection.missed_setpoints,
    )
    yield _counter("reflexes", "Times that the robot stopped by itself", connection.reflexes)


def _events(counters: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}events", "Events since the start of the server", labels=["event", "reason"]
    )
    sums = {name.partition(".")[0] for name in counters if "." in name}
    for name, count in counters.items():
        event, _, reason = name.partition(".")
        if reason or name not in sums:
            family.add_metric([event, reason], count)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=float(value))


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=float(value))


def _named(name: str, text: str, label: str, values: Mapping[str, float | None]) -> Metric:
    """Returns a gauge with one series for each known value."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=[label])
    for key, value in values.items():
        if value is not None:
            family.add_metric([key], value)
    return family


def _states(name: str, text: str, current: str | None, names: tuple[str, ...]) -> Metric:
    """Returns a gauge with one series for each state, 1 for the current one."""
    return _named(name, text, name, {each: float(each == current) for each in names})
