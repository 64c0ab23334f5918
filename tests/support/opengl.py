"""Skips tests that render where no OpenGL renders without a screen."""

from __future__ import annotations

from functools import cache

import pytest

from skill_robots.worlds.camera.camera import make_camera
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import default_config, make_world


@cache
def reason_against() -> str:
    """Returns why nothing can be rendered; '' if frames can be rendered."""
    world = make_world(default_config("half_cheetah"), 1)
    try:
        make_camera(world, size=8).close()
    except WorldError as error:
        return str(error)
    return ""


def require_opengl() -> None:
    """Skips the test that calls it, if there is no OpenGL."""
    if reason_against():
        pytest.skip(reason_against())
