"""The state representation phi, whose directions the skills name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.func import jacrev, vmap

from skill_training.config import LayerSize, PositiveFloat
from skill_training.nets.mlp import mlp
from skill_training.nets.pixels.encoder import PixelConfig

Form = Literal["rotation", "linear", "mlp"]

DEFAULT_LEARNING_RATE: Mapping[Form, float] = {"rotation": 1e-3, "linear": 1e-3, "mlp": 3e-4}


PIXELS = "pixels"
"""Input of the representation: frames of a camera."""

PIXEL_LEARNING_RATE = 3e-4
"""Default learning rate of a representation of frames."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RepresentationConfig:
    """Inputs and form of the representation phi."""

    inputs: tuple[str, ...] = ("cube_position.0", "cube_position.1")
    """Observation entries that phi sees, in order: fields, entries as 'field.component', '*' for
    all, or 'unactuated' for those that the actions do not drive directly, which a test with random
    actions selects. Skills move these quantities. 'pixels' are the frames of a camera."""

    input_scale: Literal["typical", "step"] = "typical"
    """What phi's inputs are divided by: the typical magnitude of an entry, or that of its change
    in one control step under random actions. For frames: 255, or the change of each pixel."""

    form: Form = "rotation"
    """'rotation': a rotation times a scale (two numbers, from two components to two).
    'linear': a free matrix. 'mlp': a network, as in the papers. Frames always have a convolutional
    network."""

    size: LayerSize = 2
    """Number of dimensions of the representation and of the skill."""

    hidden: tuple[LayerSize, ...] = (256, 256)
    """Sizes of the hidden layers of the 'mlp' form, and of those behind the convolutions."""

    learning_rate: PositiveFloat | None = None
    """Learning rate of Adam. None is 1e-3 for 'rotation' and 'linear', 3e-4 for 'mlp' and
    frames."""

    frozen: bool = False
    """Whether phi stays as it starts: the control of every claim that phi learned something."""

    pixels: PixelConfig = dataclasses.field(default_factory=PixelConfig)
    """Camera, frames and convolutions of the input 'pixels'."""

    @property
    def sees_pixels(self) -> bool:
        """Whether phi sees frames, and not the observation."""
        return self.inputs == (PIXELS,)

    @property
    def resolved_learning_rate(self) -> float:
        """Learning rate, or the default of the form."""
        default = PIXEL_LEARNING_RATE if self.sees_pixels else DEFAULT_LEARNING_RATE[self.form]
        return self.learning_rate or default


class ScaledRotation(nn.Module):
    """x -> [[a, -b], [b, a]] x, started at the identity.

    No loss depends on the angle: if phi and every skill turn together, the policy stays the same.
    While phi is learned, the angle drifts, and with it the meaning of the skills in replay. Unlike
    a free matrix, this map cannot lose a dimension.
    """

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, inputs: Tensor) -> Tensor:
        """``(n, 2)`` -> ``(n, 2)``."""
        a, b = self.coefficients
        x, y = inputs.unbind(-1)
        return torch.stack((a * x - b * y, b * x + a * y), dim=-1)


def _linear(input_size: int, size: int) -> nn.Linear:
    """Returns an orthogonal matrix without bias, since only differences of phi are used."""
    layer = nn.Linear(input_size, size, bias=False)
    nn.init.orthogonal_(layer.weight)
    return layer


def _build_map(config: RepresentationConfig, input_size: int) -> nn.Module:
    if config.form == "mlp":
        return mlp(input_size, config.hidden, config.size)
    if config.form == "linear":
        return _linear(input_size, config.size)
    if input_size != 2 or config.size != 2:
        raise ValueError(
            f"a 'rotation' representation maps 2 entries to 2 dimensions, got {input_size} "
            f"entries ({', '.join(config.inputs)}) and size {config.size}; choose two entries and "
            "size 2, or the form 'linear' or 'mlp'"
        )
    return ScaledRotation()


class StateRepresentation(nn.Module):
    """phi: selected observation entries, scaled -> ``(n, d)``.

    Args:
        config: Form of phi.
        indices: Places of the ``k`` entries that phi sees.
        scale: ``(k,)`` magnitudes by which they are divided.
        offset: ``(k,)`` values that are subtracted first; None for zeros.

    Raises:
        ValueError: the form cannot map those sizes.
    """

    indices: Tensor
    scale: Tensor
    offset: Tensor | None

    def __init__(
        self,
        config: RepresentationConfig,
        *,
        indices: Sequence[int],
        scale: Sequence[float],
        offset: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("indices", torch.tensor(indices))
        self.register_buffer("scale", torch.as_tensor(scale, dtype=torch.float32).clone())
        middle = None if offset is None else torch.as_tensor(offset, dtype=torch.float32).clone()
        self.register_buffer("offset", middle)
        self.map = _build_map(config, len(indices))

    @property
    def size(self) -> int:
        """Number of dimensions d of phi."""
        return self.config.size

    def forward(self, observation: Tensor) -> Tensor:
        """``(n, O)`` raw -> ``(n, d)``."""
        return self.embed(observation.index_select(-1, self.indices))

    def scaled_change(self, observation: Tensor, next_observation: Tensor) -> tuple[Tensor, Tensor]:
        """Returns phi's inputs as its map takes them, and their change: ``(n, k)`` each."""
        here = self._scaled(observation.index_select(-1, self.indices))
        return here, self._scaled(next_observation.index_select(-1, self.indices)) - here

    def embed(self, selected: Tensor) -> Tensor:
        """``(n, k)`` raw values of the selected components, e.g. of a goal -> ``(n, d)``."""
        return self.map(self._scaled(selected))

    def step(self, observation: Tensor, next_observation: Tensor) -> Tensor:
        """phi(s') - phi(s), ``(n, d)``.

        A linear map takes the change itself. Far from the origin, as a body that runs, products
        with inputs rounded to bfloat16 would lose the change in the difference of two large values.
        """
        if self.config.form == "mlp":
            return self(next_observation) - self(observation)
        return self.map(self.scaled_change(observation, next_observation)[1])

    @torch.no_grad()
    def singular_values(self, observation: Tensor | None = None) -> Tensor:
        """Returns the singular values of phi's Jacobian in its scaled inputs, largest first.

        The shape is ``(min(k, d),)``. The values are exact for 'linear' and 'rotation'. An 'mlp'
        needs a batch ``(n, O)`` of observations; the values are those of the Jacobian averaged
        over the batch, so that a fold, whose slopes cancel, counts as a lost dimension.

        Raises:
            ValueError: no observations are given for an 'mlp'.
        """
        if self.config.form == "mlp":
            if observation is None or len(observation) == 0:
                raise ValueError("an 'mlp' representation needs a batch of observations here")
            points = self._scaled(observation.index_select(-1, self.indices))
        else:
            points = self.scale.new_zeros(1, len(self.indices))
        jacobians = vmap(jacrev(self.map))(points)
        return torch.linalg.svdvals(jacobians.mean(0))

    def singular_value_ratio(self, observation: Tensor | None = None) -> float:
        """Returns smallest / largest singular value: 1 is isotropic, 0 a lost dimension."""
        values = self.singular_values(observation)
        return float(values[-1] / values[0].clamp_min(torch.finfo(values.dtype).tiny))

    def _scaled(self, selected: Tensor) -> Tensor:
        """Returns raw values ``(n, k)`` of the selected entries as the map takes them."""
        return (selected if self.offset is None else selected - self.offset) / self.scale
