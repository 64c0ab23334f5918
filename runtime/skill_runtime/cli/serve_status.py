"""The texts of skill-serve: a list of models, a banner and a status line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry, Welcome
from skill_runtime.console.text import (
    control_command,
    example_command,
    state_line,
    welcome_text,
)

NAME_WIDTH = 22
"""Width of the column of names in the list of models."""

TEXT_WIDTH = 100
"""Width of the list of models."""


def models_text(models: Mapping[str, PolicyManifest]) -> str:
    """Lists models with the first clause of their descriptions, those of an arm first."""
    arms = [name for name, manifest in models.items() if manifest.plant is not None]
    others = [name for name in models if name not in arms]
    lines = ["for skill-serve --model NAME, and for skill-eval:"]
    lines += [_model_line(name, models[name]) for name in arms]
    if others:
        lines.append("without an arm, for skill-eval --model NAME:")
        lines += [_model_line(name, models[name]) for name in others]
    return "\n".join(lines)


def _model_line(name: str, manifest: PolicyManifest) -> str:
    about = re.split(r"[;.](?:\s|$)", " ".join(manifest.description.split()))[0]
    first = f"  {name:<{NAME_WIDTH}}"
    return textwrap.fill(
        about, TEXT_WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
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
