"""Bodies of other packages; without the packages, their absence is explained."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import mujoco
import numpy as np
import pytest
from tests.support.opengl import require_opengl

from skill_robots.worlds.camera.camera import make_camera
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig, MujocoWorld, body_spec
from skill_robots.worlds.packaged.mjcf import packaged_path, packaged_spec
from skill_robots.worlds.packaged.table import DM_QUADRUPED, KITCHEN, PACKAGED
from skill_robots.worlds.registry import default_config, is_given_by_name, world_names

SIZES = {"dm_quadruped": (57, 12), "dm_humanoid": (55, 21), "kitchen": (59, 9)}
"""Sizes of observation and action."""


PENDULUM = """
<mujoco>
  <worldbody>
    <geom name="wall" type="plane" size="1 1 1"/>
    <body name="pole"><joint name="hinge"/><geom name="rod" size=".1"/></body>
    <body name="ball" pos="1 0 1"><freejoint/><geom name="ball" size=".1"/></body>
  </worldbody>
  <actuator><position joint="hinge" ctrlrange="-1 1"/></actuator>
</mujoco>
"""


def made(name: str, n: int = 2) -> MujocoWorld:
    body = PACKAGED[name]
    if find_spec(body.package) is None:
        pytest.skip(f"{body.distribution} is not installed")
    return MujocoWorld(BodyConfig(body=name), n, seed=2)


@pytest.mark.parametrize("name", PACKAGED)
def test_a_world_steps_and_renders(name: str) -> None:
    world = made(name)
    spec = world.spec
    assert (spec.observation_size, spec.action_size) == SIZES[name]
    start = world.reset()
    for action in np.random.default_rng(0).uniform(-1.0, 1.0, (5, 2, spec.action_size)):
        step = world.step(action)
    assert step.valid is not None
    assert step.valid.all()
    assert np.isfinite(step.observation).all()
    assert np.abs(step.observation - start).max() > 0.01
    assert not step.reward.any()
    require_opengl()
    camera = make_camera(world, size=32)
    assert camera.frames().std() > 5.0
    camera.close()


def test_an_action_of_the_kitchen_is_a_step_of_the_joints() -> None:
    world = made("kitchen", n=1)
    action = np.zeros((1, 9))
    action[0, 6], action[0, 8] = 0.5, 1.0
    before = world.positions()[0, :9].copy()
    world.step(action)
    command = world._ctrl[0]
    np.testing.assert_allclose(command[:6], before[:6])
    assert command[6] == pytest.approx(before[6] + 0.08)
    assert command[8] == 0.04  # the end of the finger's range
    assert world.spec.coordinates is None


def test_the_joints_of_the_kitchen_are_displaced_in_radians() -> None:
    """The unit of the row, with a joint in place of the arm; the package is not needed."""
    model = mujoco.MjModel.from_xml_string(PENDULUM)
    (part,) = body_spec(BodyConfig(body="kitchen"), model).action
    assert (part.name, part.scale, part.unit) == ("joint_displacement", 0.16, "rad")


@pytest.mark.parametrize("name", PACKAGED)
def test_the_names_are_worlds(name: str) -> None:
    assert name in world_names()
    assert default_config(name) == BodyConfig(body=name)
    assert is_given_by_name(name)


def test_a_package_that_is_missing_is_named() -> None:
    body = replace(DM_QUADRUPED, package="no_such_package")
    with pytest.raises(WorldError, match=r"dm-control, which is not installed; run: pip install"):
        packaged_path(body)


def test_parts_are_left_out_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small_package").mkdir()
    (tmp_path / "small_package" / "__init__.py").touch()
    (tmp_path / "small_package" / "pendulum.xml").write_text(PENDULUM)
    monkeypatch.syspath_prepend(tmp_path)
    body = replace(DM_QUADRUPED, package="small_package", mjcf="pendulum.xml")
    spec = packaged_spec(replace(body, dropped=("wall", "ball")))
    assert [geom.name for geom in spec.geoms] == ["rod"]
    message = (
        r"pendulum\.xml of the installed dm-control has no body or geom 'terrain', which Quadruped "
        r".*; install another version"
    )
    with pytest.raises(WorldError, match=message):
        packaged_spec(replace(body, dropped=("wall", "terrain")))


def test_a_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty_package").mkdir()
    (tmp_path / "empty_package" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    body = replace(KITCHEN, package="empty_package")
    with pytest.raises(WorldError, match=r"gymnasium-robotics has no envs/.*install another"):
        packaged_path(body)
