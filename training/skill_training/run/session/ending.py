"""Messages for a session that lost work: the checkpoint that is kept, and the next command."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path

from skill_training.config import TrainConfig, flat_settings

CHECKPOINT = "checkpoint.pt"
"""File of the checkpoint in a run directory."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk or a quota that is full."""


def resume_command(algorithm: str, path: Path) -> str:
    """Returns the command that continues a run."""
    return shlex.join(["skill-train", algorithm, "--resume", str(path)])


def kept(directory: Path, saved_at: int | None) -> str:
    """Returns a text on the checkpoint that is kept, for messages.

    Args:
        directory: Directory of the run.
        saved_at: Environment steps of the last checkpoint; None without one.
    """
    if saved_at is None:
        return "there is no earlier checkpoint"
    if not _is_kept(directory, saved_at):
        return f"the checkpoint of environment step {saved_at} is gone"
    return f"the checkpoint of environment step {saved_at} is kept"


def remedy(error: BaseException) -> str:
    """Returns what to do about a failure to write, for messages.

    Args:
        error: The failure, or an error that it caused.
    """
    cause = error if isinstance(error, OSError) else error.__cause__
    is_full = isinstance(cause, OSError) and cause.errno in _FULL
    return "free some space" if is_full else "correct this"


def gone(directory: Path) -> str:
    """Returns the message for a session whose run directory was deleted."""
    return (
        f"the run directory {directory} is gone, and nothing of the run is kept; begin a new run, "
        "in a directory that stays"
    )


def diverged(config: TrainConfig, directory: Path, reason: str, saved_at: int | None) -> str:
    """Returns the message for a training that diverged.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        reason: The number that is not finite.
        saved_at: Environment steps of the checkpoint; None without one.
    """
    rates = [
        f"--{config.algorithm_name}.{path.removeprefix('algorithm.').replace('_', '-')} {value:g}"
        for path, value in flat_settings(config).items()
        if path.endswith("learning_rate") and value is not None
    ]
    export = shlex.join(["skill-train", "export", str(directory), "--out", "policy.onnx"])
    is_kept = _is_kept(directory, saved_at)
    use = f" in {directory} and can be exported: {export}" if is_kept else ""
    return (
        f"the training diverged: {reason}. Begin a new run with a lower learning rate (now "
        f"{', '.join(rates)}); {kept(directory, saved_at)}{use}"
    )


def world_failed(config: TrainConfig, directory: Path, reason: str, saved_at: int | None) -> str:
    """Returns the message for a session whose world fails.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        reason: The failure.
        saved_at: Environment steps of the checkpoint; None without one.
    """
    then = _next(config, directory, saved_at, "continue")
    return f"{reason}; {kept(directory, saved_at)}. Correct this, then {then}"


def unsaved(
    config: TrainConfig, directory: Path, error: BaseException, saved_at: int | None
) -> str:
    """Returns the message for a session whose last checkpoint cannot be written.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        error: The failure to write.
        saved_at: Environment steps of the previous checkpoint; None without one.
    """
    # A run without a checkpoint goes on too, from its start.
    then = f"continue with: {resume_command(config.algorithm_name, directory)}"
    return f"{error}; {kept(directory, saved_at)}. {remedy(error).capitalize()}, then {then}"


def unexported(config: TrainConfig, directory: Path, reason: str, saved_at: int | None) -> str:
    """Returns the message for a finished run whose policy cannot be exported.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        reason: The failure to export.
        saved_at: Environment steps of the checkpoint.
    """
    then = _next(config, directory, saved_at, "export it again")
    return f"{reason}; {kept(directory, saved_at)}. {then[0].upper()}{then[1:]}"


def _next(config: TrainConfig, directory: Path, saved_at: int | None, verb: str) -> str:
    """Returns the next command, with which a kept checkpoint is used."""
    if not _is_kept(directory, saved_at):
        return "begin a new run"
    return f"{verb} with: {resume_command(config.algorithm_name, directory)}"


def _is_kept(directory: Path, saved_at: int | None) -> bool:
    return saved_at is not None and (directory / CHECKPOINT).is_file()
