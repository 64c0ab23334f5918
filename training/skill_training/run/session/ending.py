"""Messages for a session that lost work: the checkpoint that is kept, and the next command."""

from __future__ import annotations

import shlex
from pathlib import Path

from skill_training.config import TrainConfig, flat_settings


def resume_command(algorithm: str, path: Path) -> str:
    """Returns the command that continues a run."""
    return shlex.join(["skill-train", algorithm, "--resume", str(path)])


def kept(saved_at: int | None) -> str:
    """Returns a text on the checkpoint that is kept, for messages."""
    if saved_at is None:
        return "there is no earlier checkpoint"
    return f"the checkpoint of environment step {saved_at} is kept"


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
    use = "" if saved_at is None else f" and can be exported: {export}"
    return (
        f"the training diverged: {reason}. Begin a new run with a lower learning rate (now "
        f"{', '.join(rates)}); {kept(saved_at)} in {directory}{use}"
    )


def world_failed(config: TrainConfig, directory: Path, reason: str, saved_at: int | None) -> str:
    """Returns the message for a session whose world fails.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        reason: The failure.
        saved_at: Environment steps of the checkpoint; None without one.
    """
    command = resume_command(config.algorithm_name, directory)
    then = "begin a new run" if saved_at is None else f"continue with: {command}"
    return f"{reason}; {kept(saved_at)}. Correct this, then {then}"


def unsaved(config: TrainConfig, directory: Path, reason: str, saved_at: int | None) -> str:
    """Returns the message for a session whose last checkpoint cannot be written.

    Args:
        config: Configuration of the run.
        directory: Directory of the run.
        reason: The failure to write.
        saved_at: Environment steps of the previous checkpoint; None without one.
    """
    command = resume_command(config.algorithm_name, directory)
    return f"{reason}; {kept(saved_at)}. Free some space, then continue with: {command}"
