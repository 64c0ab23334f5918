"""Device of a run, and precision of its matrix products."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch

from skill_training.errors import ConfigError

logger = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]
"""Precision to which a matrix product rounds its inputs."""

_PROBE_SIZE = 256
"""Rows and columns of the trial product, the usual width of a layer."""


def torch_device(name: str) -> torch.device:
    """Returns the device of this name.

    Raises:
        ConfigError: CUDA is requested and no CUDA device is available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        reason = "this torch was built without CUDA" if torch.version.cuda is None else "none found"
        raise ConfigError(
            f"--device cuda: no CUDA device ({reason}); check nvidia-smi and the installed torch, "
            "or give --device cpu"
        )
    return torch.device(name)


@cache
def cpu_rounds_to_bf16() -> bool:
    """Returns True if torch rounds to bfloat16 on this CPU when it may, found by a product.

    torch decides by the processor: with AMX it rounds, with avx512_bf16 alone it may compute in
    float32 all the same. bfloat16 has 8 significant bits, so 1 + 2^-10 becomes 1.
    """
    left = torch.full((_PROBE_SIZE, _PROBE_SIZE), 1.0 + 2.0**-10)
    with _precision("medium"):
        product = left @ torch.ones_like(left)
    return float(product[0, 0]) == _PROBE_SIZE


def matmul_precision(device: torch.device | str, requested: str = "auto") -> Precision:
    """Returns the precision of matrix products for the setting ``run.matmul``.

    ``auto`` is bfloat16 on a CPU on which torch rounds to it, and float32 on every other device.

    Raises:
        ConfigError: bfloat16 is requested and torch does not round to it on the device.
    """
    native = torch.device(device).type == "cpu" and cpu_rounds_to_bf16()
    if requested == "bfloat16" and not native:
        reason = (
            "torch computes products in float32 on this CPU, as a trial product shows"
            if torch.device(device).type == "cpu"
            else f"it is for CPUs, and the device is {device}"
        )
        raise ConfigError(
            f"--matmul bfloat16: {reason}; give --matmul float32. A run that began with bfloat16 "
            "continues in float32 with --resume RUN --matmul float32"
        )
    return "bfloat16" if native and requested != "float32" else "float32"


def configure_matmul(device: torch.device | str, requested: str = "auto") -> Precision:
    """Sets the precision of matrix products for the whole process, and returns it.

    bfloat16 inputs make training faster without a visible loss. See :func:`matmul_precision`.

    Raises:
        ConfigError: bfloat16 is requested and torch does not round to it on the device.
    """
    precision = matmul_precision(device, requested)
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    logger.info("matrix products take %s inputs", precision)
    return precision


@contextmanager
def exact_matmul() -> Generator[None]:
    """Computes products in full float32 inside the block, e.g. for a parity check."""
    with _precision("highest"):
        yield


@contextmanager
def _precision(name: str) -> Generator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(name)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
