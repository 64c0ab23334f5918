"""Precision of matrix products: bfloat16 only if the processor has it and the setting allows it."""

from __future__ import annotations

import pytest
import torch

from skill_training.device import (
    configure_matmul,
    cpu_rounds_to_bf16,
    exact_matmul,
    matmul_precision,
)
from skill_training.errors import ConfigError


def product_error() -> float:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 256, generator=generator) for _ in range(2))
    return float(((left @ right).double() - left.double() @ right.double()).abs().max())


def test_the_named_precision_is_that_of_the_products() -> None:
    with exact_matmul():
        in_use = configure_matmul("cpu") == "bfloat16"
        assert torch.get_float32_matmul_precision() == ("medium" if in_use else "highest")
        # 256 products of random numbers: 4e-5 in float32, about 0.1 with bfloat16 inputs.
        assert (product_error() > 1e-2) is in_use
        assert configure_matmul("cuda") == "float32"
        assert product_error() < 1e-3


@pytest.mark.parametrize("native", [False, True])
def test_the_setting_decides_the_precision(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skill_training.device.cpu_rounds_to_bf16", lambda: native)
    assert matmul_precision("cpu", "auto") == ("bfloat16" if native else "float32")
    assert matmul_precision("cpu", "float32") == "float32"
    assert matmul_precision("cuda", "auto") == "float32"
    if native:
        assert matmul_precision("cpu", "bfloat16") == "bfloat16"
    else:
        with pytest.raises(
            ConfigError, match="--matmul bfloat16: torch computes products in float32"
        ):
            matmul_precision("cpu", "bfloat16")
    with pytest.raises(ConfigError, match="the device is cuda; give --matmul float32"):
        configure_matmul("cuda", "bfloat16")


def test_a_trial_product_leaves_the_precision_as_it_was() -> None:
    before = torch.get_float32_matmul_precision()
    cpu_rounds_to_bf16.cache_clear()
    cpu_rounds_to_bf16()
    assert torch.get_float32_matmul_precision() == before


def test_float32_products_are_exact() -> None:
    with exact_matmul():
        torch.set_float32_matmul_precision("medium")
        assert configure_matmul("cpu", "float32") == "float32"
        assert product_error() < 1e-3


def test_exact_matmul_holds_inside_its_block_only() -> None:
    with exact_matmul():
        in_use = configure_matmul("cpu") == "bfloat16"
        with exact_matmul():
            assert product_error() < 1e-3
        assert torch.get_float32_matmul_precision() == ("medium" if in_use else "highest")


def test_exact_matmul_restores_after_an_error() -> None:
    before = torch.get_float32_matmul_precision()
    with pytest.raises(RuntimeError, match="inside"), exact_matmul():
        raise RuntimeError("inside")
    assert torch.get_float32_matmul_precision() == before
