"""Settings of context-conditioned soft actor-critic."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_training.config import (
    BatchSize,
    Count,
    Discount,
    LayerSize,
    PositiveFloat,
    PositiveInt,
    Rate,
    Share,
    Weight,
)
from skill_training.context.objective import ContrastiveConfig, describe
from skill_training.nets.encoder import EncoderConfig

Knowledge = Literal["inferred", "told", "untold"]
"""Source of the context: the encoder, the true context, or no context (zeros)."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContextSacConfig:
    """Settings of actor, critic, entropy coefficient and context."""

    name: ClassVar[str]

    knowledge: Knowledge = "inferred"
    """Source of the context. inferred: the encoder. told: the true hidden quantities, of mass and
    friction the logarithm. untold: zeros (context-free). told and untold are the upper and lower
    bound for an encoder."""

    supervised: bool = False
    """Also train the encoder to predict the true hidden quantities, which only a simulation
    provides. This is an upper bound for encoders trained without them."""

    critic_gradient: Weight = 1.0
    """Factor on the gradient of the critic's loss with respect to the encoder."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The context encoder."""

    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    """The contrastive term of the encoder's loss."""

    forward_model_weight: Weight = 0.0
    """Weight of a forward model in the encoder's loss: a network that predicts the next change of
    the observation from context, observation and action. 0: no forward model."""

    hidden: tuple[LayerSize, ...] = (256, 256)
    """Sizes of the hidden layers of actor and critic. ReLU."""

    episodes_per_block: BatchSize = 32
    """Number of episodes in a block, over which the encoder is unrolled at once."""

    updates_per_block: PositiveInt = 4
    """Gradient steps of actor and critic per block, each on newly drawn transitions. The encoder
    takes only the first of them. The release unrolls at every step, which would take three quarters
    of the time on a CPU."""

    batch_size: BatchSize = 256
    """Number of transitions that one gradient step draws from the block."""

    demonstration_share: Share = 0.0
    """Share of a block's episodes that are demonstrations."""

    imitation_weight: Weight = 0.0
    """Weight of the actor's imitation term on demonstrated transitions. The term also trains the
    encoder: the context must hold the memory that the demonstrator uses."""

    imitation_filter: bool = True
    """Imitate only if the critic values the demonstrated action above the policy's own."""

    hindsight_share: Share = 0.4
    """Share of transitions whose goal is replaced by a later position of the cube in the episode
    (Andrychowicz et al. 2017, hindsight experience replay, "future")."""

    learning_rate: PositiveFloat = 3e-4
    """Learning rate of Adam for critic and entropy coefficient."""

    actor_learning_rate: PositiveFloat = 3e-4
    """Learning rate of Adam for the actor."""

    learning_rate_half_life: PositiveInt | None = None
    """Gradient steps in which all learning rates fall to half; None keeps them constant."""

    actor_frozen_updates: Count = 0
    """Gradient steps at the start during which a pretrained actor stays fixed and only the critic
    learns."""

    discount: Discount = 0.97
    """Discount factor per control step."""

    return_steps: PositiveInt = 3
    """Number of rewards in the critic's target before it bootstraps (n-step return), without
    off-policy correction (Hessel et al. 2018, Rainbow)."""

    target_rate: Rate = 0.005
    """Share by which the target critic moves towards the critic at each gradient step."""

    average_rate: Rate = 0.002
    """Share by which the averaged policy moves at each gradient step. The averaged policy is a
    running average of actor, encoder and head (Polyak and Juditsky 1992), which is evaluated and
    exported because single snapshots fluctuate."""

    initial_entropy_coefficient: PositiveFloat = 0.01
    """Entropy coefficient alpha at the start of training, which then learns it."""

    entropy_floor: Weight = 0.0
    """Lower bound of the entropy coefficient in the losses."""

    target_entropy_per_action: Annotated[float, Field(allow_inf_nan=False)] = -1.0
    """Target entropy per action entry, to which training adjusts alpha [nat]."""


def encoder_note(config: ContextSacConfig) -> str:
    """Returns the sentences of a card on how the encoder was trained."""
    if config.knowledge != "inferred":
        return "There is no encoder."
    truth = (
        "the encoder was also trained on the true hidden quantities"
        if config.supervised
        else "only the small head that estimates hidden quantities was trained on their true values"
    )
    parts = ["the critic's gradient"] if config.critic_gradient > 0.0 else []
    parts.append(describe(config.contrastive))
    if config.forward_model_weight > 0.0:
        parts.append(f"a forward model, weight {config.forward_model_weight:g}")
    trained = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"Encoder: trained by {trained}; {truth}."
