"""Checks that losses, networks, optimisers and actions are finite.

A training that diverges first shows a loss or a parameter that is NaN or infinite. Later steps
do not make it finite again, so the training stops there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from skill_proto.arrays import Array

LOSSES_PER_CHECK = 64
"""Gradient steps whose losses are checked together. On CUDA each check waits for the device."""


class NotFiniteError(ArithmeticError):
    """A loss, a parameter or an action is NaN or infinite. The message names it."""


class LossCheck:
    """Checks every loss of every gradient step, many steps at a time."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, tuple[str, ...], Tensor]] = []

    def note(self, step: int, losses: Mapping[str, Tensor]) -> None:
        """Adds the losses of one gradient step, and checks them if enough are there.

        Args:
            step: Number of the gradient step, from 1.
            losses: Detached scalars by name.

        Raises:
            NotFiniteError: a noted loss is not finite.
        """
        self._rows.append((step, tuple(losses), torch.stack(tuple(losses.values()))))
        if len(self._rows) >= LOSSES_PER_CHECK:
            self.check()

    def check(self) -> None:
        """Checks all noted losses, and forgets them.

        Raises:
            NotFiniteError: a loss is not finite; the message names the first and its step.
        """
        rows, self._rows = self._rows, []
        if not rows or bool(torch.cat([values for _, _, values in rows]).isfinite().all()):
            return
        for step, names, values in rows:
            for name, value in zip(names, values.tolist(), strict=True):
                if not np.isfinite(value):
                    raise NotFiniteError(f"{name} is {value} at gradient step {step}")


def check_parts(parts: Mapping[str, nn.Module | Optimizer]) -> None:
    """Checks all numbers of networks and optimisers.

    Raises:
        NotFiniteError: a number is not finite; the message names its tensor.
    """
    tensors = dict(_tensors(parts))
    if not tensors:
        return
    largest = torch.stack([tensor.abs().amax() for tensor in tensors.values()])
    finite = largest.isfinite()
    if not bool(finite.all()):
        index = int(finite.logical_not().nonzero()[0])
        raise NotFiniteError(f"{list(tensors)[index]} is {largest[index].item()}")


def check_action(action: Array, observation: Array) -> Array:
    """Returns the actions of a policy in training for ``observation``, if they are finite.

    The physics would answer other actions with warnings and a reset.

    Raises:
        NotFiniteError: an action, or an observation that caused it, is not finite.
    """
    if not np.isfinite(action).all():
        for name, values in (("observation", observation), ("action of the policy", action)):
            wrong = values[~np.isfinite(values)]
            if wrong.size:
                raise NotFiniteError(f"an {name} is {wrong[0]}")
    return action


def _tensors(parts: Mapping[str, nn.Module | Optimizer]) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors of real numbers: parameters, buffers and averages of optimisers."""
    for name, part in parts.items():
        for key, tensor in _entries(part):
            if tensor.is_floating_point() and tensor.numel():
                yield f"{name}.{key}", tensor.detach()


def _entries(part: nn.Module | Optimizer) -> Iterator[tuple[str, Tensor]]:
    if isinstance(part, nn.Module):
        yield from part.named_parameters()
        yield from part.named_buffers()
        return
    parameters = [item for group in part.param_groups for item in group["params"]]
    for index, parameter in enumerate(parameters):
        for key, value in part.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                yield f"{key}[{index}]", value
