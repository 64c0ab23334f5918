"""Streams of one run: repeatable, and independent of each other."""

from __future__ import annotations

import torch

from skill_training.seeding import derive_seed, torch_generator

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
