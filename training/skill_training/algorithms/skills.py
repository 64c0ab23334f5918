"""Skills, and their prior distribution."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

SkillKind = Literal["sphere", "one_hot"]


def zero_mean_code(skill: Tensor) -> Tensor:
    """Returns the code of one-hot skills ``(n, D)`` that METRA's reward and loss use.

    (one_hot - 1/D) D / (D - 1): the mean over the skills is zero, so that a step of phi which all
    skills share earns no reward (METRA's code, ``iod/metra.py``).
    """
    size = skill.shape[-1]
    return (skill - 1.0 / size) * (size / (size - 1))


def sample_skills(
    n: int, size: int, generator: torch.Generator, kind: SkillKind = "sphere"
) -> Tensor:
    """Draws ``n`` skills from the prior, ``(n, size)``, on the generator's device.

    ``sphere``: N(0, I) divided by its norm, uniform on the unit sphere. ``one_hot``: one entry,
    drawn uniformly, is 1.
    """
    device = generator.device
    if kind == "one_hot":
        index = torch.randint(size, (n,), generator=generator, device=device)
        return functional.one_hot(index, size).to(torch.float32)
    return functional.normalize(torch.randn(n, size, generator=generator, device=device), dim=-1)
