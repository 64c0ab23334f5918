"""Worlds by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_world import GymnasiumConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import WorldConfig, default_config, make_world, world_names

POINT = "tests.robots.worlds.environments:Point"


@pytest.mark.parametrize(
    ("name", "observation", "action"),
    [
        ("tabletop", 28, 3),
        ("ant", 29, 8),
        ("half_cheetah", 18, 6),
        ("gymnasium:Reacher-v5", 10, 2),
        ("gymnasium:Pusher-v5", 23, 7),
        (POINT, 2, 1),
    ],
)
def test_a_world_of_each_kind(name: str, observation: int, action: int) -> None:
    made = make_world(name, default_config(name), 2)
    assert (made.spec.name, made.n) == (name, 2)
    assert (made.spec.observation_size, made.spec.action_size) == (observation, action)
    assert made.reset().shape == (2, observation)
    step = made.step(np.zeros((2, action)))
    assert step.observation.shape == (2, observation)
    assert step.reward.shape == step.terminated.shape == step.ended.shape == (2,)
    made.close()


def test_settings_are_arguments_of_the_environment() -> None:
    config = GymnasiumConfig(settings=("gain=2.0",))
    made = make_world(POINT, config, 1)
    before = made.reset()[0, 0]
    assert made.step(np.ones((1, 1))).observation[0, 0] - before == pytest.approx(8.0)


def test_settings_of_gymnasium_are_json() -> None:
    settings = ("exclude_current_positions_from_observation=false",)
    made = make_world("gymnasium:HalfCheetah-v5", GymnasiumConfig(settings=settings), 1)
    assert made.spec.observation_size == 18
    made.close()


def test_a_module_of_the_present_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_world.py").write_text(
        "from tests.robots.worlds.environments import Point\n\n\ndef make():\n    return Point()\n"
    )
    monkeypatch.chdir(tmp_path)
    made = make_world("my_world:make", GymnasiumConfig(), 1)
    assert made.spec.title == "the environment 'my_world:make'"


@pytest.mark.parametrize(
    ("name", "config", "text"),
    [
        ("ants", GymnasiumConfig(), "no world 'ants'; choose one of tabletop, ant, half_cheetah"),
        ("gymnasium:Nothing-v5", GymnasiumConfig(), "cannot be made.*Nothing"),
        ("no_module:make", GymnasiumConfig(), "'no_module', which cannot be imported.*Install it"),
        ("math:make", GymnasiumConfig(), "'math' of the world 'math:make' has no 'make'"),
        ("math:pi", GymnasiumConfig(), "is a float; it must be a function"),
        (POINT, GymnasiumConfig(settings=("gain",)), "takes 'name=value', got 'gain'"),
        (POINT, GymnasiumConfig(settings=("weight=1",)), "cannot be made.*weight"),
        ("ant", TabletopConfig(), "'ant' takes a BodyConfig, got a TabletopConfig"),
        ("tabletop", BodyConfig(), "takes a TabletopConfig, got a BodyConfig"),
    ],
)
def test_a_name_or_option_that_does_not_fit_is_explained(
    name: str, config: WorldConfig, text: str
) -> None:
    with pytest.raises(WorldError, match=text):
        make_world(name, config, 1)


def test_the_names_of_the_built_in_worlds() -> None:
    assert world_names()[:3] == ["tabletop", "ant", "half_cheetah"]
