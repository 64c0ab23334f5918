"""The card of a policy file: what a reader wants to know before trusting it, in Markdown."""

from __future__ import annotations

from pathlib import Path

from skill_proto.manifest import PolicyManifest
from skill_training.errors import ExportError

METRIC_TEXTS = {
    "moved_share_3cm": "episodes with the cube moved > 3 cm",
    "moved_share_10cm": "episodes with the cube moved > 10 cm",
    "median_displacement_m": "median displacement of the cube [m]",
    "displacement_cells_2cm": "distinct 2 cm cells of displacement per set of skills",
    "octants": "octants of direction reached (of 8)",
    "displacement_r2": "R2 of a linear fit from skill to displacement",
    "direction_consistency": "consistency of direction per skill (0 to 1)",
    "phi_singular_value_ratio": "singular-value ratio of the representation (1 = isotropic)",
    "goal_share_5cm": "goals reached within 5 cm",
    "goal_share_3cm": "goals reached within 3 cm",
    "goal_mean_distance_m": "mean final distance to the goal [m]",
}

LIMITS = """\
- Simulation only: the policy has not been run on a real arm.
- One 4 cm cube on a flat table, the hand closed and pointing down; it pushes, it does not grasp.
- Outside the ranges above nothing is promised. A cube that slides much further than trained ones
  (low friction) overshoots goals; one that is too heavy for the plant's force limit stays put.
- Pushes away from the base are short where the workspace ends.
"""


def write_card(manifest: PolicyManifest, path: Path) -> None:
    """Writes the card of ``manifest`` to ``path``.

    Raises:
        ExportError: the file cannot be written.
    """
    try:
        path.write_text(card(manifest), encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot write the card {path}: {error}") from None


def card(manifest: PolicyManifest) -> str:
    """The card as Markdown."""
    sections = (
        f"# {manifest.name}\n\n{manifest.description}\n",
        _interface(manifest),
        _training(manifest),
        _ranges(manifest),
        _metrics(manifest),
        f"## Limits of use\n\n{LIMITS}",
        f"## Licence\n\n{manifest.license}\n",
    )
    return "\n".join(sections)


def _interface(manifest: PolicyManifest) -> str:
    rows = [
        ("control rate", f"{manifest.control_rate_hz:g} Hz"),
        (
            "observation",
            f"{manifest.observation_size} numbers: " + ", ".join(manifest.observation_names),
        ),
        (
            "action",
            ", ".join(
                f"{part.name} ({part.size}), {part.scale:g} {part.unit} per step at 1, "
                f"{part.frame} frame"
                for part in manifest.action
            ),
        ),
        ("skill", f"{manifest.skill.kind}, {manifest.skill.size} numbers"),
    ]
    goal = manifest.goal
    if goal is not None:
        rows.append(
            (
                "goal",
                f"{goal.field} {list(goal.components)} [{goal.unit}], rests within "
                f"{goal.stop_radius:g} {goal.unit}",
            )
        )
    if manifest.representation is not None:
        phi = manifest.representation
        rows.append(("representation", f"{phi.form} of {', '.join(phi.inputs)}"))
    return "## Interface\n\n" + _table(("", ""), rows)


def _training(manifest: PolicyManifest) -> str:
    origin = manifest.provenance
    libraries = ", ".join(f"{name} {version}" for name, version in origin.versions.items())
    rows = [
        ("command", f"`{origin.command}`"),
        ("code revision", origin.code_revision),
        ("seed", str(origin.seed)),
        ("environment steps", f"{origin.environment_steps:,}"),
        ("gradient steps", f"{origin.gradient_steps:,}"),
        ("wall time", f"{origin.wall_time_s / 60:.1f} min"),
        ("machine", origin.machine),
        ("versions", libraries),
        ("created", origin.created),
    ]
    return "## Training\n\n" + _table(("", ""), rows)


def _ranges(manifest: PolicyManifest) -> str:
    rows = [
        (name.replace("_", " "), _number(item.low), _number(item.high), item.unit)
        for name, item in manifest.trained_on.items()
    ]
    return "## Trained on\n\n" + _table(("quantity", "from", "to", "unit"), rows)


def _metrics(manifest: PolicyManifest) -> str:
    evaluation = manifest.evaluation
    if evaluation is None:
        return "## Evaluation\n\nNone: the run was not finished.\n"
    rows = [
        (METRIC_TEXTS.get(name, name), _number(value)) for name, value in evaluation.metrics.items()
    ]
    return f"## Evaluation\n\n`{evaluation.command}`\n\n" + _table(("metric", "value"), rows)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
