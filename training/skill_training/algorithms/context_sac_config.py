"""Settings of context-conditioned soft actor-critic."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_training.context.objective import ContrastiveConfig, describe
from skill_training.nets.encoder import EncoderConfig

Knowledge = Literal["inferred", "told", "untold"]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Discount = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ContextSacConfig:
    """Settings of actor, critic, entropy coefficient and context."""

    name: ClassVar[str]

    knowledge: Knowledge = "inferred"
    """Where the context comes from. inferred: the encoder. told: true log mass and log friction.
    untold: zeros. The last two bound what an encoder can lose and win."""

    supervised: bool = False
    """Also train the encoder to predict log mass and log friction, which only a simulation knows:
    the bound for what an encoder can infer."""

    critic_gradient: Weight = 1.0
    """Factor on the gradient that the critic's loss sends into the encoder."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """The context encoder."""

    contrastive: ContrastiveConfig = field(default_factory=ContrastiveConfig)
    """The contrastive term of the encoder's loss."""

    hidden: tuple[Size, ...] = (256, 256)
    """Hidden layers of actor and critic. ReLU."""

    episodes_per_block: Size = 32
    """Episodes that the encoder is unrolled over at once."""

    updates_per_block: Size = 4
    """Gradient steps of actor and critic on fresh transitions of the same episodes; the encoder
    takes one, the first. The release unrolls anew for each: three quarters of a CPU's time."""

    batch_size: Size = 256
    """Transitions drawn from these episodes in one gradient step."""

    demonstration_share: Share = 0.0
    """Share of the episodes of a batch that are demonstrations."""

    imitation_weight: Weight = 0.0
    """Weight of the imitation term of the actor on demonstrated transitions; the term trains the
    encoder too, for what a demonstrator remembers must be in the context."""

    imitation_filter: bool = True
    """Imitate only where the critic values the demonstrated action above the policy's own."""

    hindsight_share: Share = 0.4
    """Share of transitions whose goal is replaced by where the cube was later in the episode
    (Andrychowicz et al. 2017, hindsight experience replay, "future")."""

    learning_rate: PositiveFloat = 3e-4
    """Adam's step size of critic and entropy coefficient."""

    actor_learning_rate: PositiveFloat = 3e-4
    """Adam's step size of the actor."""

    actor_frozen_updates: Annotated[int, Field(ge=0)] = 0
    """Gradient steps for which an actor that was trained before stays as it is, while the critic
    learns to judge it."""

    discount: Discount = 0.97
    """Weight of the next control step against this one."""

    return_steps: Size = 3
    """Steps whose rewards the critic's target counts before it bootstraps, without correction for
    what the policy would do differently by now (Hessel et al. 2018, Rainbow)."""

    target_rate: Rate = 0.005
    """Share by which the target critic moves towards the critic at each step."""

    average_rate: Rate = 0.002
    """Share by which the policy that is evaluated and shipped - a running average of actor, encoder
    and head (Polyak and Juditsky 1992) - moves at each step: single snapshots wander."""

    initial_entropy_coefficient: PositiveFloat = 0.01
    """Weight of the policy's entropy at the start; learned from there."""

    entropy_floor: Weight = 0.0
    """Least entropy coefficient used in the losses."""

    target_entropy_per_action: Annotated[float, Field(allow_inf_nan=False)] = -1.0
    """Entropy, per action entry, that the entropy coefficient is learned to hold [nat]."""


def contrastive_note(config: ContextSacConfig) -> str:
    """What a card says of how the encoder learned, in sentences."""
    if config.knowledge != "inferred":
        return "There is no encoder."
    seen = (
        "the encoder was also trained on the true mass and friction"
        if config.supervised
        else "mass and friction themselves were seen by the small head that estimates them, and by "
        "nothing else"
    )
    return f"Encoder: the critic's gradient and {describe(config.contrastive)}; {seen}."
