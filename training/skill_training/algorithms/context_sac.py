"""Goal-conditioned soft actor-critic with an inferred context: pi(a | s, g, c).

TESAC's base agent plus the contrastive term of the configured method. As in the SaMI release (Yu et
al.), the critic's loss trains the context encoder, the actor sees the detached context, and next
contexts come from the momentum encoder.

Differences from the release (there -> here), with the reason:
    - Encoder step on the contrastive loss, then one on the critic's loss -> one step on the sum of
      both, with half the unrolls. Under Adam this is not the same: two steps, of which one has a
      small gradient, move the encoder about sqrt(2) times as far. In the release, a contrastive
      term of any size thus makes the encoder learn faster than in TESAC.
      ``contrastive.optimizer_steps`` selects either.
    - Actor and critic learn from all transitions of 16 trajectories a step -> from 256 of a block.
    - Adam's epsilon 1e-8 -> 1e-5 in the encoder.
    - Raw observations -> divided by typical magnitudes.
    - Those of the contrastive term: ``skill_training.context.objective``.
    - Encoder unrolled at every gradient step -> once per block of ``updates_per_block`` steps.
    - Goals in the encoder's input -> no goal there, since transitions get hindsight goals.
    - Additions: hindsight goals, n-step returns, demonstrations with an imitation loss, clipped
      encoder gradient, averaged policy; layers, rates, discount and first entropy coefficient of
      each recipe.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer

from skill_training.algorithms.actor_critic import ActorCritic, Loss, Metrics, adam, descend
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.algorithms.imitation import imitation_loss, labelled_rows, labelled_steps
from skill_training.algorithms.transitions import (
    Block,
    Transitions,
    draw_transitions,
    n_step_return,
)
from skill_training.context.forward_model import ForwardModel
from skill_training.context.objective import Contrasted, ContrastiveTerm
from skill_training.data.episodes import EpisodeReplay, Episodes, concatenate
from skill_training.data.goal_task import GoalTask
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.critic import Critic, update_moving_average
from skill_training.nets.encoder import ContextEncoder, MomentumEncoder
from skill_training.nets.learned_policy import EstimationHead, LearnedPolicy
from skill_training.nets.mlp import ObservationNormalizer, PositiveScalar
from skill_training.seeding import derive_seed, torch_generator

ENCODER_GRADIENT_NORM = 10.0
"""Bound on the norm of the encoder's gradient, which can explode over 100 steps of an LSTM."""


class ContextSac(ActorCritic):
    """Actor, twin critic with its target network, entropy coefficient, encoder, estimation head.

    Args:
        config: Settings.
        task: Goal features, rewards and hindsight goals.
        scale: ``(O,)`` typical magnitude of each observation entry.
        action_size: A.
        truth_mean: ``(K,)`` mean of the hidden quantities over training; on the tabletop of log
            mass and log friction.
        truth_std: ``(K,)`` their standard deviation.
        step_scale: ``(O,)`` typical change of each entry in a control step, for a forward model.
        device: Device of networks and batches.
        seed: Seed of initial weights and noise.
    """

    def __init__(
        self,
        config: ContextSacConfig,
        task: GoalTask,
        *,
        scale: Sequence[float],
        action_size: int,
        truth_mean: Sequence[float],
        truth_std: Sequence[float],
        step_scale: Sequence[float] = (),
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.truth_mean = torch.tensor(truth_mean, device=device)
        self.truth_std = torch.tensor(truth_std, device=device)
        self.generator = torch_generator(seed, "noise", self.device)
        self.draws = torch_generator(seed, "batches")
        self.updates = 0
        self._block: Block | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights"))
            self._build(task, scale, action_size)
            sizes = {"context_size": config.encoder.size, "action_size": action_size}
            self.forward_model = (
                ForwardModel(scale=scale, step_scale=step_scale, **sizes).to(self.device)
                if config.forward_model_weight > 0.0
                else None
            )
        self.encoder_optimizers: list[Optimizer] = [self.encoder_optimizer]
        if self.forward_model is not None:
            self.encoder_optimizers.append(adam(self.forward_model, config.encoder.learning_rate))
        self.term = ContrastiveTerm(config.contrastive)
        self.target_entropy = config.target_entropy_per_action * action_size

    def _build(self, task: GoalTask, scale: Sequence[float], action_size: int) -> None:
        config, device = self.config, self.device
        normalizer = ObservationNormalizer(scale)
        sizes = {"skill_size": task.feature_size + config.encoder.size, "action_size": action_size}
        self.task = task.to(device)
        self.actor = TanhGaussianActor(normalizer, **sizes, hidden=config.hidden).to(device)
        self.critic = Critic(normalizer, **sizes, hidden=config.hidden).to(device)
        self.target_critic = copy.deepcopy(self.critic).requires_grad_(False)
        encoder = ContextEncoder(config.encoder, scale=scale, action_size=action_size)
        self.encoder = encoder.to(device)
        self.momentum = MomentumEncoder(self.encoder, config.encoder.momentum_rate).to(device)
        self.head = EstimationHead(config.encoder.size, len(self.truth_mean)).to(device)
        self.average = LearnedPolicy(self.actor, self.encoder, self.head).to(device)
        self.entropy_coefficient = PositiveScalar(config.initial_entropy_coefficient).to(device)
        self.actor_optimizer = adam(self.actor, config.actor_learning_rate)
        self.critic_optimizer = adam(self.critic, config.learning_rate)
        self.entropy_optimizer = adam(self.entropy_coefficient, config.learning_rate)
        self.encoder_optimizer = Adam(
            self.encoder.parameters(), lr=config.encoder.learning_rate, eps=1e-5, fused=True
        )
        self.head_optimizer = adam(self.head, config.encoder.learning_rate)

    # Acting -------------------------------------------------------------------------------------

    def true_context(self, truth: Tensor) -> Tensor:
        """Returns true hidden quantities ``(..., K)`` as a context ``(..., C)``."""
        known = (truth - self.truth_mean) / self.truth_std
        return functional.pad(known, (0, self.config.encoder.size - known.shape[-1]))

    @torch.no_grad()
    def act(
        self, observation: Tensor, goal: Tensor, context: Tensor, *, deterministic: bool = False
    ) -> Tensor:
        """``(n, O)``, ``(n, G)``, ``(n, C)`` -> ``(n, A)`` in [-1, 1].

        Deterministic: the mode of the averaged policy, which is the exported one; it stops if the
        task says so.
        """
        command = self.command(observation, goal, context)
        if deterministic:
            mode = self.average.actor.mode(observation, command)
            return mode * self.task.moves(observation, goal)
        return self.actor.sample(observation, command, self.generator)[0]

    def command(self, observation: Tensor, goal: Tensor, context: Tensor) -> Tensor:
        """Returns the input of actor and critic beside the observation, ``(n, F + C)``."""
        return torch.cat((self.task.features(observation, goal), context), dim=-1)

    def restart_average(self) -> None:
        """Sets the averaged policy to the current networks, after their weights were replaced."""
        self.average.follow(self.actor, self.encoder, self.head, 1.0)

    # Learning -----------------------------------------------------------------------------------

    def update(self, replay: EpisodeReplay) -> Metrics:
        """Takes one gradient step of actor and critic, and of the encoder if a block begins."""
        if self._block is None or self._block.left == 0:
            metrics, transitions = self._begin_block(replay)
        else:
            metrics, transitions = self._continue_block(self._block)
        if self.updates >= self.config.actor_frozen_updates:
            metrics |= self._update_actor(transitions)
        update_moving_average(self.target_critic, self.critic, self.config.target_rate)
        self.average.follow(self.actor, self.encoder, self.head, self.config.average_rate)
        self.lower_learning_rates(self.config.learning_rate_half_life)
        self.updates += 1
        return metrics

    def end_block(self) -> None:
        """Lets the next update draw new episodes. A block is thus never part of the state."""
        self._block = None

    def _begin_block(self, replay: EpisodeReplay) -> tuple[Metrics, Transitions]:
        """Unrolls new episodes and takes one step of critic, encoder and head."""
        config = self.config
        share = 0.0 if replay.demonstrations is None else config.demonstration_share
        demonstrated = round(config.episodes_per_block * share)
        batch = replay.sample(config.episodes_per_block, self.draws, demonstrated=demonstrated)
        inferred = config.knowledge == "inferred"
        contrasted = self.term.draw(replay, self.draws) if inferred else None
        term_alone: Tensor | None = None
        if contrasted is not None and config.contrastive.optimizer_steps == "separate":
            term_alone, contrasted = self._contrast_alone(contrasted), None
        contexts, next_contexts, keys = self._contexts(batch, contrasted)
        own = contexts[: len(batch)]
        transitions = self._transitions(batch, own, next_contexts)
        loss, metrics = self.critic_loss(transitions)
        if contrasted is not None and keys is not None:
            term = contrasted.loss(contexts[len(batch) :], keys, self.draws)
            loss = loss + config.contrastive.weight * term
            metrics["context/contrastive_loss"] = term.detach()
        elif term_alone is not None:
            metrics["context/contrastive_loss"] = term_alone
        if inferred:
            metrics |= self._learn_to_estimate(batch, own.detach())
        if config.supervised:
            loss = loss + self.estimation_loss(batch, own)
        if inferred and self.forward_model is not None:
            prediction = self.forward_model.loss(batch, own, self.draws)
            loss = loss + config.forward_model_weight * prediction
            metrics["context/forward_model_loss"] = prediction.detach()
        if config.imitation_weight > 0:
            imitation = imitation_loss(self, labelled_steps(batch, own))
            loss = loss + config.imitation_weight * imitation
        self._descend_critic(loss, with_encoder=inferred)
        self.momentum.follow(self.encoder)
        self._block = Block(batch, own.detach(), next_contexts, config.updates_per_block - 1)
        return metrics, transitions

    def _contrast_alone(self, contrasted: Contrasted) -> Tensor:
        """Takes one step of the encoder on the contrastive loss, which it returns."""
        queries = self.encoder(*contrasted.queries.encoder_inputs)[0]
        keys = self.momentum(*contrasted.keys.encoder_inputs)
        term = contrasted.loss(queries, keys, self.draws)
        self.encoder_optimizer.zero_grad(set_to_none=True)
        (self.config.contrastive.weight * term).backward(inputs=list(self.encoder.parameters()))
        nn.utils.clip_grad_norm_(self.encoder.parameters(), ENCODER_GRADIENT_NORM)
        self.encoder_optimizer.step()
        return term.detach()

    def _continue_block(self, block: Block) -> tuple[Metrics, Transitions]:
        """Takes one step of the critic on other transitions of the same episodes."""
        block.left -= 1
        transitions = self._transitions(block.episodes, block.contexts, block.next_contexts)
        loss, metrics = self.critic_loss(transitions)
        self._descend_critic(loss, with_encoder=False)
        return metrics, transitions

    def _contexts(
        self, batch: Episodes, contrasted: Contrasted | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns contexts of batch and queries, momentum contexts of the batch, and keys.

        Each is ``(., T + 1, C)``.
        """
        if self.config.knowledge != "inferred":
            known = self.true_context(batch.truth)
            known = known if self.config.knowledge == "told" else torch.zeros_like(known)
            return known, known, None
        online = batch if contrasted is None else concatenate(batch, contrasted.queries)
        slow = batch if contrasted is None else concatenate(batch, contrasted.keys)
        momentum = self.momentum(*slow.encoder_inputs)
        own = self.encoder(*online.encoder_inputs)[0]
        return own, momentum[: len(batch)], momentum[len(batch) :]

    def _transitions(self, batch: Episodes, contexts: Tensor, next_contexts: Tensor) -> Transitions:
        given = (batch, contexts, next_contexts)
        return draw_transitions(*given, self.task, self.config, self.draws)

    def critic_loss(self, batch: Transitions) -> Loss:
        """sum_i 0.5 mean((Q_i - y)^2) with y from :meth:`soft_target`."""
        target, share = self.soft_target(batch), self.config.critic_gradient
        context = share * batch.context + (1.0 - share) * batch.context.detach()
        command = self.command(batch.observation, batch.goal, context)
        values = self.critic(batch.observation, batch.action, command)
        loss = 0.5 * (values - target).square().mean(-1).sum()
        return loss, {
            "critic/loss": loss.detach(),
            "critic/value": values.detach().mean(),
        }

    @torch.no_grad()
    def soft_target(self, batch: Transitions) -> Tensor:
        """Returns the n-step soft target, ``(n,)``.

        ``sum_{k<N} gamma^k r_k + gamma^N (min_j Q'_j(s_N, a') - alpha log pi(a' | s_N))``, without
        the terms after a step that ends the episode. The entropies of the intermediate steps, which
        are part of the soft value, are left out.
        """
        rewards, factor = n_step_return(batch, self.config.discount)
        last = batch.arrivals[:, -1]
        command = self.command(last, batch.goal, batch.next_context)
        action, log_prob = self.actor.sample(last, command, self.generator)
        values = self.target_critic(last, action, command).amin(0) - self._alpha() * log_prob
        return rewards + factor * values

    def actor_loss(self, batch: Transitions, action: Tensor, log_prob: Tensor) -> Loss:
        """mean(alpha log pi - min_i Q_i), plus the imitation loss on labelled transitions."""
        command = self.command(batch.observation, batch.goal, batch.context.detach())
        values = self.critic(batch.observation, action, command).amin(0)
        loss = (self._alpha() * log_prob - values).mean()
        metrics = {"actor/value": values.detach().mean(), "actor/entropy": -log_prob.mean()}
        if self.config.imitation_weight > 0:
            imitation = imitation_loss(self, labelled_rows(batch))
            loss = loss + self.config.imitation_weight * imitation
            metrics["actor/imitation"] = imitation
        return loss, {name: value.detach() for name, value in metrics.items()}

    def estimation_loss(self, batch: Episodes, contexts: Tensor) -> Tensor:
        """Returns the squared error of the head's standardised estimates until the ends."""
        truth = (batch.truth - self.truth_mean) / self.truth_std
        error = (self.head(contexts) - truth).square().mean(-1)
        return error[batch.until(self.task.steps(batch))].mean()

    def _update_actor(self, batch: Transitions) -> Metrics:
        command = self.command(batch.observation, batch.goal, batch.context.detach())
        action, log_prob = self.actor.sample(batch.observation, command, self.generator)
        loss, metrics = self.actor_loss(batch, action, log_prob)
        descend(loss, self.actor_optimizer)
        entropy_loss, _ = self.entropy_loss(log_prob)
        descend(entropy_loss, self.entropy_optimizer)
        if self.config.entropy_floor > 0:
            # Without the clamp the coefficient would fall far below its floor, and would take long
            # to rise again if the entropy becomes too low.
            with torch.no_grad():
                self.entropy_coefficient.log.clamp_(min=math.log(self.config.entropy_floor))
        return metrics | {"actor/entropy_coefficient": self._alpha()}

    def _descend_critic(self, loss: Tensor, *, with_encoder: bool) -> None:
        optimizers: list[Optimizer] = [self.critic_optimizer]
        if with_encoder:
            optimizers += self.encoder_optimizers
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=[p for o in optimizers for p in o.param_groups[0]["params"]])
        if with_encoder:
            nn.utils.clip_grad_norm_(self.encoder.parameters(), ENCODER_GRADIENT_NORM)
        for optimizer in optimizers:
            optimizer.step()

    def _learn_to_estimate(self, batch: Episodes, contexts: Tensor) -> Metrics:
        """Takes one step of the head on detached contexts."""
        loss = self.estimation_loss(batch, contexts)
        descend(loss, self.head_optimizer)
        return {"context/estimation_loss": loss.detach()}

    def _alpha(self) -> Tensor:
        return self.entropy_coefficient().detach().clamp_min(self.config.entropy_floor)

    # State --------------------------------------------------------------------------------------

    def stateful(self) -> dict[str, nn.Module | Optimizer]:
        """Returns all modules and optimisers with state, by name."""
        model: dict[str, nn.Module | Optimizer] = {}
        if self.forward_model is not None:
            own = self.encoder_optimizers[-1]
            model = {"forward_model": self.forward_model, "forward_model_optimizer": own}
        return model | {
            "actor": self.actor,
            "critic": self.critic,
            "target_critic": self.target_critic,
            "encoder": self.encoder,
            "momentum": self.momentum,
            "head": self.head,
            "average": self.average,
            "task": self.task,
            "entropy_coefficient": self.entropy_coefficient,
            "actor_optimizer": self.actor_optimizer,
            "critic_optimizer": self.critic_optimizer,
            "entropy_optimizer": self.entropy_optimizer,
            "encoder_optimizer": self.encoder_optimizer,
            "head_optimizer": self.head_optimizer,
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns the state from which training continues exactly."""
        return super().state_dict() | {
            "draws": self.draws.get_state(),
            "updates": self.updates,
            "truth": [self.truth_mean, self.truth_std],
        }

    def load_networks(self, state: dict[str, Any]) -> None:
        """Restores the averaged policy and the task, on any device, but not the training state.

        Raises:
            KeyError: a part is missing.
            RuntimeError: a network has another shape.
        """
        for name in ("average", "task"):
            self.stateful()[name].load_state_dict(state[name])
        self._load_truth(state)

    def _load_truth(self, state: dict[str, Any]) -> None:
        """Restores the moments of the hidden quantities; older checkpoints have none."""
        if "truth" in state:
            self.truth_mean, self.truth_std = (one.to(self.device) for one in state["truth"])

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`.

        Raises:
            KeyError: a part is missing.
            RuntimeError: a network has another shape.
        """
        super().load_state_dict(state)
        self.draws.set_state(state["draws"].cpu())
        self.updates = int(state["updates"])
        self._load_truth(state)
