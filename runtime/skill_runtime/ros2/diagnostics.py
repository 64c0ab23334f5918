"""What the node knows, as the levels, words and values of ROS diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from skill_proto.faults import needs_clear
from skill_proto.messages import Telemetry
from skill_runtime.ros2.status import Known

REFUSAL_SHOWS_S = 5.0
"""A refused message is a warning for this long [s]."""


class Level(IntEnum):
    """Levels of ``diagnostic_msgs/DiagnosticStatus``."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class Report:
    """One status of ROS diagnostics."""

    name: str
    hardware_id: str
    level: Level
    message: str
    values: dict[str, str]


@dataclass(frozen=True)
class Names:
    """What tells the reports of several nodes and arms apart."""

    node: str
    """Name of the node with its namespace."""
    address: str
    """Address of the server, the identity of the hardware."""

    def report(self, part: str, level: Level, message: str, values: dict[str, str]) -> Report:
        """Returns a report about a part."""
        return Report(f"{self.node}: {part}", self.address, level, message, values)


def reports(known: Known, now: float, names: Names) -> tuple[Report, Report]:
    """Returns the reports about the arm and about the targets.

    Args:
        known: What the node knows.
        now: Time of ``time.monotonic`` [s].
        names: Names of node and server.
    """
    return _arm(known, names), _targets(known, now, names)


def _arm(known: Known, names: Names) -> Report:
    welcome, state = known.welcome, known.state
    if known.unreachable or welcome is None:
        return names.report("arm", Level.ERROR, known.unreachable, {})
    values = {
        "robot": welcome.robot,
        "server": welcome.server,
        "instance": welcome.instance,
        "backend": welcome.backend,
        "policy_file": welcome.policy_file,
    }
    if state is None:
        return names.report("arm", Level.WARN, "no state has arrived yet", values)
    level, message = level_of(state)
    return names.report("arm", level, message, values | _values_of(state))


def level_of(state: Telemetry) -> tuple[Level, str]:
    """Returns the level of a state, and its reason."""
    fix = "call the service clear" if needs_clear(state) else "it ends with its cause"
    if state.mode == "fault" or state.fault is not None:
        return Level.ERROR, f"fault {state.fault}: {state.last_event}; {fix}"
    if state.mode == "stopped":
        return Level.WARN, f"stopped: {state.last_event}; {fix}"
    if state.not_finite:
        return Level.WARN, f"not finite: {', '.join(state.not_finite)}"
    if state.outside:
        return Level.WARN, f"{state.mode}: the policy is outside of its training"
    return Level.OK, state.mode


def _values_of(state: Telemetry) -> dict[str, str]:
    values: dict[str, object] = {
        "mode": state.mode,
        "fault": state.fault,
        "lease_holder": state.lease_holder,
        "command": state.command,
        "goal_status": state.goal_status,
        "braking": state.braking,
        "context_distance": state.context_distance,
        "outside": state.outside,
        "wakeup_latency_p99_us": state.timing.wakeup_latency_p99_us,
        "overruns": state.timing.overruns,
        "last_event": state.last_event,
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _targets(known: Known, now: float, names: Names) -> Report:
    values = {"holds_lease": str(known.leads), "carried_out": str(known.carried_out)}
    values |= {f"refused.{topic}": str(count) for topic, count in sorted(known.refused.items())}
    level, message = Level.OK, "steers the arm" if known.leads else "waits for targets"
    refusal = known.refusal
    if refusal is not None:
        values["last_refusal"] = f"{refusal.topic}: {refusal.reason}"
    if known.blocked:
        level, message = Level.WARN, known.blocked
    elif refusal is not None and now - refusal.at < REFUSAL_SHOWS_S:
        level, message = Level.WARN, f"{refusal.topic} is refused: {refusal.reason}"
    elif known.crowded:
        level, message = Level.WARN, f"several publishers: {known.crowded}"
    return names.report("targets", level, message, values)
