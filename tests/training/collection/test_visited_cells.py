"""Cumulative coverage, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.worlds.world import Coordinates
from skill_training.collection import visited_cells
from skill_training.collection.visited_cells import VisitedCells

METRES = Coordinates(names=("x", "y"), unit="m", cell=1.0)
TABLE = Coordinates(names=("x",), unit="m", cell=0.02, centred=True, relative=True)


def walked(coordinates: Coordinates, *steps: list[list[float]]) -> VisitedCells:
    """The cells of one round of two scenes."""
    cells = VisitedCells(coordinates)
    cells.start(np.array(steps[0]))
    for points in steps[1:]:
        cells.visit(np.array(points))
    cells.end_round()
    return cells


def test_every_cell_counts_once() -> None:
    cells = walked(METRES, [[0.1, 0.1], [5.0, 5.0]], [[0.9, 0.9], [4.9, 5.0]])
    assert cells.count == 3
    cells.start(np.array([[0.5, 0.5], [-0.5, 0.5]]))
    cells.end_round()
    assert cells.count == 4


def test_cells_of_a_round_count_at_its_end() -> None:
    cells = VisitedCells(METRES)
    cells.start(np.zeros((2, 2)))
    assert cells.count == 0


def test_displacements_count_from_the_start_of_their_own_episode() -> None:
    """The first scene moves by .04, two cells; the second starts anew at .5 and moves by .02."""
    cells = VisitedCells(TABLE)
    cells.start(np.array([[0.1], [0.2]]))
    cells.visit(np.array([[0.14], [0.2]]))
    cells.start(np.array([[0.14], [0.5]]), np.array([1]))
    cells.visit(np.array([[0.14], [0.52]]))
    cells.end_round()
    assert cells.count == 3  # 0, 1 and 2


def test_points_that_are_passed_on_may_be_overwritten() -> None:
    points = np.zeros((1, 2))
    cells = VisitedCells(METRES)
    cells.start(points)
    points += 3.0
    cells.visit(points)
    points += 3.0
    cells.end_round()
    assert cells.count == 2


def test_an_unstable_simulation_visits_no_place() -> None:
    cells = walked(METRES, [[0.0, np.nan], [np.inf, 0.0]], [[1e300, 0.0], [0.0, -1e17]])
    assert cells.count == 0


def test_a_world_without_coordinates_has_no_count() -> None:
    cells = VisitedCells(None)
    cells.start(np.zeros((3, 0)))
    cells.visit(np.zeros((3, 0)))
    cells.end_round()
    assert cells.count is None
    assert cells.state_dict() == {}


def test_a_restored_count_goes_on() -> None:
    first = walked(METRES, [[0.0, 0.0], [-7.0, 2.0]])
    second = VisitedCells(METRES)
    second.load_state_dict(first.state_dict())
    for cells in (first, second):
        cells.start(np.array([[0.2, 0.2], [9.0, 9.0]]))
        cells.end_round()
    assert first.count == second.count == 3
    third = VisitedCells(METRES)
    third.load_state_dict(VisitedCells(METRES).state_dict())
    assert third.count == 0


def test_the_count_of_a_run_of_an_older_release_stays_unknown() -> None:
    cells = walked(METRES, [[0.0, 0.0], [1.0, 1.0]])
    cells.load_state_dict(None)
    cells.start(np.zeros((2, 2)))
    cells.end_round()
    assert cells.count is None


def test_counting_ends_before_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visited_cells, "MAX_CELLS", 2)
    assert walked(METRES, [[0.0, 0.0], [1.0, 1.0]], [[2.0, 2.0], [3.0, 3.0]]).count == 2
