"""Streams of one run: repeatable, and independent of each other."""

from __future__ import annotations

import torch

from skill_training.seeding import derive_seed, restore_generator, torch_generator

PURPOSES = ("skills", "batches", "noise", "weights", "carried states")


def test_a_purpose_has_the_same_stream_in_every_run_of_a_seed() -> None:
    first, again = (torch.randn(64, generator=torch_generator(3, "noise")) for _ in range(2))
    assert torch.equal(first, again)


def test_no_two_purposes_and_no_two_seeds_share_a_stream() -> None:
    draws = {(seed, name): derive_seed(seed, name) for seed in range(50) for name in PURPOSES}
    assert len(set(draws.values())) == len(draws)
    assert all(0 <= value < 2**63 for value in draws.values())


def test_streams_of_one_run_are_uncorrelated() -> None:
    streams = torch.stack(
        [torch.randn(4096, generator=torch_generator(0, name)) for name in PURPOSES]
    )
    correlation = torch.corrcoef(streams) - torch.eye(len(PURPOSES))
    assert correlation.abs().max() < 0.08  # five standard deviations of 1 / sqrt(4096)


def test_a_state_of_the_same_kind_of_device_continues_exactly() -> None:
    generator = torch_generator(0, "noise")
    state = generator.get_state()
    expected = torch.randn(8, generator=generator)
    other = torch_generator(1, "noise")
    restore_generator(other, state)
    assert torch.equal(torch.randn(8, generator=other), expected)


def test_a_state_of_another_kind_of_device_seeds_repeatable_draws() -> None:
    # A generator of CUDA has a state of 16 bytes: seed and offset.
    draws: list[torch.Tensor] = []
    for offset in (0, 0, 4):
        generator = torch_generator(0, "noise")
        restore_generator(generator, torch.tensor([7] * 8 + [offset] * 8, dtype=torch.uint8))
        draws.append(torch.randn(8, generator=generator))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
