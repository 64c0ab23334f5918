"""The settings and the table of scores in a world."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from skill_robots.worlds.registry import ConfigWithSets, WorldConfig
from skill_robots.worlds.world import WorldSpec
from skill_runtime.evaluation.report import title


def world_settings(config: WorldConfig, spec: WorldSpec) -> dict[str, Any]:
    """Returns name, length of an episode, coordinates and hidden quantities of the world."""
    return {
        "world": spec.name,
        "episode_steps": spec.episode_steps,
        **_coordinates(spec),
        **_hidden(config, spec),
    }


def table(report: Mapping[str, Any], metrics: Mapping[str, float | None], rollouts: str) -> str:
    """Returns the table; ``rollouts`` is the noun for those without a goal."""
    width = max(len(name) for name in metrics)
    lines = [
        title(report),
        f"{report['world']}: {report['skills']} {rollouts} of {report['episode_steps']} "
        f"steps, {report['goals']} goals, seed {report['seed']}, {report['wall_time_s']:.1f} s",
        *_hidden_lines(report),
        "",
    ]
    lines += [f"  {name:<{width}}  {_number(value):>10}" for name, value in metrics.items()]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _coordinates(spec: WorldSpec) -> dict[str, Any]:
    """Returns the quantities that coverage is about; the list may be empty."""
    if spec.coordinates is None:
        return {"coordinates": []}
    return {
        "coordinates": list(spec.coordinates.names),
        "unit": spec.coordinates.unit,
        "cell": spec.coordinates.cell,
    }


def _hidden(config: WorldConfig, spec: WorldSpec) -> dict[str, Any]:
    """Returns the set of contexts and the ranges of the hidden quantities."""
    ranges = {one.name: (one.low, one.high) for one in spec.hidden}
    if not ranges:
        return {}
    found: dict[str, Any] = {"hidden": ranges}
    if isinstance(config, ConfigWithSets):
        found["contexts"] = config.contexts
    return found


def _hidden_lines(report: Mapping[str, Any]) -> list[str]:
    """Returns the lines of the table about hidden quantities."""
    ranges: dict[str, tuple[float | None, float | None]] = report.get("hidden", {})
    if not ranges:
        return []
    quantities = (
        name if low is None or high is None else f"{name} {low:g} to {high:g}"
        for name, (low, high) in ranges.items()
    )
    kind = f" ({report['contexts']})" if "contexts" in report else ""
    return textwrap.wrap(f"hidden{kind}: {', '.join(quantities)}", 96, subsequent_indent="  ")
