"""Device of a run, and precision of its matrix products."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from skill_training.errors import ConfigError

logger = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]
"""Precision to which a matrix product rounds its inputs."""


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


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Returns True if the processor multiplies bfloat16 natively, False if unknown."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags.split()


def matmul_precision(device: torch.device | str, requested: str = "auto") -> Precision:
    """Returns the precision of matrix products for the setting ``run.matmul``.

    ``auto`` is bfloat16 on a CPU that multiplies it natively, and float32 on every other device.

    Raises:
        ConfigError: bfloat16 is requested and the device does not multiply it natively.
    """
    native = torch.device(device).type == "cpu" and cpu_has_bf16()
    if requested == "bfloat16" and not native:
        reason = (
            "this CPU has no native bfloat16 products (no avx512_bf16 in /proc/cpuinfo)"
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
        ConfigError: bfloat16 is requested and the device does not multiply it natively.
    """
    precision = matmul_precision(device, requested)
    torch.set_float32_matmul_precision("medium" if precision == "bfloat16" else "highest")
    logger.info("matrix products take %s inputs", precision)
    return precision


@contextmanager
def exact_matmul() -> Generator[None]:
    """Computes products in full float32 inside the block, e.g. for a parity check."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
