"""Estimates how well mass and friction can be identified from the observations of a policy.

    python -m benchmarks.plant.identification

A supervised LSTM regresses log mass and log friction at every step of rollouts with random
contexts. Its R^2 on held-out episodes is an estimate of the best that an encoder can reach by then.
The benchmark runs twice: on the whole observation, and without the set-point fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import trange

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt, PositiveRange, Seed
from benchmarks.lib.report import print_table, write_json
from benchmarks.plant.scripted_pusher import ScriptedPusher
from skill_proto.arrays import Array
from skill_robots.observation import PUSH_OBSERVATION, layout, scales
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import MAX_SCENES
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop, TabletopConfig

READ_AT_S = (1.0, 2.0, 4.0)
"""Times into the episode at which R^2 is reported [s]."""

SETPOINT_FIELDS = frozenset({"setpoint_gap", "setpoint_velocity"})


@dataclass(frozen=True, kw_only=True)
class Config:
    """R^2 of mass and friction read by a supervised LSTM from skill rollouts."""

    model: Path | None = None
    """Policy file for the rollouts; default: the scripted pusher."""
    mass: PositiveRange = (0.4, 1.6)
    """Range of masses, drawn log-uniformly [kg]."""
    friction: PositiveRange = (0.2, 0.8)
    """Range of frictions, drawn log-uniformly."""
    stiffness_scale: PositiveRange = (1.0, 1.0)
    """Range of the factor on joint stiffness."""
    sensor_noise: float = 0.0
    """Factor on the standard deviations of the sensor noise."""
    episodes: PositiveInt = 4096
    """Number of rollouts, rounded up to blocks of 256; a fifth of them is held out."""
    hidden: PositiveInt = 64
    """Hidden size of the LSTM."""
    epochs: PositiveInt = 50
    """Passes over the training rollouts."""
    batch: PositiveInt = 32
    """Episodes in a batch."""
    learning_rate: PositiveFloat = 3e-3
    """Learning rate of Adam, annealed to zero along a cosine."""
    seed: Seed = 0
    """Seed of rollouts, split and networks."""
    json: Path | None = None
    """Write the result to this file."""


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """Rollouts, with the targets of the regression."""

    inputs: Tensor
    """``(episodes, steps, O + 3)``: scaled observation, and the action before it."""
    targets: Tensor
    """``(episodes, 2)``: log mass and log friction, zero mean and unit variance over the range."""


def make_policy(config: Config) -> tuple[Policy, tuple[str, ...]]:
    """Returns the policy for the rollouts, and the fields that it observes."""
    if config.model is None:
        return ScriptedPusher(), PUSH_OBSERVATION
    from skill_runtime.policy import OnnxPolicy

    policy = OnnxPolicy(config.model)
    return policy, policy.manifest.observation_names


def collect(config: Config) -> Episodes:
    """Runs the episodes, each with one random direction as its skill."""
    policy, names = make_policy(config)
    task = TabletopConfig(
        mass=config.mass,
        friction=config.friction,
        stiffness_scale=config.stiffness_scale,
        sensor_noise=config.sensor_noise,
    )
    inputs: list[Array] = []
    contexts: list[Array] = []
    for block in trange(0, config.episodes, MAX_SCENES, desc="rollouts"):
        table = Tabletop(task, MAX_SCENES, seed=config.seed + block)
        angle = np.random.default_rng([config.seed, block]).uniform(0, 2 * np.pi, MAX_SCENES)
        inputs.append(_record(table, policy, names, angle))
        contexts.append(np.log(np.stack([table.mass, table.friction], axis=1)))
    low, high = np.log(np.array([task.mass, task.friction])).T
    targets = (np.concatenate(contexts) - (low + high) / 2) * np.sqrt(12.0) / (high - low)
    return Episodes(
        inputs=torch.as_tensor(np.concatenate(inputs), dtype=torch.float32),
        targets=torch.as_tensor(targets, dtype=torch.float32),
    )


def _record(table: Tabletop, policy: Policy, names: Sequence[str], angle: Array) -> Array:
    """Records one episode of every scene ``(n, steps, O + 3)``, with the full push observation."""
    skill = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    scale = scales(PUSH_OBSERVATION)
    action = np.zeros((table.n, table.action_size))
    steps: list[Array] = []
    policy.reset(table.n)
    for _ in range(table.config.episode_steps):
        seen = table.observe(PUSH_OBSERVATION)
        steps.append(np.concatenate([seen / scale, action], axis=1))
        known = seen if tuple(names) == PUSH_OBSERVATION else table.observe(tuple(names))
        action = np.asarray(policy.act(known, skill=skill), dtype=np.float64)
        table.step(action)
    return np.stack(steps, axis=1)


class Reader(nn.Module):
    """An LSTM that estimates log mass and log friction at every step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 2)

    def forward(self, sequence: Tensor) -> Tensor:
        """Maps ``(n, steps, inputs)`` to ``(n, steps, 2)``."""
        return self.head(self.lstm(sequence)[0])


def r_squared(estimate: Tensor, truth: Tensor) -> Tensor:
    """Returns the coefficient of determination per column, ``(2,)``."""
    residual = (estimate - truth).square().sum(0)
    return 1.0 - residual / (truth - truth.mean(0)).square().sum(0)


def fit(config: Config, episodes: Episodes, label: str) -> dict[float, tuple[float, float]]:
    """Trains a reader and returns its held-out R^2 of mass and friction at each time."""
    torch.manual_seed(config.seed)
    held_out = len(episodes.inputs) // 5
    train_x, train_y = episodes.inputs[held_out:], episodes.targets[held_out:]
    reader = Reader(train_x.shape[2], config.hidden)
    optimiser = torch.optim.Adam(reader.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.epochs)
    generator = torch.Generator().manual_seed(config.seed)
    for _ in trange(config.epochs, desc=label):
        order = torch.randperm(len(train_x), generator=generator)
        for rows in order.split(config.batch):
            loss = (reader(train_x[rows]) - train_y[rows, None]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
        schedule.step()
    with torch.no_grad():
        estimate = reader(episodes.inputs[:held_out])
    result: dict[float, tuple[float, float]] = {}
    for seconds in READ_AT_S:
        step = min(round(seconds / CONTROL_PERIOD_S), estimate.shape[1]) - 1
        mass, friction = r_squared(estimate[:, step], episodes.targets[:held_out]).tolist()
        result[seconds] = (mass, friction)
    return result


def without(episodes: Episodes, fields: frozenset[str]) -> Episodes:
    """Returns the episodes without these fields of the observation."""
    slices = layout(PUSH_OBSERVATION)
    hidden = {i for name in fields for i in range(slices[name].start, slices[name].stop)}
    keep = [i for i in range(episodes.inputs.shape[2]) if i not in hidden]
    return replace(episodes, inputs=episodes.inputs[:, :, keep])


def main(config: Config) -> None:
    """Measures, prints a table, and writes the JSON file."""
    torch.set_num_threads(1)
    episodes = collect(config)
    cases = {
        "with set-point gap": episodes,
        "without": without(episodes, SETPOINT_FIELDS),
    }
    results = {label: fit(config, part, label) for label, part in cases.items()}
    print_table(
        ["observation", *(f"R2 mass / friction, {s:g} s" for s in READ_AT_S)],
        [
            [label, *(f"{result[s][0]:.2f} / {result[s][1]:.2f}" for s in READ_AT_S)]
            for label, result in results.items()
        ],
    )
    write_json(
        config.json,
        {
            "policy": config.model.name if config.model else "scripted pusher",
            "mass": config.mass,
            "friction": config.friction,
            "r2_mass_friction": {
                label: {f"{s:g}s": list(values) for s, values in result.items()}
                for label, result in results.items()
            },
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.plant.identification", description=__doc__)
