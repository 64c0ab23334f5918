"""Runs of ``skill-train`` in this process, and the provenance of a policy that no run trained."""

from __future__ import annotations

import io
from pathlib import Path

from skill_proto.manifest import Provenance
from skill_training.config import TrainConfig, config_to_dict
from skill_training.run import job
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.progress import Progress
from skill_training.run.trainer import Trainer


def start_run(config: TrainConfig, path: Path) -> RunDirectory:
    """Returns the directory of a new run, in which nothing is trained yet."""
    directory = RunDirectory(path)
    job.start_or_continue(directory, config)
    return directory


def train(trainer: Trainer, until: int | None = None, at: int | None = None) -> None:
    """Trains to the end of the run, or stops after the first round that ends at ``until``.

    Args:
        trainer: The trainer, at its start or resumed.
        until: Environment steps from which on the run stops; None for its end.
        at: Environment steps of a resumed trainer; None at the start.
    """

    def stop() -> bool:
        return until is not None and trainer.env_steps >= until

    with (
        MetricsLog(trainer.directory.path, resume_at=at) as log,
        Progress(trainer.config.run.env_steps, stream=io.StringIO()) as progress,
    ):
        assert trainer.run(log, progress, stop) is (until is None)


def provenance(config: TrainConfig | None = None) -> Provenance:
    """Returns the provenance of a policy with random weights."""
    return Provenance(
        command="skill-train",
        code_revision="0",
        seed=0,
        environment_steps=0,
        gradient_steps=0,
        wall_time_s=0.0,
        created="2026-01-01T00:00:00Z",
        machine="",
        versions={},
        config={} if config is None else config_to_dict(config),
    )
