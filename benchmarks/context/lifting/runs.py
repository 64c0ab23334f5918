"""The policies of training runs, those without an encoder included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from skill_proto.arrays import Array
from skill_robots.worlds.lift.config import LIFT, LiftConfig
from skill_robots.worlds.lift.world import LiftWorld, lift_spec
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import infer
from skill_training.errors import TrainingError
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
        SystemExit: there is no such run, or it is one of another world.
    """

    def __init__(self, directory: Path) -> None:
        run = RunDirectory(directory)
        try:
            config = run.config()
            state = checkpoint.load(run.checkpoint)["learner"]
        except TrainingError as error:
            raise SystemExit(str(error)) from None
        if not isinstance(config, ContextConfig) or not isinstance(config.task, LiftConfig):
            raise SystemExit(
                f"{directory} is no run of skill-train context --world {LIFT}; name one"
            )
        self.task = config.task
        self._inferred = config.algorithm.knowledge == "inferred"
        self._quantities = HiddenQuantities.from_state_dict(state["quantities"])
        if config.task.episode_steps < FULL_STEPS:
            raise SystemExit(
                f"{directory} has episodes of {config.task.episode_steps} steps, and the scores "
                f"need {FULL_STEPS}; name a run without --task.episode-steps"
            )
        spec = lift_spec(config.task)
        cpu = torch.device("cpu")
        self._algorithm: ContextSac = build_algorithm(config, spec, None, None, cpu)
        self._algorithm.load_networks(state["algorithm"])

    def reset(self, world: LiftWorld) -> None:
        """Begins an episode in all scenes."""
        self._state = self._algorithm.encoder.initial_state(world.n)
        self._previous = torch.zeros(world.n, world.spec.action_size)
        self._context = torch.zeros(world.n, self._algorithm.config.encoder.size)

    @torch.no_grad()
    def act(self, observation: Array, world: LiftWorld) -> Array:
        """Returns actions ``(n, 2)``."""
        seen = torch.as_tensor(observation, dtype=torch.float32)
        truth = torch.as_tensor(self._quantities.truth(world.hidden()), dtype=torch.float32)
        given = (self._algorithm, seen, self._previous, truth, self._state)
        self._context, self._state = infer(*given, deterministic=True)
        no_goal = seen[:, :0]
        self._previous = self._algorithm.act(seen, no_goal, self._context, deterministic=True)
        return self._previous.numpy().astype(np.float64)

    def context(self) -> Array | None:
        """Returns the contexts ``(n, C)``; None for a policy without an encoder."""
        return self._context.numpy().astype(np.float64) if self._inferred else None

    @torch.no_grad()
    def log_mass(self) -> Array | None:
        """Returns the estimates ``(n,)``; None for a policy without an encoder."""
        if not self._inferred:
            return None
        known = self._algorithm.average.head(self._context)
        estimate = known * self._algorithm.truth_std + self._algorithm.truth_mean
        return estimate[:, 0].numpy().astype(np.float64)
