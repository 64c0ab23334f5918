"""The policy of a run's checkpoint as a policy file with its card."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from skill_proto.manifest import PolicyManifest, Provenance
from skill_proto.validation_text import describe_errors
from skill_training.config import TrainConfig, config_to_dict
from skill_training.errors import CheckpointError, ExportError, TrainingError
from skill_training.export.compatibility import DEFAULT_OPSET, LEAST_RUNTIME, OPSETS
from skill_training.export.onnx_file import diverged, export_policy
from skill_training.nets.finite import NotFiniteError
from skill_training.recipes.recipe import RunFacts
from skill_training.recipes.registry import recipe_for
from skill_training.run import checkpoint
from skill_training.run.best import exported, selection
from skill_training.run.card import write_card
from skill_training.run.config_io import shortest_command
from skill_training.run.directory import RunDirectory
from skill_training.run.session import record

OWN_NAME = "policy"
"""Stem of the policy file in a run's directory."""

MAX_NAME = 128
"""Characters of a policy's name."""


def export(directory: RunDirectory, path: Path, *, opset: int = DEFAULT_OPSET) -> PolicyManifest:
    """Exports the policy in a run's checkpoint, with its card beside it.

    The policy is named after the file; ``policy.onnx`` has the name that its training gave it.

    The run may be in training, if ``path`` is not in its directory.

    Raises:
        TrainingError: the run does not exist, its checkpoint is unusable, ``path`` does not end in
            .onnx or is in the directory of a run in training, or the export fails.
    """
    if path.suffix != ".onnx":
        raise ExportError(
            f"{path} is not a name of a policy file, which ends in .onnx, such as "
            "models/csf_panda.onnx"
        )
    if opset not in OPSETS:
        raise ExportError(
            f"--opset takes {OPSETS[0]} to {OPSETS[-1]}, got {opset}; ONNX Runtime "
            f"{LEAST_RUNTIME} and newer run all of them"
        )
    target = RunDirectory(path.parent)
    with target.writing("exports a policy") if target.has_run else nullcontext():
        return write_policy(directory, path, opset=opset)


def write_policy(
    directory: RunDirectory,
    path: Path,
    *,
    trained_here: bool = False,
    opset: int = DEFAULT_OPSET,
) -> PolicyManifest:
    """Writes a policy file and its card.

    Args:
        directory: The run.
        path: The policy file.
        trained_here: Whether this process trained the policy. Otherwise its revision, machine and
            versions are added to those of the training.
        opset: Operator set of ONNX.

    Raises:
        TrainingError: the checkpoint is unusable, or the export fails.
    """
    config, facts = directory.resolved_config(), directory.facts()
    recipe = recipe_for(config)
    state = checkpoint.load(directory.checkpoint, torch.device("cpu"))
    chosen = exported(state)
    exporter = None if trained_here else record.software_and_machine()
    try:
        known = run_facts(config, facts, state, exporter)
        graph, manifest = recipe.shipped(config, known, chosen["learner"])
    except TrainingError:
        raise
    except NotFiniteError as error:
        raise diverged(error) from None
    except ValidationError as error:
        raise ExportError(
            f"the policy of {directory.path} has no valid manifest: {describe_errors(error)}"
        ) from None
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"{directory.checkpoint} does not fit the configuration beside it: {error}"
        ) from None
    if path.stem != OWN_NAME:
        manifest = manifest.model_copy(update={"name": path.stem[:MAX_NAME]})
    export_policy(graph, manifest, path, opset)
    notes = recipe.card_notes(config)
    notes = replace(notes, sections={**selection(state), **notes.sections})
    write_card(manifest, notes, path.with_suffix(".md"), opset)
    return manifest


def run_facts(
    config: TrainConfig,
    facts: dict[str, Any],
    state: dict[str, Any],
    exporter: record.Facts | None = None,
) -> RunFacts:
    """Returns the parts of a manifest that are the same for every kind of run.

    Args:
        config: The run's configuration, with the precision of matrix products resolved.
        facts: Content of run.json.
        state: State of the trainer, from a checkpoint.
        exporter: Revision, machine and versions of another process that exports the policy.
    """
    origin = record.origin(facts, exporter)
    chosen = exported(state)
    return RunFacts(
        provenance=Provenance(
            command=shortest_command(config),
            code_revision=origin.code_revision,
            seed=config.run.seed,
            environment_steps=int(chosen["env_steps"]),
            gradient_steps=int(chosen["updates"]),
            wall_time_s=round(float(state["wall_time_s"]), 1),
            created=record.now(),
            machine=origin.machine,
            versions=origin.versions,
            config=config_to_dict(config),
        ),
        metrics=state["final_metrics"] or {},
    )
