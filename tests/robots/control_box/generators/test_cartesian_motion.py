"""Rotations as lists of floats, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.control_box.generators.cartesian_motion import (
    CartesianMotion,
    rotated,
    rotation_between,
)

IDENTITY = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def test_a_quarter_turn_about_z() -> None:
    # Columns: x becomes y, y becomes -x.
    turned = rotated(IDENTITY, [0.0, 0.0, np.pi / 2])
    assert turned == pytest.approx([0, 1, 0, -1, 0, 0, 0, 0, 1], abs=1e-15)
    assert rotation_between(IDENTITY, turned) == pytest.approx([0.0, 0.0, np.pi / 2])


@pytest.mark.parametrize("size", [1e-9, 1e-4, 0.3, 2.0, 3.1])
def test_between_inverts_rotated(size: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        axis = rng.normal(size=3)
        vector = (size * axis / np.linalg.norm(axis)).tolist()
        start = rotated(IDENTITY, rng.normal(size=3).tolist())
        turned = rotated(start, vector)
        assert rotation_between(start, turned) == pytest.approx(vector, rel=1e-6, abs=1e-12)
        matrix = np.array(turned).reshape(3, 3)
        assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=1e-12)


def test_differences_of_poses() -> None:
    motion = CartesianMotion.at_rest(
        [*IDENTITY[:3], 0, *IDENTITY[3:6], 0, *IDENTITY[6:], 0, 0.3, 0, 0.5, 1]
    )
    after = motion.to_pose([0.301, 0.0, 0.5], rotated(IDENTITY, [0.0, 2e-3, 0.0]))
    assert after.twist == pytest.approx([1.0, 0, 0, 0, 2.0, 0])
    assert after.acceleration == pytest.approx([1000.0, 0, 0, 0, 2000.0, 0])
    further = after.extrapolated()
    # v = 1 + 1000 * 0.001 = 2 m/s, so 2 mm farther.
    assert further.position == pytest.approx([0.303, 0.0, 0.5])
    assert further.acceleration == after.acceleration


def test_a_twist_and_the_pose_that_it_leads_to_are_the_same_motion() -> None:
    start = CartesianMotion.at_rest([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.3, 0.1, 0.5, 1])
    by_twist = start.with_twist([0.1, -0.2, 0.3, 0.4, -0.5, 0.6])
    by_pose = start.to_pose(by_twist.position, by_twist.rotation)
    assert by_pose.twist == pytest.approx(by_twist.twist, abs=1e-9)
