"""Independent random streams of one run, derived from its seed."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def derive_seed(seed: int, purpose: str) -> int:
    """Returns the seed of the generator for one ``purpose`` of a run.

    Generators with the same seed draw the same numbers. numpy's ``SeedSequence`` mixes the run's
    seed with a checksum of the purpose, so that streams of one run are independent.
    """
    entropy = [seed, zlib.crc32(purpose.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)


def torch_generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a torch generator on ``device`` for one ``purpose`` of a run with this ``seed``."""
    return torch.Generator(device).manual_seed(derive_seed(seed, purpose))
