"""bfloat16 products where the processor has them, and only where asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from skill_training.device import configure_matmul, cpu_has_bf16, exact_matmul


def product_error() -> float:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 256, generator=generator) for _ in range(2))
    return float(((left @ right).double() - left.double() @ right.double()).abs().max())


def test_the_flag_is_read_from_cpuinfo(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("model name\t: x\nflags\t\t: fpu avx512f avx512_bf16 amx\n")
    assert cpu_has_bf16(path)
    path.write_text("flags\t\t: fpu avx512f\nbugs : avx512_bf16\n")
    assert not cpu_has_bf16(path)
    assert not cpu_has_bf16(tmp_path / "absent")


def test_products_may_be_rounded_only_where_the_processor_does_so_natively() -> None:
    with exact_matmul():
        in_use = configure_matmul("cpu")
        assert in_use == cpu_has_bf16()
        # Leave to round is not rounding: torch does as suits the processor.
        assert torch.get_float32_matmul_precision() == ("medium" if in_use else "highest")
        assert in_use or product_error() < 1e-3
        assert not configure_matmul("cuda")
        assert product_error() < 1e-3


def test_exact_matmul_holds_inside_its_block_only() -> None:
    with exact_matmul():
        in_use = configure_matmul("cpu")
        with exact_matmul():
            assert product_error() < 1e-3
        assert torch.get_float32_matmul_precision() == ("medium" if in_use else "highest")


def test_exact_matmul_restores_after_an_error() -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError, match="inside"), exact_matmul():
        raise RuntimeError("inside")
    assert torch.get_float32_matmul_precision() == before
