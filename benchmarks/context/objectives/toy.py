"""A toy whose return may reverse between tasks: pushes on a mass that nobody observes.

A scene is a point on a line. Random pushes move it the less, the heavier it is. An episode shows
one of two behaviours and the quality of its execution, which both are observed. The kind of the
return decides what is good:

- ``quality``: a good execution, in every task alike.
- ``reversal``: the behaviour that fits the mass, light or heavy; a reversal between tasks.
- ``reversal with luck``: the same, and as much luck that nobody observes.
- ``luck``: luck alone.

Shapes: ``B`` episodes of ``T`` steps.
"""

from __future__ import annotations

from typing import Literal

import torch

from skill_training.data.episodes import Episodes

Kind = Literal["quality", "reversal", "reversal with luck", "luck"]

KINDS: tuple[Kind, ...] = ("quality", "reversal", "reversal with luck", "luck")

STEPS = 20
LOG_MASS = 1.0
"""Log masses lie between minus and plus this value."""
DAMPING = 0.5
"""Share of its velocity that a scene keeps in a step."""
NOISE = 0.05
"""Standard deviation of the velocity's noise."""
CUE_NOISE = 0.3
"""Standard deviation of the noise of the observed behaviour and quality."""

BEHAVIOUR, QUALITY = 1, 2
"""Places in the observation; 0 is the velocity."""


def make_episodes(tasks: int, per_task: int, kind: Kind, seed: int, hidden: int) -> Episodes:
    """Returns episodes of random tasks, in the order of the tasks.

    Args:
        tasks: Number of tasks; each has a mass.
        per_task: Episodes of each.
        kind: The return.
        seed: Seed of all draws.
        hidden: Size of the encoder's state, which is zero.
    """
    generator = torch.Generator().manual_seed(seed)
    count = tasks * per_task

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    log_mass = LOG_MASS * (2.0 * torch.rand(tasks, generator=generator) - 1.0)
    log_mass = log_mass.repeat_interleave(per_task)
    behaviour = torch.randint(2, (count,), generator=generator) * 2.0 - 1.0
    quality, luck = normal(count), normal(count)
    push = 2.0 * torch.rand(count, STEPS, 1, generator=generator) - 1.0
    velocity = torch.zeros(count, STEPS + 1)
    for step in range(STEPS):
        gained = push[:, step, 0] * torch.exp(-log_mass) + NOISE * normal(count)
        velocity[:, step + 1] = DAMPING * velocity[:, step] + gained
    cues = torch.stack((behaviour, quality), dim=-1)[:, None].expand(-1, STEPS + 1, -1)
    cues = cues + CUE_NOISE * normal(count, STEPS + 1, 2)
    fits = behaviour * torch.sign(log_mass)
    returns = {
        "quality": quality,
        "reversal": fits + 0.3 * quality,
        "reversal with luck": fits + 0.3 * quality + luck,
        "luck": luck,
    }[kind]
    zeros = torch.zeros(count, hidden)
    return Episodes(
        observation=torch.cat((velocity[..., None], cues), dim=-1),
        action=push,
        goal=torch.zeros(count, STEPS, 0),
        truth=log_mass[:, None, None].expand(-1, STEPS + 1, 1).clone(),
        hidden=zeros,
        cell=zeros.clone(),
        task=torch.arange(tasks).repeat_interleave(per_task) + seed * 1_000_000,
        returns=returns,
        demonstrated=torch.zeros(count, STEPS, dtype=torch.bool),
    )


def behaviour_of(episodes: Episodes) -> torch.Tensor:
    """Returns the behaviour of each episode ``(B,)``, -1 or 1."""
    return torch.sign(episodes.observation[..., BEHAVIOUR].mean(1))


def right_behaviour(episodes: Episodes) -> torch.Tensor:
    """Returns the behaviour that fits the mass of each episode ``(B,)``, -1 or 1."""
    return torch.sign(episodes.truth[:, -1, 0])
