"""Phi of frames."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import nn

from skill_training.nets.inputs import FrameScale, NetworkInputs
from skill_training.nets.pixels.encoder import PixelConfig
from skill_training.nets.pixels.representation import PixelRepresentation, build_representation
from skill_training.nets.representation import RepresentationConfig, StateRepresentation


class FirstPixel(nn.Module):
    """Maps a frame to the values of its first pixel."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return frames[:, :, 0, 0]


def phi(scale: FrameScale | None = None) -> PixelRepresentation:
    config = RepresentationConfig(
        inputs=("pixels",), pixels=PixelConfig(size=4, stack=2, channels=(1,)), size=2
    )
    made = PixelRepresentation(config, scale)
    made.map = FirstPixel()
    return made


def frames(*values: int) -> torch.Tensor:
    made = torch.zeros(1, 6, 4, 4, dtype=torch.uint8)
    made[0, :, 0, 0] = torch.tensor(values)
    return made


def test_without_a_scale_values_are_divided_by_255() -> None:
    found = phi()(frames(255, 51, 0, 0, 0, 102))
    torch.testing.assert_close(found, torch.tensor([[1.0, 0.2, 0.0, 0.0, 0.0, 0.4]]))


def test_each_value_has_its_own_offset_and_change() -> None:
    """The statistics of a frame are row by row, colours last; a stack repeats them."""
    mean, change = [0.0] * 48, [1.0] * 48
    mean[:3], change[:3] = [10.0, 20.0, 30.0], [2.0, 4.0, 5.0]
    made = phi(FrameScale(mean=tuple(mean), change=tuple(change)))
    found = made(frames(12, 28, 30, 14, 20, 40))
    assert found.tolist() == [[1.0, 2.0, 0.0, 2.0, 0.0, 2.0]]
    step = made.step(frames(12, 28, 30, 14, 20, 40), frames(14, 28, 30, 14, 20, 45))
    assert step.tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]]


def test_the_inputs_choose_the_kind_of_phi() -> None:
    inputs = NetworkInputs(scale=(1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))
    assert isinstance(build_representation(RepresentationConfig(), inputs), StateRepresentation)
    config = RepresentationConfig(inputs=("pixels",), pixels=PixelConfig(size=64))
    made = build_representation(config, inputs)
    assert isinstance(made, PixelRepresentation)
    assert made(torch.zeros(2, 3, 64, 64, dtype=torch.uint8)).shape == (2, 2)
    assert config.resolved_learning_rate == 3e-4


def test_statistics_of_frames_survive_a_state() -> None:
    scale = FrameScale(mean=(1.0, 2.0), change=(3.0, 4.0))
    inputs = NetworkInputs(scale=(1.0,), seen=(), seen_scale=(), frame=scale)
    assert NetworkInputs.from_state_dict(asdict(inputs)) == inputs
