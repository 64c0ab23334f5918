"""Errors a user of the training program can act on; the CLI shows their message alone.

TrainingError
 ├── ConfigError        a setting, or a combination of settings, that cannot work
 ├── CheckpointError    a checkpoint that cannot be read or does not fit
 ├── RunDirectoryError  a run directory that is missing, incomplete or of another run
 └── ExportError        a policy file or card that cannot be written, or does not do what it should
      └── NothingToShipError  a finished run whose policy no program could serve
"""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Base of every error here; the message says what was wrong, what was expected, the fix."""


class ConfigError(TrainingError):
    """A setting, or a combination of settings, cannot work."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or is not of this run."""


class RunDirectoryError(TrainingError):
    """A run directory is missing, incomplete, or holds another run."""


class ExportError(TrainingError):
    """A policy file or card cannot be written, or the file does not do what the network does."""


class NothingToShipError(ExportError):
    """A run's policy cannot be served by design, such as one that is told what nobody can know.

    Training ends well without a policy file; an export that is asked for is refused.
    """
