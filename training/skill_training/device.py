"""The device that a run asks for."""

from __future__ import annotations

import torch

from skill_training.errors import ConfigError


def torch_device(name: str) -> torch.device:
    """The device of this name.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        reason = "this torch was built without CUDA" if torch.version.cuda is None else "none found"
        raise ConfigError(
            f"--device cuda: no CUDA device ({reason}); check nvidia-smi and the installed torch, "
            "or train with --device cpu"
        )
    return torch.device(name)
