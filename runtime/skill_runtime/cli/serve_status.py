"""The texts of skill-serve: a banner and a status line."""

from __future__ import annotations

from collections.abc import Sequence

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry, Welcome
from skill_runtime.console.text import (
    control_command,
    example_command,
    state_line,
    welcome_text,
)


def banner(
    welcome: Welcome, commands_address: str, remarks: Sequence[str], public_key: str = ""
) -> str:
    """Describes the server, its addresses, its public key, and the commands to try."""
    examples = [
        example_command(welcome.manifest, commands_address),
        control_command("hello", commands_address),
        control_command("watch", commands_address),
    ]
    lines = [welcome_text(welcome, commands_address), f"{'commands':<11}{commands_address}"]
    if public_key:
        lines.append(f"{'keys':<11}clients need a key; --server-key '{public_key}'")
    lines += [f"{'note':<11}{remark}" for remark in remarks]
    lines.append(f"{'try':<11}" + ", ".join(filter(None, examples)))
    return "\n".join(lines)


def status_line(state: Telemetry, manifest: PolicyManifest | None = None) -> str:
    """Summarises a state on one line: mode, command, positions, context, timing of the loop.

    The two times of a tick and of its wake-up latency are median and 99th percentile.
    """
    timing = state.timing
    execution_ms = timing.execution_time_p50_us / 1e3, timing.execution_time_p99_us / 1e3
    latency_ms = timing.wakeup_latency_p50_us / 1e3, timing.wakeup_latency_p99_us / 1e3
    refused = sum(count for name, count in state.counters.items() if name.startswith("rejected."))
    tail = f"  refused {refused}" if refused else ""
    if state.mode in ("stopped", "fault"):
        tail += f"  {state.last_event}"
    return (
        f"{state_line(state, manifest)}"
        f"  tick {execution_ms[0]:.2f}/{execution_ms[1]:.2f} ms"
        f"  wake-up {latency_ms[0]:.2f}/{latency_ms[1]:.2f} ms"
        f"  overruns {timing.overruns}{tail}"
    )
