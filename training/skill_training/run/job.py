"""A training job from start to exported policy: create or resume, train, export, write the card.

::

    directory = RunDirectory(Path("logs/mine"))
    start_or_continue(directory, default_config("csf"))
    finished = train(directory)
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from skill_proto.manifest import PolicyManifest, Provenance
from skill_training.config import TrainConfig, config_to_dict
from skill_training.device import matmul_precision, torch_device
from skill_training.errors import (
    CheckpointError,
    ExportError,
    RunDirectoryError,
    TrainingError,
)
from skill_training.export.onnx_file import export_policy
from skill_training.recipes.recipe import RunFacts
from skill_training.recipes.registry import recipe_for
from skill_training.run import checkpoint, provenance
from skill_training.run.card import write_card
from skill_training.run.config_io import shortest_command
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.progress import Progress
from skill_training.run.trainer import Trainer


def start_or_continue(directory: RunDirectory, config: TrainConfig) -> None:
    """Creates the run, or checks that the run in ``directory`` has the same settings.

    Raises:
        ConfigError: the device is not available, or a part of the run cannot be built.
        RunDirectoryError: the directory holds other files, or a run with other settings.
    """
    device = torch_device(config.run.device)
    if directory.has_run:
        directory.check_same(config)
        return
    # Checked first, so that a run that cannot start leaves no directory behind.
    recipe_for(config).check(config)
    directory.create(config, _facts(config, device))


def train(directory: RunDirectory) -> bool:
    """Trains the run in ``directory`` to its end and exports it, or until it is interrupted.

    Ctrl-C and SIGTERM end it after the current round, with a checkpoint. A second Ctrl-C ends it at
    once.

    Returns:
        Whether the run is finished.

    Raises:
        NothingToShipError: the run is finished, and its policy cannot be served.
        TrainingError: the run cannot start, continue or be exported.
    """
    trainer = Trainer(directory.resolved_config(), directory)
    resumes = directory.checkpoint.is_file()
    if resumes:
        trainer.resume()
    if not trainer.finished:
        try:
            if not _run(trainer, resume_at=trainer.env_steps if resumes else None):
                return False
        except OSError as error:
            raise RunDirectoryError(
                f"cannot write to {directory.path}: {error}; correct this, then continue with "
                f"--resume {directory.path}"
            ) from None
    if not directory.policy.is_file():
        export(directory, directory.policy)
    return True


def _run(trainer: Trainer, *, resume_at: int | None) -> bool:
    """Runs the training loop with metrics log, progress display and signal handlers."""
    total, done = trainer.config.run.env_steps, trainer.env_steps
    with (
        MetricsLog(trainer.directory.path, resume_at=resume_at) as log,
        Progress(total, done=min(done, total)) as progress,
        _Interruption.caught() as interruption,
    ):
        return trainer.run(log, progress, interruption.asked)


def export(directory: RunDirectory, path: Path) -> PolicyManifest:
    """Exports the policy in a run's checkpoint, with its card beside it.

    Raises:
        TrainingError: the run does not exist, its checkpoint is unusable, ``path`` does not end in
            .onnx, or the export fails.
    """
    if path.suffix != ".onnx":
        raise ExportError(
            f"{path} is not a name of a policy file, which ends in .onnx, such as "
            "models/csf_panda.onnx"
        )
    config, facts = directory.resolved_config(), directory.facts()
    recipe = recipe_for(config)
    state = checkpoint.load(directory.checkpoint, torch.device("cpu"))
    try:
        graph, manifest = recipe.shipped(config, run_facts(config, facts, state), state["learner"])
    except TrainingError:
        raise
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise CheckpointError(
            f"{directory.checkpoint} does not fit the configuration beside it: {error}"
        ) from None
    export_policy(graph, manifest, path)
    write_card(manifest, recipe.card_notes(config), path.with_suffix(".md"))
    return manifest


def run_facts(config: TrainConfig, facts: dict[str, Any], state: dict[str, Any]) -> RunFacts:
    """Returns the parts of a manifest that are the same for every kind of run.

    Args:
        config: The run's configuration, with the precision of matrix products resolved.
        facts: Content of run.json.
        state: State of the trainer, from a checkpoint.
    """
    origin = Provenance(
        command=shortest_command(config),
        code_revision=facts["code_revision"],
        seed=config.run.seed,
        environment_steps=int(state["env_steps"]),
        gradient_steps=int(state["updates"]),
        wall_time_s=round(float(state["wall_time_s"]), 1),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=facts["machine"],
        versions=facts["versions"],
        config=config_to_dict(config),
    )
    return RunFacts(provenance=origin, metrics=state["final_metrics"] or {})


def open_run(path: Path) -> RunDirectory:
    """Returns the run directory at ``path``.

    Raises:
        RunDirectoryError: there is no run at ``path``.
    """
    if not path.is_dir():
        raise RunDirectoryError(f"there is no directory {path}")
    directory = RunDirectory(path)
    directory.config()
    return directory


def _facts(config: TrainConfig, device: torch.device) -> dict[str, object]:
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "command": shortest_command(config),
        "code_revision": provenance.code_revision(),
        "machine": provenance.machine(accelerator),
        "matmul": matmul_precision(device, config.run.matmul),
        "versions": provenance.versions(),
    }


class _Interruption:
    """Records a signal that asks the process to end."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    def note(self, number: int, frame: FrameType | None) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True

    @classmethod
    @contextmanager
    def caught(cls) -> Generator[_Interruption]:
        """Catches SIGINT and SIGTERM inside the block. Other threads than the main one cannot."""
        interruption = cls()
        if threading.current_thread() is not threading.main_thread():
            yield interruption
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, interruption.note) for number in signals}
        try:
            yield interruption
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
