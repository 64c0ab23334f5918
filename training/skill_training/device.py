"""The device that a run asks for."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

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


logger = logging.getLogger(__name__)


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where the processor multiplies bfloat16 natively; False where that cannot be known."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags.split()


def configure_matmul(device: torch.device | str) -> bool:
    """Lets float32 products on a CPU round their inputs to bfloat16 where that is native.

    Training gains speed and loses nothing visible. The setting holds for the whole process; on a
    CUDA device, and on a CPU without native bfloat16, products stay exact to float32.

    Returns:
        True where bfloat16 products are now in use.
    """
    use = torch.device(device).type == "cpu" and cpu_has_bf16()
    torch.set_float32_matmul_precision("medium" if use else "highest")
    logger.info("matrix products take %s inputs", "bfloat16" if use else "float32")
    return use


@contextmanager
def exact_matmul() -> Generator[None]:
    """Full float32 products inside the block, as a parity check needs them."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
