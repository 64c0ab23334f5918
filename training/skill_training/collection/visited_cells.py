"""Cumulative coverage: the cells that the scenes of a training have visited since its start.

It counts exploration, and needs no evaluation: METRA's figures have it as "total" coverage, and
TLDR's show it alone (Bae, Park, Lee, "TLDR: Unsupervised Goal-Conditioned RL via Temporal
Distance-Aware Representations", CoRL 2024). The coverage of an evaluation counts the cells of one
episode per skill.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skill_proto.arrays import Array, Ids
from skill_robots.worlds.metrics import cells
from skill_robots.worlds.world import Coordinates

MAX_CELLS = 1_000_000
"""Number of cells at which counting ends, so that small cells in many dimensions fill no memory."""

FAR = 1e15
"""Number of cells from the origin beyond which a point is no place, but an unstable simulation."""


class VisitedCells:
    """The distinct cells that n scenes have visited.

    Args:
        coordinates: The quantities that coverage is about; None for a world that has none.
    """

    def __init__(self, coordinates: Coordinates | None) -> None:
        self._coordinates = coordinates
        self._cells: set[bytes] | None = None if coordinates is None else set()
        self._start = np.zeros((0, 0))
        self._round: list[Array] = []

    @property
    def count(self) -> int | None:
        """Number of cells; None for a world without coordinates, and if earlier ones are lost."""
        return None if self._cells is None else len(self._cells)

    def start(self, points: Array, scenes: Ids | None = None) -> None:
        """Notes the starts of episodes.

        Args:
            points: Coordinates of all scenes ``(n, C)``.
            scenes: Scenes whose episodes start; None for all.
        """
        if scenes is None:
            self._start = points.copy()
        else:
            self._start[scenes] = points[scenes]
        self.visit(points)

    def visit(self, points: Array) -> None:
        """Notes the coordinates of all scenes ``(n, C)`` after a control step."""
        coordinates = self._coordinates
        if coordinates is not None:
            self._round.append(points - self._start if coordinates.relative else points.copy())

    def end_round(self) -> None:
        """Adds the cells of the round."""
        coordinates, found, notes = self._coordinates, self._cells, self._round
        self._round = []
        if coordinates is None or found is None or not notes:
            return
        points = np.concatenate(notes)
        # A comparison with NaN is false.
        near = points[(np.abs(points) < FAR * coordinates.cell).all(axis=1)]
        for cell in cells(near, coordinates):
            if len(found) < MAX_CELLS:
                found.add(cell.tobytes())

    def state_dict(self) -> dict[str, Tensor]:
        """Returns the cells as integers ``(m, C)``, between two rounds; empty if there are none."""
        if not self._cells:
            return {}
        rows = np.frombuffer(b"".join(sorted(self._cells)), dtype=np.int64)
        return {"cells": torch.from_numpy(rows.reshape(len(self._cells), -1).copy())}

    def load_state_dict(self, state: dict[str, Tensor] | None) -> None:
        """Restores the state of :meth:`state_dict`.

        None is the state of an older release, which kept no cells: the count stays unknown.
        """
        if state is None:
            self._cells = None
        elif self._cells is not None:
            rows = state.get("cells")
            listed = [] if rows is None else list(rows.cpu().numpy())
            self._cells = {row.tobytes() for row in listed}
