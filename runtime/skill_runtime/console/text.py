"""What skill-control prints: messages as lines for people."""

from __future__ import annotations

from collections.abc import Sequence

from skill_proto.manifest import Context, ContextEstimate, GoalSpace, PolicyManifest
from skill_proto.messages import Telemetry, Welcome


def welcome_text(welcome: Welcome) -> str:
    """Who serves what, and how to steer it; several lines."""
    manifest = welcome.manifest
    kind = "simulated" if welcome.simulated else "real"
    rows = {
        "server": f"{welcome.server}, mode {welcome.mode}",
        "robot": f"{welcome.robot} ({welcome.backend}, {kind}), "
        f"servo {1 / welcome.servo_period_s:g} Hz",
        "policy": f"{manifest.name} ({manifest.algorithm}) at {welcome.policy_rate_hz:g} Hz",
        "about": manifest.description,
        "skill": _skill_text(manifest),
        "goal": _goal_text(manifest),
        "trained on": ", ".join(
            f"{name} {span.low:g} to {span.high:g}" + _unit(span.unit)
            for name, span in manifest.trained_on.items()
        ),
        "estimates": _estimates_text(manifest.context),
        "lease": f"held by {welcome.lease_holder!r}" if welcome.lease_holder else "free",
        "telemetry": f"{welcome.telemetry_address} at {welcome.telemetry_rate_hz:g} Hz",
        "stop": welcome.stop_address,
    }
    return "\n".join(f"{name:<11}{text}" for name, text in rows.items() if text)


def _skill_text(manifest: PolicyManifest) -> str:
    space = manifest.skill
    if space.kind == "none":
        return "none"
    like = ["1"] + ["0"] * (space.size - 1)
    what = "a direction of" if space.kind == "sphere" else "one of"
    return f"{what} {space.size} numbers, as: skill-control skill {' '.join(like)}"


def _goal_text(manifest: PolicyManifest) -> str:
    goal = manifest.goal
    if goal is None:
        return "none"
    spans = " x ".join(
        f"{low:g} to {high:g}" for low, high in zip(goal.low, goal.high, strict=True)
    )
    return f"{goal.field} within {spans} {goal.unit}, as: skill-control goal {example_goal(goal)}"


def _estimates_text(context: Context | None) -> str:
    """What is estimated and how far to trust it, and what is not; nothing without a context."""
    if context is None:
        return ""
    parts: list[str] = []
    if context.estimates:
        parts.append(", ".join(f"{item.name} ({_trust(item)})" for item in context.estimates))
    if context.unidentified:
        missing = ", ".join(f"{item.name} ({_trust(item)})" for item in context.unidentified)
        parts.append(f"not estimated: {missing}")
    return "; ".join(parts)


def _trust(estimate: ContextEstimate) -> str:
    return "R2 not measured" if estimate.log_r2 is None else f"R2 {estimate.log_r2:.2f}"


def example_goal(goal: GoalSpace) -> str:
    """A goal that may be typed after ``skill-control goal``."""
    return " ".join(f"{high:g}" for high in goal.high)


def state_line(state: Telemetry, manifest: PolicyManifest | None = None) -> str:
    """One line: who does what, where everything is, what the policy takes the object for.

    ``manifest`` is the policy's, for the units of its estimates.
    """
    parts = [f"{state.mode:<7}" if state.fault is None else f"{state.mode} {state.fault}"]
    if state.command is not None and state.command != state.mode:
        parts.append(f"by {state.command}")
    parts.append(f"lease {state.lease_holder!r}" if state.lease_holder else "lease free")
    if state.goal is not None:
        parts.append(f"goal {_numbers(state.goal, 3)}")
    if state.skill:
        parts.append(f"skill {_numbers(state.skill, 2)}")
    parts += [f"{name} {_numbers(pose.position, 3)} m" for name, pose in state.objects.items()]
    parts.append(f"hand {_numbers(state.end_effector_position, 3)} m")
    parts += _context_parts(state, manifest)
    if state.not_finite:
        parts.append(f"NOT FINITE: {', '.join(state.not_finite)}")
    return "  ".join(parts)


def _context_parts(state: Telemetry, manifest: PolicyManifest | None) -> list[str]:
    known = manifest.context.estimates if manifest and manifest.context else ()
    units = {item.name: _unit(item.unit) for item in known}
    if state.context_estimate:
        parts = [
            f"{name} ?" if value is None else f"{name} {value:#.3g}{units.get(name, '')}"
            for name, value in state.context_estimate.items()
        ]
        parts[0] = f"takes {parts[0]}"
    elif state.context is not None:
        parts = [f"context {_numbers(state.context, 2)}"]
    else:
        return []
    if state.context_distance is not None:
        unusual = " (unusual)" if state.context_distance > 1.0 else ""
        parts.append(f"distance {state.context_distance:.2f}{unusual}")
    return [", ".join(parts)]


def watch_line(
    state: Telemetry, previous: Telemetry | None, manifest: PolicyManifest | None = None
) -> str:
    """A state as one line of a list: with its time, and what happened since ``previous``."""
    line = f"{state.time:12.3f}  {state_line(state, manifest)}"
    if previous is None or state.counters == previous.counters:
        return line
    return f"{line}  * {state.last_event}"


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" {unit}"


def _numbers(values: Sequence[float | None], decimals: int) -> str:
    texts = ("?" if value is None else f"{value:+.{decimals}f}" for value in values)
    return f"[{' '.join(texts)}]"
