"""The card of a policy file in Markdown: interface, training, evaluation and limits of use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skill_proto.files.atomic_file import replace_text
from skill_proto.manifest import ActionPart, PolicyManifest, Provenance
from skill_training.errors import ExportError
from skill_training.export.compatibility import DEFAULT_OPSET, file_format
from skill_training.recipes.recipe import CardNotes


def write_card(
    manifest: PolicyManifest, notes: CardNotes, path: Path, opset: int = DEFAULT_OPSET
) -> None:
    """Writes the card of ``manifest`` to ``path``.

    Raises:
        ExportError: the file cannot be written.
    """
    try:
        replace_text(path, card(manifest, notes, opset))
    except OSError as error:
        raise ExportError(f"cannot write the card {path}: {error}") from None


def card(manifest: PolicyManifest, notes: CardNotes, opset: int = DEFAULT_OPSET) -> str:
    """Returns the card as Markdown."""
    limits = notes.limits + ("" if manifest.goal is None else notes.goal_limits)
    sections = (
        f"# {manifest.name}\n\n{manifest.description}\n",
        _interface(manifest, opset),
        *_selection_of_inputs(manifest),
        _training(manifest),
        _ranges(manifest),
        _metrics(manifest, notes.metric_texts),
        *(f"## {heading}\n\n{text}" for heading, text in notes.sections.items()),
        f"## Limits of use\n\n{limits}",
        f"## Licence\n\n{manifest.license}\n",
    )
    return "\n".join(sections)


def _interface(manifest: PolicyManifest, opset: int) -> str:
    rows = [
        ("file", file_format(opset)),
        ("control rate", f"{manifest.control_rate_hz:g} Hz"),
        (
            "observation",
            f"{manifest.observation_size} numbers: " + ", ".join(manifest.observation_names),
        ),
        (
            "action",
            ", ".join(_action(part) for part in manifest.action),
        ),
    ]
    if manifest.skill.size:
        rows.append(("skill", f"{manifest.skill.kind}, {manifest.skill.size} numbers"))
    goal = manifest.goal
    if goal is not None:
        rows.append(
            (
                "goal",
                f"{goal.field} {list(goal.components)} [{goal.unit}], reached within "
                f"{goal.stop_radius:g} {goal.unit}",
            )
        )
    if manifest.representation is not None:
        phi = manifest.representation
        rows.append(("representation", f"{phi.form} of {', '.join(phi.inputs)}"))
    return "## Interface\n\n" + _table(("", ""), [*rows, *_recurrent_state(manifest)])


def _selection_of_inputs(manifest: PolicyManifest) -> tuple[str, ...]:
    """Returns the section of the test that selected the inputs of the representation."""
    phi = manifest.representation
    if phi is None or not phi.action_r2:
        return ()
    rows = [
        (name, f"{r2:.2f}", "yes" if name in phi.inputs else "no")
        for name, r2 in phi.action_r2.items()
    ]
    return (
        "## Inputs of the representation\n\n"
        "R2 by which the last actions explain the change of an entry in a control step, with\n"
        "random actions before the training. The representation has the entries with a small R2:\n"
        "the actions do not drive them directly.\n\n" + _table(("entry", "R2", "input"), rows),
    )


def _action(part: ActionPart) -> str:
    """Returns name, size and physical value of one part of the action."""
    name, unit = f"{part.name} ({part.size})", "" if part.unit == "1" else f" {part.unit}"
    if part.name == "actuator_command":
        return f"{name}, {'; '.join(_bounds(part))}{unit}"
    if part.name == "gripper_width":
        return f"{name}, 0 to {part.max_scale:g}{unit}"
    scales = part.scale if isinstance(part.scale, tuple) else (part.scale,)
    most = ", ".join(f"{scale:g}" for scale in scales)
    return f"{name}, {most}{unit} per step at 1, {part.frame} frame"


def _bounds(part: ActionPart) -> list[str]:
    """Returns the least and largest value of each entry; of one, if all are equal."""
    scales = np.broadcast_to(part.scale, part.size)
    offsets = np.broadcast_to(part.offset, part.size)
    texts = [f"{o - s:g} to {o + s:g}" for s, o in zip(scales, offsets, strict=True)]
    return texts[:1] if len(set(texts)) == 1 else texts


def _recurrent_state(manifest: PolicyManifest) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if manifest.recurrent:
        shapes = ", ".join(
            f"{state.name} {list(state.shape)}, trained for {state.trained_horizon_steps} steps "
            f"({state.beyond_horizon})"
            for state in manifest.recurrent
        )
        rows.append(("recurrent state", shapes))
    if manifest.context is not None:
        rows.append(("context", f"{manifest.context.size} numbers"))
        rows += [
            (
                f"estimate of {estimate.name.replace('_', ' ')}",
                f"[{estimate.unit}], R2 of its logarithm {_number(estimate.log_r2)}",
            )
            for estimate in manifest.context.estimates
        ]
        rows += [
            (f"not estimated: {estimate.name.replace('_', ' ')}", _unidentified(estimate.log_r2))
            for estimate in manifest.context.unidentified
        ]
    return rows


def _unidentified(log_r2: float | None) -> str:
    if log_r2 is None:
        return "constant or not positive in the held-out episodes: R2 of its logarithm is undefined"
    return f"not identifiable from the context: R2 of its logarithm would be {_number(log_r2)}"


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
        *_matrix_products(origin),
        ("versions", libraries),
        ("created", origin.created),
    ]
    return "## Training\n\n" + _table(("", ""), rows)


def _matrix_products(origin: Provenance) -> list[tuple[str, str]]:
    """Returns the row on matrix products; no row if the run did not record their precision."""
    precision = origin.config.get("run", {}).get("matmul", "auto")
    return [] if precision == "auto" else [("matrix products", f"{precision} inputs")]


def _ranges(manifest: PolicyManifest) -> str:
    rows = [
        (name.replace("_", " "), _number(item.low), _number(item.high), item.unit)
        for name, item in manifest.trained_on.items()
    ]
    if not rows:
        return "## Trained on\n\nNo quantity varied between episodes.\n"
    return "## Trained on\n\n" + _table(("quantity", "from", "to", "unit"), rows)


def _metrics(manifest: PolicyManifest, texts: Mapping[str, str]) -> str:
    evaluation = manifest.evaluation
    if evaluation is None:
        return "## Evaluation\n\nNot evaluated: the run was not finished.\n"
    rows = [(texts.get(name, name), _number(value)) for name, value in evaluation.metrics.items()]
    return f"## Evaluation\n\n`{evaluation.command}`\n\n" + _table(("metric", "value"), rows)


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4g}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
