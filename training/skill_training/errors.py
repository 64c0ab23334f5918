"""Errors that a user of the training program can act on. The CLI prints only their message.

TrainingError
 ├── ConfigError        a setting, or a combination of settings, cannot work
 ├── CheckpointError    a checkpoint cannot be read, or does not fit the run
 ├── RunDirectoryError  a run directory is missing, incomplete, in use or of another run
 ├── LostResultError    a training ended without its result
 │    ├── DivergedError      a loss, a parameter or an action is not finite
 │    ├── WorldFailedError   the world of a training fails
 │    └── UnsavedError       the last checkpoint or the policy could not be written
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
    """A run directory is missing, incomplete, in use, or holds another run."""


class LostResultError(TrainingError):
    """A training ended without its result; the last good checkpoint is kept."""


class DivergedError(LostResultError):
    """A loss, a parameter or an action of a training is not finite."""


class WorldFailedError(LostResultError):
    """The world of a training fails, such as an environment that raises an error."""


class UnsavedError(LostResultError):
    """A training ended, and its last checkpoint or its policy could not be written."""


class ExportError(TrainingError):
    """A policy file or card cannot be written, or the file differs from the network."""


class NothingToShipError(ExportError):
    """A run's policy cannot be served by design, e.g. a policy that needs the true context.

    Training ends successfully without a policy file; a requested export is refused.
    """
