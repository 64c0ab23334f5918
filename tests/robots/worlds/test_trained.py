"""The world of a policy file, which is data and chooses no code."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from skill_robots.worlds.errors import UntrustedWorldError, WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.trained import trained_config
from skill_robots.worlds.varied.world import VariedConfig

REACHER = "gymnasium:Reacher-v5"


def test_a_built_in_world_has_the_settings_of_training() -> None:
    settings = {"body": "ant", "episode_steps": 30}
    expected = BodyConfig(body="ant", episode_steps=30)
    assert trained_config("ant", settings, "a", is_named=False) == expected
    assert trained_config("ant", {}, "a", is_named=False) == BodyConfig(body="ant")
    crippled = VariedConfig(body="crippled_hopper", episode_steps=1000, contexts="extreme")
    settings = {"contexts": "extreme"}
    assert trained_config("crippled_hopper", settings, "a", is_named=False) == crippled


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        (
            "this:make",
            {"environment": "this:make"},
            "a was trained in .*'this:make'",
        ),
        ("this:make", {}, "code of your own"),
        ("gymnasium:this:Name-v1", {"environment": "gymnasium:this:Name-v1"}, "code of your own"),
        (REACHER, {"environment": REACHER, "settings": ["x=1"]}, r"with the settings \['x=1'\]"),
    ],
)
def test_code_and_its_arguments_must_be_named(
    name: str, settings: dict[str, Any], text: str
) -> None:
    with pytest.raises(UntrustedWorldError, match=text):
        trained_config(name, settings, "a", is_named=False)
    given = tuple(settings.get("settings", ()))
    expected = GymnasiumConfig(environment=name, settings=given)
    assert trained_config(name, settings, "a", is_named=True) == expected
    assert "this" not in sys.modules


@pytest.mark.parametrize(
    ("name", "settings", "text"),
    [
        (REACHER, {"environment": "evil:make"}, "contradicts itself.*Reacher.*'evil:make'"),
        ("ant", {"body": "hopper"}, "contradicts itself"),
        ("ant", {"body": "ant", "speed": 3}, "settings of the world 'ant' in a: .*speed"),
        ("ant", {"environment": "evil:make"}, "settings of the world 'ant'"),
    ],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_settings_of_another_world_are_refused(
    name: str, settings: dict[str, Any], text: str, is_named: bool
) -> None:
    with pytest.raises(WorldError, match=text):
        trained_config(name, settings, "a", is_named=is_named)
