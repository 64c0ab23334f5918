"""Transitions for one gradient step of actor and critic, some with a hindsight goal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.data.episodes import Episodes
from skill_training.data.goal_task import GoalTask


@dataclass(frozen=True, kw_only=True, slots=True)
class Transitions:
    """N-step transitions and their contexts; ``n`` rows."""

    observation: Tensor
    action: Tensor
    goal: Tensor
    arrivals: Tensor
    """``(n, N, O)`` observations after each of the next N steps. If the episode ends earlier, its
    last observation is repeated."""
    steps: Tensor
    """``(n,)`` number of steps until then, at most N."""
    reward: Tensor
    """``(n, N)`` reward of each arrival."""
    end: Tensor
    """``(n, N)`` 1.0 if the arrival ends the episode, else 0.0."""
    context: Tensor
    """``(n, C)``, with the encoder's gradient in the first step of a block."""
    next_context: Tensor
    """``(n, C)`` after the last step, from the momentum encoder."""
    imitate: Tensor
    """``(n,)`` bool: a step with a label and its own goal, not a hindsight goal."""
    label: Tensor
    """``(n, A)`` action of the demonstrator, meaningful where ``imitate`` is true."""


@dataclass(slots=True)
class Block:
    """Unrolled episodes, and the number of gradient steps left on them."""

    episodes: Episodes
    contexts: Tensor
    next_contexts: Tensor
    left: int


def draw_transitions(
    episodes: Episodes,
    contexts: Tensor,
    next_contexts: Tensor,
    task: GoalTask,
    config: ContextSacConfig,
    generator: torch.Generator,
) -> Transitions:
    """Draws ``config.batch_size`` transitions uniformly over episodes and steps.

    Steps after the end of an episode are left out. A goal that the observation has reached already
    is no hindsight goal, since the value there is zero whatever the action.

    Args:
        episodes: ``B`` episodes of ``T`` steps.
        contexts: ``(B, T + 1, C)``, for actor and critic.
        next_contexts: ``(B, T + 1, C)``, for the target.
        task: Gives rewards, and the goal that an observation achieves.
        config: Batch size, number of return steps, share of hindsight goals.
        generator: Generator on the CPU.
    """
    count, steps = config.batch_size, episodes.action.shape[1]
    device = episodes.action.device
    ended = task.ended(episodes)
    if ended is not None:
        running = ~ended & episodes.valid[:, 1:]
        live = (running | ~running.any()).nonzero()
        b, t = live[torch.randint(len(live), (count,), generator=generator).to(device)].unbind(1)
        last = episodes.counted[b]
    elif episodes.length is None:
        b = torch.randint(len(episodes), (count,), generator=generator).to(device)
        last = episodes.counted[b]
        t = torch.randint(steps, (count,), generator=generator).to(device)
    else:
        # An episode with fewer steps that count is drawn less often.
        share = episodes.length.cpu().float()
        b = torch.multinomial(share, count, replacement=True, generator=generator).to(device)
        last = episodes.length[b]
        t = (torch.rand(count, generator=generator).to(device) * last).long().minimum(last - 1)
    later = t + 1 + (torch.rand(count, generator=generator).to(device) * (last - t)).long()
    hindsight = (torch.rand(count, generator=generator) < config.hindsight_share).to(device)
    achieved = task.achieved(episodes.observation[b, later])
    if ended is not None:
        hindsight &= task.moves(episodes.observation[b, t], achieved)[:, 0] > 0
    window = torch.arange(1, config.return_steps + 1, device=device)
    ahead = (t[:, None] + window).minimum(last[:, None])
    goal = torch.where(hindsight[:, None], achieved, episodes.goal[b, t])
    reward, end = task.rewards(episodes, b, ahead, goal)
    return Transitions(
        observation=episodes.observation[b, t],
        action=episodes.action[b, t],
        goal=goal,
        arrivals=episodes.observation[b[:, None], ahead],
        steps=ahead[:, -1] - t,
        reward=reward,
        end=end,
        context=contexts[b, t],
        next_context=next_contexts[b, ahead[:, -1]],
        imitate=episodes.demonstrated[b, t] & ~hindsight,
        label=episodes.labels[b, t],
    )


def n_step_return(batch: Transitions, discount: float) -> tuple[Tensor, Tensor]:
    """Returns the n-step rewards ``(n,)`` and the factor ``(n,)`` of the value after them.

    ``sum_{k<N} gamma^k r_k`` and ``gamma^N``, without the terms after a step that ends the episode.
    """
    order = torch.arange(batch.reward.shape[1], device=batch.reward.device)
    counts = (order < batch.steps[:, None]).float()
    end = batch.end * counts
    # 1 up to and including the step that ends the episode.
    alive = torch.cat((torch.ones_like(end[:, :1]), (1.0 - end).cumprod(1)), dim=1)
    rewards = (discount**order * counts * alive[:, :-1] * batch.reward).sum(1)
    return rewards, discount**batch.steps * alive[:, -1]
