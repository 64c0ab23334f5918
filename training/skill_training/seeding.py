"""Independent random streams of one run, derived from its seed."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

logger = logging.getLogger(__name__)


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


@contextmanager
def seeded_weights(seed: int, purpose: str) -> Generator[None]:
    """Draws initial weights of one ``purpose`` on the CPU, equally on every device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, purpose))
        yield


def restore_generator(generator: torch.Generator, state: Tensor) -> None:
    """Restores a state of ``get_state``, also one of a generator on another kind of device.

    CPU and CUDA draw from different algorithms, so that a state of the other kind cannot be
    continued. It then seeds the generator: draws are new, and the same state gives the same draws.

    Raises:
        RuntimeError: the state is damaged.
    """
    state = state.cpu()
    if len(state) == len(generator.get_state()):
        generator.set_state(state)
        return
    logger.info("a generator of another kind of device is seeded anew on %s", generator.device)
    digest = hashlib.sha256(state.numpy().tobytes()).digest()
    generator.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
