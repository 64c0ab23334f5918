"""A training job from start to exported policy: create or resume, train, export, write the card.

::

    directory = RunDirectory(Path("logs/mine"))
    start_or_continue(directory, default_config("csf"))
    finished = train(directory)
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from skill_robots.worlds.errors import WorldError
from skill_training.config import TrainConfig
from skill_training.device import torch_device
from skill_training.errors import (
    ConfigError,
    DivergedError,
    ExportError,
    NothingToShipError,
    RunDirectoryError,
    UnsavedError,
    WorldFailedError,
)
from skill_training.recipes.checks import check_gradient_steps
from skill_training.recipes.registry import recipe_for
from skill_training.run.best import check_keep_best
from skill_training.run.config_io import shortest_command
from skill_training.run.directory import EXPORTED, RunDirectory, new_directory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.policy_export import write_policy
from skill_training.run.progress import Progress
from skill_training.run.session import changes as session_changes
from skill_training.run.session import ending, record
from skill_training.run.session.interruption import Interruption
from skill_training.run.session.physics_warnings import physics_warnings_logged
from skill_training.run.trainer import Trainer

logger = logging.getLogger(__name__)

AnyDirectory = RunDirectory | Path | str
"""A run directory, or its path."""


def start(config: TrainConfig) -> RunDirectory:
    """Creates a run in a directory of its own below ``logs``.

    Raises:
        ConfigError: the device is not available, or a part of the run cannot be built.
        RunDirectoryError: the directory cannot be written.
    """
    facts = _facts(config)
    directory = new_directory(config)
    directory.create(config, facts)
    return directory


def start_or_continue(directory: AnyDirectory, config: TrainConfig) -> None:
    """Creates the run, or checks that the run in ``directory`` has the same settings.

    Raises:
        ConfigError: the device is not available, or a part of the run cannot be built.
        RunDirectoryError: the directory holds other files, or a run with other settings.
    """
    directory = _opened(directory)
    if directory.has_run:
        directory.check_same(config)
        return
    directory.create(config, _facts(config))


def train(
    directory: AnyDirectory,
    changes: Mapping[str, Any] | None = None,
    interruption: Interruption | None = None,
) -> bool:
    """Trains the run in ``directory`` to its end and exports it, or until it is interrupted.

    A signal that would end the process (Ctrl-C, SIGTERM, SIGHUP ...) ends the training after the
    current round, with a checkpoint. A second Ctrl-C ends it at once.

    Args:
        directory: A run directory. No other process may train in it.
        changes: Run settings that change from now on, such as ``{"env_steps": 3_200_000}``. Only
            those of :data:`skill_training.run.session.changes.CHANGEABLE` can.
        interruption: Signals that the caller catches. Default: they are caught here.

    Returns:
        Whether the run is finished.

    Raises:
        NothingToShipError: the run is finished, and its policy cannot be served.
        LostResultError: the training diverged, or its last checkpoint or its policy cannot be
            written.
        TrainingError: the run cannot start, continue or be exported.
    """
    directory = _opened(directory)
    directory.config()  # refuses a directory without a run
    with (
        directory.writing(),
        Interruption.caught() if interruption is None else nullcontext(interruption) as asked,
        physics_warnings_logged(),
    ):
        try:
            return _train(directory, dict(changes or {}), asked)
        except Interruption:
            return False


def _train(directory: RunDirectory, changes: dict[str, Any], interruption: Interruption) -> bool:
    config = session_changes.changed(directory.resolved_config(), changes)
    check_keep_best(config, recipe_for(config))
    trainer = Trainer(config, directory)
    try:
        return _train_with(trainer, changes, interruption)
    finally:
        trainer.learner.close()


def _train_with(trainer: Trainer, changes: dict[str, Any], interruption: Interruption) -> bool:
    config, directory = trainer.config, trainer.directory
    if directory.checkpoint.is_file():
        trainer.resume()
    elif directory.is_finished:
        raise RunDirectoryError(
            f"{directory.path} holds a finished run without {directory.checkpoint.name}, which "
            "continuing needs; restore that file, or begin a run in another --run-dir"
        )
    if "env_steps" in changes and config.run.env_steps < trainer.env_steps:
        raise ConfigError(
            f"--env-steps {config.run.env_steps} is less than the {trainer.env_steps} environment "
            f"steps that the run in {directory.path} has; give more"
        )
    _check_gradient_step(trainer)
    trains = not trainer.finished
    if trains and not _session_or_reason(trainer, changes, interruption):
        return False
    facts = directory.facts()
    if not directory.policy.is_file() or facts.get(EXPORTED, trainer.env_steps) is None:
        exported = {**facts, EXPORTED: trainer.env_steps}
        try:
            with interruption.at_once():
                _export(trainer, trained_here=trains)
        except NothingToShipError:  # by design, so the run is finished all the same
            _note(directory, exported)
            raise
        _note(directory, exported)
    return True


def _check_gradient_step(trainer: Trainer) -> None:
    """Refuses a run that would end untrained, e.g. after a session that made it shorter.

    Raises:
        ConfigError: the run has no gradient step, and none is due until its end.
    """
    if trainer.updates:
        return
    run = trainer.config.run
    check_gradient_steps(run, episode_steps=trainer.learner.steps_per_round // run.n_envs)


def _session_or_reason(
    trainer: Trainer, changes: dict[str, Any], interruption: Interruption
) -> bool:
    """Runs a session, and explains the failures of its world and of its directory.

    Raises:
        WorldFailedError: the world fails.
        RunDirectoryError: the directory cannot be written.
    """
    directory = trainer.directory
    try:
        return _session(trainer, changes, interruption)
    except WorldError as error:
        raise WorldFailedError(
            ending.world_failed(trainer.config, directory.path, str(error), trainer.saved_at)
        ) from error
    except OSError as error:
        if not directory.path.is_dir():
            raise RunDirectoryError(ending.gone(directory.path)) from None
        raise RunDirectoryError(
            f"cannot write to {directory.path}: {error}; {ending.remedy(error)}, then continue "
            f"with --resume {directory.path}"
        ) from None


def _export(trainer: Trainer, *, trained_here: bool) -> None:
    """Writes the policy of a finished run to its directory.

    Raises:
        NothingToShipError: the policy cannot be served.
        UnsavedError: the policy cannot be exported.
    """
    directory = trainer.directory
    try:
        write_policy(directory, directory.policy, trained_here=trained_here)
    except NothingToShipError:
        raise
    except ExportError as error:
        raise UnsavedError(
            ending.unexported(trainer.config, directory.path, str(error), trainer.saved_at)
        ) from None


def _note(directory: RunDirectory, facts: record.Facts) -> None:
    """Writes facts without which the run can go on. Without a directory there is no place."""
    if not directory.path.is_dir():
        return
    try:
        directory.write_facts(facts)
    except RunDirectoryError as error:
        logger.warning("the end of this session is not recorded: %s", error)


def _session(trainer: Trainer, changes: dict[str, Any], interruption: Interruption) -> bool:
    """Runs one session of the training loop, and notes it in run.json.

    Returns:
        Whether the run is finished.
    """
    directory, run = trainer.directory, trainer.config.run
    facts = directory.facts() | {EXPORTED: None}
    session = record.began(run, trainer.device, trainer.saved_at or 0, changes)
    if "matmul" in facts or "matmul" in changes:
        facts["matmul"] = session["matmul"]
    is_first = trainer.saved_at is None and "sessions" not in facts
    facts["sessions"] = [*([] if is_first else record.sessions(facts)), session]
    directory.write_facts(facts)
    directory.write_config(session_changes.changed(directory.config(), changes))
    end = "failed"
    try:
        end = "finished" if _run(trainer, interruption) else "stopped"
    except DivergedError:
        end = "diverged"
        raise
    finally:
        if interruption.signal is not None and end != "finished":
            end = interruption.signal.name
        session |= {"ended": record.now(), "env_steps": trainer.env_steps, "end": end}
        _note(directory, facts)
    return end == "finished"


def _run(trainer: Trainer, interruption: Interruption) -> bool:
    """Runs the training loop with metrics log and progress display."""
    total, done = trainer.config.run.env_steps, trainer.env_steps
    with (
        MetricsLog(trainer.directory.path, resume_at=trainer.saved_at) as log,
        Progress(total, done=min(done, total)) as progress,
    ):
        return trainer.run(log, progress, interruption.asked, interruption.at_once)


def open_run(path: Path | str) -> RunDirectory:
    """Returns the run directory at ``path``.

    Raises:
        RunDirectoryError: there is no run at ``path``.
    """
    directory = RunDirectory(path)
    if not directory.path.is_dir():
        raise RunDirectoryError(f"there is no directory {path}")
    directory.config()
    return directory


def _opened(directory: AnyDirectory) -> RunDirectory:
    return directory if isinstance(directory, RunDirectory) else RunDirectory(directory)


def _facts(config: TrainConfig) -> record.Facts:
    """Returns the facts of a new run, after the checks that it can start.

    Raises:
        ConfigError: the device is not available, or a part of the run cannot be built.
    """
    device = torch_device(config.run.device)
    # Checked first, so that a run that cannot start leaves no directory behind.
    recipe = recipe_for(config)
    check_keep_best(config, recipe)
    recipe.check(config)
    remarks = list(recipe.remarks(config))
    return {
        "command": shortest_command(config),
        **({"remarks": remarks} if remarks else {}),
        **record.trainer_facts(config.run, device),
    }
