"""Settings of a high level."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_training.config import (
    BatchSize,
    Discount,
    LayerSize,
    PolicyFlag,
    PositiveFloat,
    PositiveInt,
    Rate,
    Share,
)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HighLevelConfig:
    """Settings of a high level."""

    name: ClassVar[str] = "high"

    low_level: PolicyFlag = Path("csf_ant")
    """Policy file of the skills, from ``skill-train``, or the name of a model that comes with
    skill-serve; it stays frozen."""

    hold_steps: PositiveInt = 25
    """Control steps for which a skill is held."""

    hidden: tuple[LayerSize, ...] = (256, 256)
    """Sizes of the hidden layers of actor and critic. ReLU, no layer normalisation."""

    batch_size: BatchSize = 256
    """Number of choices in one gradient step."""

    learning_rate: PositiveFloat = 3e-4
    """Learning rate of Adam for every network."""

    discount: Discount = 0.99
    """Discount factor per choice."""

    target_rate: Rate = 0.005
    """Share by which the target critic moves towards the critic at each gradient step."""

    initial_entropy_coefficient: PositiveFloat = 0.1
    """Entropy coefficient alpha at the start of training, which then learns it."""

    target_entropy_per_entry: Annotated[float, Field(allow_inf_nan=False)] = -0.5
    """Target entropy per entry of a choice, for skills on the sphere [nat]."""

    target_entropy_share: Share = 0.2
    """Target entropy of one-hot choices, as a share of the largest one."""
