"""The measurement of frames."""

from __future__ import annotations

import pytest
from benchmarks.discovery.pixels import Config, fastest, frames_per_second, pixel_step_s
from tests.support.opengl import require_opengl

from skill_robots.worlds.errors import WorldError

SMALL = Config(size=8, batch=2, repeats=1)


def test_the_first_call_does_not_count() -> None:
    calls: list[int] = []
    assert fastest(lambda: calls.append(1), 3) >= 0.0
    assert len(calls) == 4


def test_a_step_and_a_frame_are_measured() -> None:
    assert pixel_step_s((2,), 3, SMALL) >= 0.0
    require_opengl()
    assert frames_per_second("half_cheetah", "side", SMALL) > 0.0


def test_a_camera_that_does_not_exist_is_explained() -> None:
    with pytest.raises(WorldError, match="has no camera 'front'"):
        frames_per_second("half_cheetah", "front", SMALL)
