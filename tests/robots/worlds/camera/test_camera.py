"""Frames show the scenes, and rendering changes none of them."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from tests.support.opengl import require_opengl

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.camera.camera import make_camera
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig, MujocoWorld
from skill_robots.worlds.registry import default_config, make_world
from skill_robots.worlds.tabletop_world import TabletopWorld


def cheetah(n: int = 2) -> MujocoWorld:
    return MujocoWorld(BodyConfig(body="half_cheetah"), n)


def test_rendering_changes_no_scene() -> None:
    require_opengl()
    one, other = cheetah(), cheetah()
    camera = make_camera(one, size=16)
    for action in np.random.default_rng(0).uniform(-1.0, 1.0, (5, 2, 6)):
        frames = camera.frames()
        assert frames.shape == (2, 16, 16, 3)
        assert frames.dtype == np.uint8
        np.testing.assert_array_equal(one.step(action).observation, other.step(action).observation)
    camera.close()
    camera.close()


def test_the_same_state_gives_the_same_frame_and_scenes_are_chosen_by_number() -> None:
    require_opengl()
    world = cheetah(3)
    camera = make_camera(world, size=16)
    frames = camera.frames()
    np.testing.assert_array_equal(camera.frames(), frames)
    np.testing.assert_array_equal(camera.frames(np.array([2, 0])), frames[[2, 0]])
    assert (frames[0] != frames[1]).any()
    camera.close()


def test_the_floor_shows_where_a_body_is() -> None:
    """The camera follows, so that a body in the same pose differs by the floor's colour alone."""
    require_opengl()
    world = cheetah(3)
    world.positions()[:] = world.positions()[0]
    world.positions()[:, 0] = (-79.9, 0.0, 79.9)
    camera = make_camera(world, size=32)
    lowest = camera.frames()[:, -1, 16].astype(int)  # a pixel of the floor
    # A tenth along x: half-way from blue to cyan. In the middle: from green to yellow.
    assert np.abs(lowest - [(0, 128, 255), (128, 255, 0), (255, 0, 128)]).max() < 8
    camera.close()


def test_a_body_with_hidden_quantities_is_seen() -> None:
    require_opengl()
    world = make_world(default_config("crippled_ant"), 2)
    with closing(make_camera(world, size=16)) as camera:
        frames = camera.frames()
    assert frames.shape == (2, 16, 16, 3)
    assert (frames[0] != frames[1]).any()


def test_the_cube_camera_shows_the_cube_alone() -> None:
    require_opengl()
    world = TabletopWorld(TabletopConfig(), 2, seed=3)
    whole, cube = (make_camera(world, view=name, size=32) for name in ("overhead", "cube"))
    before = whole.frames(), cube.frames()
    world.tabletop.physics.joint_position[:] += 0.1
    after = whole.frames(), cube.frames()
    assert (before[0] != after[0]).any()
    np.testing.assert_array_equal(before[1], after[1])
    world.tabletop.physics.cube_position[:, 1] += 0.1
    assert (cube.frames() != after[1]).any()
    for camera in (whole, cube):
        camera.close()


def test_a_camera_that_does_not_exist_is_explained() -> None:
    with pytest.raises(WorldError, match="HalfCheetah has no camera 'front'; choose one of side"):
        make_camera(cheetah(1), view="front")
    reacher = make_world(default_config("gymnasium:Reacher-v5"), 1)
    with pytest.raises(WorldError, match=r"Reacher-v5.* has no camera; the worlds with cameras"):
        make_camera(reacher)
    reacher.close()


def test_without_opengl_the_error_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise ImportError("no library\nwith details")

    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("sys.platform", "other")
    monkeypatch.setattr("mujoco.rendering.classic.gl_context.GLContext", missing)
    with pytest.raises(WorldError, match=r"gives none \(no library\); install EGL .*libegl1"):
        make_camera(cheetah(1), size=8)
