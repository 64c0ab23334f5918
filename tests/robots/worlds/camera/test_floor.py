"""Colours of the floor."""

from __future__ import annotations

import numpy as np

from skill_robots.worlds.camera.floor import floor_colours


def test_along_x_the_colour_runs_through_the_hues() -> None:
    colours = floor_colours(1000, 1)
    assert colours.dtype == np.uint8
    assert (colours == colours[:1]).all()  # the same at each y
    corners = colours[0, [0, 199, 399, 599, 799, 999]].astype(int)
    expected = np.array(
        [(0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0), (255, 0, 255)]
    )
    assert np.abs(corners - expected).max() <= 1


def test_no_colour_repeats_along_x_and_each_part_changes_equally() -> None:
    row = floor_colours(100, 1)[0].astype(int)
    assert len(np.unique(row, axis=0)) == 100
    changes = np.abs(np.diff(row, axis=0)).sum(axis=1)
    assert changes.min() >= 12  # 5 x 255 / 100 = 12.75
    assert changes.max() <= 14


def test_in_the_plane_red_is_x_and_green_is_y() -> None:
    colours = floor_colours(4, 2)
    assert colours[0, :, 0].tolist() == [32, 96, 159, 223]
    assert colours[:, 0, 1].tolist() == [223, 159, 96, 32]  # the first row is the highest y
    assert np.unique(colours[..., 2]).tolist() == [128]
