"""Which transitions of a replay are unusual: the state changed more than it mostly does.

Contacts are rare in the data of a policy that does not seek them yet. Drawing a part of each batch
from unusual transitions names no entry of the observation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skill_training.data.allocation import allocated


class UnusualRows:
    """Places of unusual transitions in a ring buffer, oldest first.

    A transition is unusual if the mean square of its change, each entry divided by the standard
    deviation of its change under random actions, exceeds a threshold.

    Args:
        capacity: Number of rows of the ring.
        step_scale: ``(O,)`` standard deviations of the change of each entry, all positive.
        threshold: Mean square from which a change is unusual.
        device: Device of the replay.
    """

    def __init__(
        self,
        capacity: int,
        *,
        step_scale: tuple[float, ...],
        threshold: float,
        device: torch.device | str = "cpu",
    ) -> None:
        self._scale = torch.tensor(step_scale, dtype=torch.float32, device=device)
        self._threshold = threshold
        self._places = allocated((capacity,), dtype=torch.int64, device=device).zero_()
        self._first = self._end = 0
        """Counters of the oldest unusual row and of the next one; modulo capacity in `_places`."""

    def __len__(self) -> int:
        return self._end - self._first

    def note(self, places: Tensor, observation: Tensor, next_observation: Tensor) -> None:
        """Takes rows into account that were written at consecutive ``places`` of the ring."""
        capacity = len(self._places)
        overwritten = set(places.tolist()) if len(self) else set[int]()
        while len(self) and int(self._places[self._first % capacity]) in overwritten:
            self._first += 1
        change = (next_observation - observation) / self._scale
        found = places[change.square().mean(-1) > self._threshold]
        targets = torch.arange(self._end, self._end + len(found), device=found.device)
        self._places[targets % capacity] = found
        self._end += len(found)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws ``n`` places uniformly with replacement.

        Raises:
            ValueError: no row is unusual.
        """
        if not len(self):
            raise ValueError("no transition is unusual yet")
        device = self._places.device
        drawn = torch.randint(len(self), (n,), generator=generator, device=device)
        return self._places[(self._first + drawn) % len(self._places)]

    def state_dict(self) -> dict[str, Any]:
        """Returns the places, oldest first, and what counts as unusual."""
        order = torch.arange(self._first, self._end, device=self._places.device)
        return {
            "places": self._places[order % len(self._places)].clone(),
            "scale": self._scale.clone(),
            "threshold": self._threshold,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        places: Tensor = state["places"]
        self._first, self._end = 0, len(places)
        self._places[: len(places)] = places.to(self._places.device)
        self._scale = state["scale"].to(self._scale.device)
        self._threshold = float(state["threshold"])
