"""Offline training of robot skills; the only package that imports torch.

Layers from top to bottom; each imports only those below it:

- ``entry``, ``cli``: the command ``skill-train``.
- ``run``: a training run from its directory to the exported policy.
- ``recipes``: kinds of runs.
- ``export``: policies as ONNX files.
- ``collection``: episodes in simulated scenes.
- ``algorithms``: losses and gradient steps.
- ``context``: contrastive learning of a context.
- ``data``: replay.
- ``nets``: networks.
- ``flag_errors``: messages for out-of-range flags.
- ``config``, ``device``, ``seeding``, ``words``, ``errors``: basics.

The names in ``__all__`` are imported on first use, so that ``skill_training.entry`` works without
torch. A run from a program::

    run = skill_training.start(skill_training.default_config("csf"))
    skill_training.train(run)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skill_training.algorithms.context_sac import ContextSac
    from skill_training.algorithms.context_sac_config import ContextSacConfig
    from skill_training.algorithms.csf import Csf, CsfConfig
    from skill_training.algorithms.metra import Metra, MetraConfig
    from skill_training.config import RunSettings, TrainConfig
    from skill_training.context.objective import ContrastiveConfig
    from skill_training.data.episodes import EpisodeReplay, Episodes
    from skill_training.data.goal_task import GoalTask
    from skill_training.data.replay import Batch, ReplayBuffer
    from skill_training.errors import (
        DivergedError,
        NothingToShipError,
        TrainingError,
        UnsavedError,
    )
    from skill_training.export.graph import PolicyGraph
    from skill_training.export.onnx_file import export_policy
    from skill_training.nets.encoder import EncoderConfig
    from skill_training.nets.representation import RepresentationConfig
    from skill_training.recipes.recipe import Learner, Recipe
    from skill_training.recipes.registry import default_config
    from skill_training.run.directory import RunDirectory
    from skill_training.run.job import open_run, start, start_or_continue, train

__all__ = [
    "Batch",
    "ContextSac",
    "ContextSacConfig",
    "ContrastiveConfig",
    "Csf",
    "CsfConfig",
    "DivergedError",
    "EncoderConfig",
    "EpisodeReplay",
    "Episodes",
    "GoalTask",
    "Learner",
    "Metra",
    "MetraConfig",
    "NothingToShipError",
    "PolicyGraph",
    "Recipe",
    "ReplayBuffer",
    "RepresentationConfig",
    "RunDirectory",
    "RunSettings",
    "TrainConfig",
    "TrainingError",
    "UnsavedError",
    "default_config",
    "export_policy",
    "open_run",
    "start",
    "start_or_continue",
    "train",
]

_MODULES = {
    "Batch": "data.replay",
    "ContextSac": "algorithms.context_sac",
    "ContextSacConfig": "algorithms.context_sac_config",
    "ContrastiveConfig": "context.objective",
    "Csf": "algorithms.csf",
    "CsfConfig": "algorithms.csf",
    "DivergedError": "errors",
    "EncoderConfig": "nets.encoder",
    "EpisodeReplay": "data.episodes",
    "Episodes": "data.episodes",
    "GoalTask": "data.goal_task",
    "Learner": "recipes.recipe",
    "Metra": "algorithms.metra",
    "MetraConfig": "algorithms.metra",
    "NothingToShipError": "errors",
    "PolicyGraph": "export.graph",
    "Recipe": "recipes.recipe",
    "ReplayBuffer": "data.replay",
    "RepresentationConfig": "nets.representation",
    "RunDirectory": "run.directory",
    "RunSettings": "config",
    "TrainConfig": "config",
    "TrainingError": "errors",
    "UnsavedError": "errors",
    "default_config": "recipes.registry",
    "export_policy": "export.onnx_file",
    "open_run": "run.job",
    "start": "run.job",
    "start_or_continue": "run.job",
    "train": "run.job",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
