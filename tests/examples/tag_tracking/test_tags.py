"""The places of the tags on cube and sheet, computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from examples.tag_tracking.tags import (
    FACES,
    Face,
    cube_corners,
    sheet_corners,
    tag_cells,
)


def test_the_corners_of_the_upper_tag() -> None:
    # Up on the paper is -x and right is +y, so top left is at +x... -17 mm along both.
    expected = [[-17, -17, 20], [-17, 17, 20], [17, 17, 20], [17, -17, 20]]
    assert cube_corners()[4] * 1000 == pytest.approx(np.array(expected))


def test_the_corners_of_the_tag_at_plus_x() -> None:
    expected = [[20, -17, 17], [20, 17, 17], [20, 17, -17], [20, -17, -17]]
    assert cube_corners()[0] * 1000 == pytest.approx(np.array(expected))


@pytest.mark.parametrize("face", FACES)
def test_a_face_has_a_right_handed_frame(face: Face) -> None:
    rotation = face.rotation
    assert rotation.T @ rotation == pytest.approx(np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_the_sides_follow_each_other_in_the_net() -> None:
    """Right of +x is +y, and so on: the right of one face is the normal of the next."""
    for face, after in zip(FACES[:4], (*FACES[1:4], FACES[0]), strict=True):
        assert face.rotation[:, 0] == pytest.approx(np.array(after.normal))


def test_folding_the_lid_over_the_edge_of_plus_x() -> None:
    """At the common edge of +x and +z, the bottom of the lid's tag lies over the side's top."""
    side, lid = cube_corners()[0], cube_corners()[4]
    # Bottom left of the lid (3 mm from the edge) is above top left of the side.
    assert lid[3][1] == pytest.approx(side[0][1])
    assert lid[2][1] == pytest.approx(side[1][1])


def test_the_sheet_has_its_first_row_far_from_the_base_and_its_left_at_plus_y() -> None:
    corners = sheet_corners()
    assert sorted(corners) == list(range(10, 22))
    # Column 0 of 3 at 56 mm to the left (+y), row 0 of 4 at 84 mm along +x, tags of 45 mm.
    assert corners[10].mean(axis=0) * 1000 == pytest.approx([84, 56, 0])
    assert corners[21].mean(axis=0) * 1000 == pytest.approx([-84, -56, 0])
    assert corners[10][0] * 1000 == pytest.approx([84 + 22.5, 56 + 22.5, 0])
    middle = np.mean([tag.mean(axis=0) for tag in corners.values()], axis=0)
    assert middle == pytest.approx(np.zeros(3), abs=1e-12)


def test_a_tag_has_a_black_border_and_differs_from_others() -> None:
    cells = tag_cells(0)
    assert cells.shape == (8, 8)
    assert cells[0].all()
    assert cells[-1].all()
    assert cells[:, 0].all()
    assert cells[:, -1].all()
    assert not cells.all()
    assert (tag_cells(1) != cells).sum() >= 11  # the family's Hamming distance
