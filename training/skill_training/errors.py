"""Errors that a user of the training program can act on. The CLI prints only their message.

TrainingError
 ├── ConfigError        a setting, or a combination of settings, cannot work
 ├── CheckpointError    a checkpoint cannot be read, or does not fit the run
 ├── RunDirectoryError  a run directory is missing, incomplete or of another run
 └── ExportError        a policy file or card cannot be written, or differs from the network
      └── NothingToShipError  the policy of a finished run cannot be served by design
"""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Base of all errors here. Messages state the problem, the expectation and the fix."""


class ConfigError(TrainingError):
    """A setting, or a combination of settings, cannot work."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or does not fit the run."""


class RunDirectoryError(TrainingError):
    """A run directory is missing, incomplete, or holds another run."""


class ExportError(TrainingError):
    """A policy file or card cannot be written, or the file differs from the network."""


class NothingToShipError(ExportError):
    """A run's policy cannot be served by design, e.g. a policy that needs the true context.

    Training ends successfully without a policy file; a requested export is refused.
    """
