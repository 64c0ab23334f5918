"""Messages of the server as lines of text for a terminal.

Texts from the wire and from policy files appear in them in printable form: each stays on its line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from skill_proto.manifest import Context, ContextEstimate, GoalSpace, PolicyManifest, SkillSpace
from skill_proto.messages import Connection, Telemetry, Welcome
from skill_proto.ports import DEFAULT_ADDRESS
from skill_proto.printable import printable

_NOT_ASCII = re.compile(r"[^ -~]")


def control_command(words: str, address: str) -> str:
    """Returns the command line of ``skill-control`` for the server at ``address``."""
    flag = "" if address == DEFAULT_ADDRESS else f" --address {address}"
    return f"skill-control {words}{flag}"


def example_command(manifest: PolicyManifest, address: str) -> str:
    """Returns a command line that runs the policy."""
    if manifest.skill.kind != "none":
        return control_command(f"skill {_example_skill(manifest.skill)}", address)
    if manifest.goal is not None:
        return control_command(f"goal {_example_goal(manifest.goal)}", address)
    return control_command("skill", address)  # it takes neither skill nor goal


def welcome_text(welcome: Welcome, address: str) -> str:
    """Describes a server and how to command it, on several lines.

    Args:
        welcome: The server's reply to hello.
        address: The server's address for commands.
    """
    manifest = welcome.manifest
    kind = "simulated" if welcome.simulated else "real"
    rows = {
        "server": f"{welcome.server}, mode {welcome.mode}",
        "robot": f"{welcome.robot} ({welcome.backend}, {kind}), "
        f"servo {1 / welcome.servo_period_s:g} Hz{_speed_text(welcome.speed)}",
        "policy": f"{manifest.name} ({manifest.algorithm}) at {welcome.policy_rate_hz:g} Hz",
        "about": " ".join(manifest.description.split()),
        "skill": _skill_text(manifest.skill, address),
        "goal": _goal_text(manifest.goal, address),
        "trained on": ", ".join(
            f"{name} {span.low:g} to {span.high:g}" + _unit(span.unit)
            for name, span in manifest.trained_on.items()
        ),
        "estimates": _estimates_text(manifest.context),
        "lease": f"held by {welcome.lease_holder!r}" if welcome.lease_holder else "free",
        "telemetry": f"{welcome.telemetry_address} at {welcome.telemetry_rate_hz:g} Hz",
        "stop": welcome.stop_address,
    }
    return "\n".join(f"{name:<11}{printable(text)}" for name, text in rows.items() if text)


def _speed_text(speed: float) -> str:
    return "" if speed == 1.0 else f", at most {100 * speed:g} % of its velocity limits"


def json_line(text: str) -> str:
    """Returns a JSON document on one line, with unsafe characters of its strings as JSON escapes.

    JSON itself escapes only the characters below U+0020.

    Args:
        text: The document, as pydantic writes it.
    """
    return _NOT_ASCII.sub(lambda match: _json_escape(match[0]), text)


def _json_escape(character: str) -> str:
    if printable(character) == character:
        return character
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _skill_text(space: SkillSpace, address: str) -> str:
    if space.kind == "none":
        return "none"
    shape = "a direction in" if space.kind == "sphere" else "one-hot,"
    example = control_command(f"skill {_example_skill(space)}", address)
    return f"{shape} {space.size} dimensions, e.g. {example}"


def _goal_text(goal: GoalSpace | None, address: str) -> str:
    if goal is None:
        return "none"
    spans = " x ".join(
        f"{low:g} to {high:g}" for low, high in zip(goal.low, goal.high, strict=True)
    )
    example = control_command(f"goal {_example_goal(goal)}", address)
    return f"{goal.field} within {spans} {goal.unit}, e.g. {example}"


def _example_skill(space: SkillSpace) -> str:
    return " ".join(["1", *["0"] * (space.size - 1)])


def _example_goal(goal: GoalSpace) -> str:
    return " ".join(f"{high:g}" for high in goal.high)


def _estimates_text(context: Context | None) -> str:
    """Lists the estimated and the unidentified quantities; empty without a context."""
    if context is None:
        return ""
    parts: list[str] = []
    if context.estimates:
        parts.append(", ".join(f"{item.name} ({_r2_text(item)})" for item in context.estimates))
    if context.unidentified:
        missing = ", ".join(f"{item.name} ({_r2_text(item)})" for item in context.unidentified)
        parts.append(f"not estimated: {missing}")
    return "; ".join(parts)


def _r2_text(estimate: ContextEstimate) -> str:
    return "R2 not measured" if estimate.log_r2 is None else f"R2 {estimate.log_r2:.2f}"


def state_line(state: Telemetry, manifest: PolicyManifest | None = None) -> str:
    """Summarises a state on one line: mode, lease, command, positions, context.

    Args:
        state: The state.
        manifest: The policy's manifest, for the units of its estimates.
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
    if state.awaited_objects:
        parts.append(f"NO POSE YET: {', '.join(state.awaited_objects)}")
    parts.append(f"end effector {_numbers(state.end_effector_position, 3)} m")
    if state.connection is not None:
        parts.append(_connection_text(state.connection))
    context = _context_text(state, manifest)
    if context:
        parts.append(context)
    if state.not_finite:
        parts.append(f"NOT FINITE: {', '.join(state.not_finite)}")
    return printable("  ".join(parts))


def _connection_text(connection: Connection) -> str:
    """Summarises the connection to a real arm; its counts and reflexes only if there are any."""
    rate = connection.success_rate
    parts = ["connection" if rate is None else f"connection {100 * rate:.0f} %"]
    if connection.missed_setpoints:
        parts.append(f"missed {connection.missed_setpoints}")
    if connection.reflexes:
        parts.append(f"reflexes {connection.reflexes} (last: {', '.join(connection.last_reflex)})")
    return ", ".join(parts)


def _context_text(state: Telemetry, manifest: PolicyManifest | None) -> str:
    """Lists the policy's estimates, or its context, and the distance; empty without a context."""
    known = manifest.context.estimates if manifest and manifest.context else ()
    units = {item.name: _unit(item.unit) for item in known}
    if state.context_estimate:
        estimates = ", ".join(
            f"{_short_name(name)} ?"
            if value is None
            else f"{_short_name(name)} {value:#.3g}{units.get(name, '')}"
            for name, value in state.context_estimate.items()
        )
        parts = [f"estimate: {estimates}"]
    elif state.context is not None:
        parts = [f"context {_numbers(state.context, 2)}"]
    else:
        return ""
    if state.context_distance is not None:
        unusual = " (unusual)" if state.context_distance > 1.0 else ""
        parts.append(f"distance {state.context_distance:.2f}{unusual}")
    if state.outside:
        parts.append("OUTSIDE OF TRAINING")
    return ", ".join(parts)


def _short_name(name: str) -> str:
    """``cube_mass`` is printed as mass, ``cube_table_friction`` as friction."""
    return name.removeprefix("cube_").removeprefix("table_")


def watch_line(
    state: Telemetry, previous: Telemetry | None, manifest: PolicyManifest | None = None
) -> str:
    """Summarises a state on one line, with its time and any event since ``previous``."""
    line = f"{state.time:12.3f}  {state_line(state, manifest)}"
    if previous is None or state.counters == previous.counters:
        return line
    return f"{line}  * {printable(state.last_event)}"


def _unit(unit: str) -> str:
    return "" if unit == "1" else f" {unit}"


def _numbers(values: Sequence[float | None], decimals: int) -> str:
    texts = ("?" if value is None else f"{value:+.{decimals}f}" for value in values)
    return f"[{' '.join(texts)}]"
