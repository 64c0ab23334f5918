"""Learn skills in a world of your own: a disc on ice, pushed by two thrusters.

    python examples/own_world.py --env-steps 160000

It writes a policy file and its card, and prints the command that scores the file. Nothing tells the
representation that the first two numbers are a place. The extra ``train`` is needed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

import skill_training


class Disc(gymnasium.Env[dict[str, Any], Any]):
    """A disc of 1 kg on ice, with a little friction; a control step is a tenth of a second."""

    metadata = {"render_fps": 10}  # noqa: RUF012  as in every environment of Gymnasium
    observation_space = Dict(
        {"position": Box(-np.inf, np.inf, (2,)), "velocity": Box(-np.inf, np.inf, (2,))}
    )
    action_space = Box(-1.0, 1.0, (2,))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  as in Gymnasium
        """Starts at rest near the origin."""
        super().reset(seed=seed, options=options)
        self.position = self.np_random.uniform(-0.1, 0.1, 2)
        self.velocity = np.zeros(2)
        return self._observation(), {}

    def step(self, action: Any) -> Any:  # noqa: ANN401  as in Gymnasium
        """Applies a force of up to 1 N in each direction."""
        self.velocity = 0.95 * self.velocity + 0.1 * np.asarray(action)
        self.position = self.position + 0.1 * self.velocity
        return self._observation(), 0.0, False, False, {}

    def _observation(self) -> dict[str, Any]:
        return {"position": self.position, "velocity": self.velocity}


def steps(text: str) -> int:
    """Returns a number of environment steps, at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"takes a number from 1 on, got {text}")
    return value


def main() -> None:
    """Trains and exports, or explains why it cannot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--env-steps", type=steps, default=160_000)
    parser.add_argument("--run-dir", type=Path, default=Path("logs/disc"))
    arguments = parser.parse_args()

    try:
        train(arguments.env_steps, arguments.run_dir)
    except skill_training.TrainingError as error:
        raise SystemExit(f"own_world.py: {error}") from None


def train(env_steps: int, run_dir: Path) -> None:
    """Trains in a run directory, or continues the run there."""
    config = skill_training.default_config("csf", "own_world:Disc")
    task = replace(config.task, coordinates=("position",), cell=0.5, episode_steps=100)
    config = replace(config, task=task, run=replace(config.run, env_steps=env_steps))
    run = skill_training.RunDirectory(run_dir)
    skill_training.start_or_continue(run, config)
    if not skill_training.train(run):
        raise SystemExit("own_world.py: stopped with a checkpoint; the same command continues")
    print(f"wrote {run.policy}; score it with:")
    print(f"cd examples && skill-eval --model {run.policy.resolve()} --world own_world:Disc")


if __name__ == "__main__":
    main()
