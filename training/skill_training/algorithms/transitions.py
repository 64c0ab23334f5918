"""What one gradient step of actor and critic sees: pieces of episodes, some under another goal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import GoalTask


@dataclass(frozen=True, kw_only=True, slots=True)
class Transitions:
    """Transitions of N steps, and the contexts to judge them by; ``n`` rows."""

    observation: Tensor
    action: Tensor
    goal: Tensor
    arrivals: Tensor
    """``(n, N, O)`` observations after each of the next N steps; the last ones repeat where the
    episode ends earlier."""
    steps: Tensor
    """``(n,)`` how many of them the episode had, N or fewer."""
    context: Tensor
    """``(n, C)``, with the encoder's gradient in the first step of a block."""
    next_context: Tensor
    """``(n, C)`` after the last step, from the momentum encoder."""
    imitate: Tensor
    """``(n,)`` bool: a demonstrated action, under the goal it was meant for."""


def draw_transitions(
    episodes: Episodes,
    contexts: Tensor,
    next_contexts: Tensor,
    task: GoalTask,
    config: ContextSacConfig,
    generator: torch.Generator,
) -> Transitions:
    """Draws ``config.batch_size`` transitions uniformly over episodes and steps.

    Args:
        episodes: Where from, ``B`` of them with ``T`` steps.
        contexts: ``(B, T + 1, C)``, for acting and judging.
        next_contexts: ``(B, T + 1, C)``, for the target.
        task: Says which goal an observation fulfils.
        config: How many, how long, and how many of them in hindsight.
        generator: On the CPU.
    """
    count, steps = config.batch_size, episodes.action.shape[1]
    device = episodes.action.device
    b = torch.randint(len(episodes), (count,), generator=generator).to(device)
    t = torch.randint(steps, (count,), generator=generator).to(device)
    later = t + 1 + (torch.rand(count, generator=generator).to(device) * (steps - t)).long()
    hindsight = (torch.rand(count, generator=generator) < config.hindsight_share).to(device)
    achieved = task.achieved(episodes.observation[b, later])
    window = torch.arange(1, config.return_steps + 1, device=device)
    ahead = (t[:, None] + window).clamp_max(steps)
    return Transitions(
        observation=episodes.observation[b, t],
        action=episodes.action[b, t],
        goal=torch.where(hindsight[:, None], achieved, episodes.goal[b, t]),
        arrivals=episodes.observation[b[:, None], ahead],
        steps=ahead[:, -1] - t,
        context=contexts[b, t],
        next_context=next_contexts[b, ahead[:, -1]],
        imitate=episodes.demonstrated[b, t] & ~hindsight,
    )
