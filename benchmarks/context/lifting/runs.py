"""The policies of training runs, those without an encoder included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.context.lifting.episodes import Taken
from skill_robots.worlds.lift.config import LIFT, LiftConfig
from skill_robots.worlds.lift.world import LiftWorld, lift_spec
from skill_runtime.console.flags import UsageError
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.context_scenes import ContextScenes
from skill_training.errors import TrainingError
from skill_training.export.calibration import estimate
from skill_training.recipes.context.config import ContextConfig
from skill_training.recipes.context.quantities import HiddenQuantities
from skill_training.recipes.context.recipe import build_algorithm
from skill_training.run import checkpoint
from skill_training.run.directory import RunDirectory

FULL_STEPS = LiftConfig().episode_steps
"""Control steps of an episode up to the last time of the scores."""


class RunPolicy:
    """The averaged, deterministic policy of a run of the lift; a ``Controller``.

    Args:
        directory: The run.

    Attributes:
        task: The world of the run.

    Raises:
        UsageError: there is no such run, or it is one of another world.
    """

    def __init__(self, directory: Path) -> None:
        run = RunDirectory(directory)
        try:
            config = run.config()
            state = checkpoint.load(run.checkpoint)["learner"]
        except TrainingError as error:
            raise UsageError(str(error)) from None
        if not isinstance(config, ContextConfig) or not isinstance(config.task, LiftConfig):
            raise UsageError(
                f"{directory} is no run of skill-train context --world {LIFT}; name one"
            )
        self.task = config.task
        self._inferred = config.algorithm.knowledge == "inferred"
        self._quantities = HiddenQuantities.from_state_dict(state["quantities"])
        if config.task.episode_steps < FULL_STEPS:
            raise UsageError(
                f"{directory} has episodes of {config.task.episode_steps} steps, and the scores "
                f"need {FULL_STEPS}; name a run without --task.episode-steps"
            )
        spec = lift_spec(config.task)
        cpu = torch.device("cpu")
        self._algorithm: ContextSac = build_algorithm(config, spec, None, None, cpu)
        self._algorithm.load_networks(state["algorithm"])

    def begin(self, world: LiftWorld) -> None:
        """Starts an episode in all scenes."""
        self._scenes = ContextScenes.reset(world, self._algorithm, self._quantities.truth)

    def step(self) -> Taken:
        """Runs one control step."""
        step = self._scenes.step(deterministic=True)
        if not self._inferred:
            return Taken(step.seen, step.result, None, None)
        context = step.context.numpy().astype(np.float64)
        mass = estimate(self._algorithm, step.context)[:, 0]
        return Taken(step.seen, step.result, context, mass)
