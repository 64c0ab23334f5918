"""Worlds by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.registry import (
    default_config,
    is_given_by_name,
    make_world,
    world_name,
    world_names,
)

POINT = "tests.robots.worlds.environments:Point"


@pytest.mark.parametrize(
    ("name", "observation", "action"),
    [
        ("tabletop", 28, 3),
        ("panda_lift", 5, 2),
        ("ant", 29, 8),
        ("half_cheetah", 18, 6),
        ("gymnasium:Reacher-v5", 10, 2),
        ("gymnasium:Pusher-v5", 23, 7),
        (POINT, 2, 1),
    ],
)
def test_a_world_of_each_kind(name: str, observation: int, action: int) -> None:
    made = make_world(default_config(name), 2)
    assert (made.spec.name, made.n) == (name, 2)
    assert (made.spec.observation_size, made.spec.action_size) == (observation, action)
    assert made.reset().shape == (2, observation)
    step = made.step(np.zeros((2, action)))
    assert step.observation.shape == (2, observation)
    assert step.reward.shape == step.terminated.shape == step.ended.shape == (2,)
    made.close()


@pytest.mark.parametrize(
    ("name", "steps"), [("gymnasium:Reacher-v5", 50), ("gymnasium:Pusher-v5", 100), (POINT, 200)]
)
def test_an_episode_has_the_registered_length(name: str, steps: int) -> None:
    made = make_world(default_config(name), 1)
    assert made.spec.episode_steps == steps
    for _ in range(60):  # beyond the limit of Reacher: its own does not end the episode
        ended = made.step(np.zeros((1, made.spec.action_size))).ended
        if ended[0]:
            break
    assert ended[0] == (name == POINT)
    made.close()


@pytest.fixture
def registered() -> Iterator[None]:
    """An environment of another package, which importing its module has registered."""
    gymnasium.register("strangers/Point-v3", entry_point=POINT, max_episode_steps=17)
    yield
    del gymnasium.registry["strangers/Point-v3"]


@pytest.mark.usefixtures("registered")
def test_a_module_may_register_the_environment() -> None:
    name = "gymnasium:tests.robots.worlds.environments:strangers/Point-v3"
    assert make_world(default_config(name), 1).spec.episode_steps == 17
    assert not is_given_by_name(name)


@pytest.mark.usefixtures("registered")
def test_without_a_version_the_newest_one_counts() -> None:
    with pytest.warns(UserWarning, match="latest versioned"):
        made = make_world(default_config("gymnasium:strangers/Point"), 1)
    assert made.spec.episode_steps == 17


def test_settings_are_arguments_of_the_environment() -> None:
    config = GymnasiumConfig(environment=POINT, settings=("gain=2.0",))
    made = make_world(config, 1)
    before = made.reset()[0, 0]
    assert made.step(np.ones((1, 1))).observation[0, 0] - before == pytest.approx(8.0)


def test_settings_of_gymnasium_are_json() -> None:
    config = GymnasiumConfig(
        environment="gymnasium:HalfCheetah-v5",
        settings=("exclude_current_positions_from_observation=false",),
    )
    made = make_world(config, 1)
    assert made.spec.observation_size == 18
    made.close()


def test_a_module_of_the_present_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_world.py").write_text(
        "from tests.robots.worlds.environments import Point\n\n\ndef make():\n    return Point()\n"
    )
    monkeypatch.chdir(tmp_path)
    made = make_world(default_config("my_world:make"), 1)
    assert made.spec.title == "the environment 'my_world:make'"


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        ("ants", (), "no world 'ants'; choose one of tabletop, ant, half_cheetah"),
        ("gymnasium:Nothing-v5", (), "cannot be made.*Nothing"),
        ("", (), "no world ''; choose one of"),
        (":make", (), "the module '', which cannot be imported"),
        ("./my_world.py:make", (), "cannot be imported.*my_package.my_module:make"),
        ("no_module:make", (), "'no_module', which cannot be imported.*Install it"),
        ("math:make", (), "'math' of the world 'math:make' has no 'make'"),
        ("math:pi", (), "is a float; it must be a function"),
        (POINT, ("gain",), "takes 'name=value', got 'gain'"),
        (POINT, ("gain=1", "gain=2"), "gives a name twice: gain=1, gain=2"),
        (POINT, ("weight=1",), "cannot be made.*weight"),
    ],
)
def test_a_name_or_option_that_does_not_fit_is_explained(
    name: str, settings: tuple[str, ...], text: str
) -> None:
    with pytest.raises(WorldError, match=text):
        make_world(GymnasiumConfig(environment=name, settings=settings), 1)


@pytest.mark.parametrize("name", ["tabletop", "ant", "gymnasium:Reacher-v5", POINT])
def test_a_configuration_names_its_world(name: str) -> None:
    assert world_name(default_config(name)) == name


def test_the_names_of_the_built_in_worlds() -> None:
    assert world_names()[:3] == ["tabletop", "ant", "half_cheetah"]
