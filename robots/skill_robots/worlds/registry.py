"""Worlds by name.

- ``tabletop``: the Panda on its table.
- ``ant``, ``half_cheetah``, ...: a MuJoCo body.
- ``varied_ant``, ``crippled_ant``, ...: a MuJoCo body with hidden quantities.
- ``panda_lift``: the Panda lifts a cube of unknown mass.
- ``gymnasium:Reacher-v5``: an environment that Gymnasium knows; ``gymnasium:module:Name-v1`` if
  a module of another package registers it.
- ``my_package.module:function``: a function that returns a ``gymnasium.Env``, or the class of one.
- any other name: an entry point of the group ``skill_serve.worlds``, which names such a function.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.checked import MakeEnvironment
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_robots.worlds.lift.config import LIFT, LiftConfig
from skill_robots.worlds.lift.world import LiftWorld
from skill_robots.worlds.mujoco_world import ALL_BODIES, BodyConfig, MujocoWorld
from skill_robots.worlds.tabletop_world import TabletopWorld
from skill_robots.worlds.varied.table import VARIED
from skill_robots.worlds.varied.world import VariedConfig, VariedWorld
from skill_robots.worlds.world import World

WorldConfig = TabletopConfig | LiftConfig | BodyConfig | VariedConfig | GymnasiumConfig

ConfigWithSets = VariedConfig | LiftConfig
"""Worlds with sets of contexts: one of training, and two of tests (``contexts``)."""

TABLETOP = "tabletop"
GYMNASIUM = "gymnasium:"
GROUP = "skill_serve.worlds"
"""Group of entry points by which an installed package adds worlds."""


def default_config(name: str) -> WorldConfig:
    """Returns the configuration of a world without options."""
    if name == TABLETOP:
        return TabletopConfig()
    if name == LIFT:
        return LiftConfig()
    if name in ALL_BODIES:
        return BodyConfig(body=name)
    if name in VARIED:
        return VariedConfig(body=name, episode_steps=VARIED[name].episode_steps)
    return GymnasiumConfig(environment=name)


def world_name(config: WorldConfig) -> str:
    """Returns the name of a configuration's world."""
    match config:
        case TabletopConfig():
            return TABLETOP
        case LiftConfig():
            return LIFT
        case BodyConfig() | VariedConfig():
            return config.body
        case GymnasiumConfig():
            return config.environment


def make_world(config: WorldConfig, n: int, *, seed: int = 0, threads: int = 1) -> World:
    """Returns n scenes of a world.

    Args:
        config: The world.
        n: Number of scenes, at least 1.
        seed: Seed of all random draws, at least 0.
        threads: Physics threads, for worlds that have them.

    Raises:
        WorldError: there is no such world, it cannot be built, or ``n`` or ``seed`` is too small.
    """
    match config:
        case TabletopConfig():
            return TabletopWorld(config, n, seed=seed, threads=threads)
        case LiftConfig():
            return LiftWorld(config, n, seed=seed, threads=threads)
        case BodyConfig():
            return MujocoWorld(config, n, seed=seed, threads=threads)
        case VariedConfig():
            return VariedWorld(config, n, seed=seed, threads=threads)
        case GymnasiumConfig():
            make = find_environment(config.environment, config.settings)
            steps = config.episode_steps or _registered_steps(config.environment)
            return GymnasiumWorld(make, replace(config, episode_steps=steps), n, seed=seed)


def find_environment(name: str, settings: tuple[str, ...] = ()) -> MakeEnvironment:
    """Returns the function that makes an environment.

    Args:
        name: Name of the environment, as above.
        settings: Arguments of the function, as 'name=value' with the value in JSON.

    Raises:
        WorldError: there is no such environment.
    """
    pairs = [_parse_setting(text) for text in settings]
    arguments = dict(pairs)
    if len(arguments) < len(pairs):
        raise WorldError(f"--task.settings gives a name twice: {', '.join(settings)}")
    if name.startswith(GYMNASIUM):
        import gymnasium

        identifier = name.removeprefix(GYMNASIUM)
        if ":" in identifier:
            _see_present_folder()
        # -1: without its time limit; an episode has the length of the world's configuration.
        return partial(
            gymnasium.make,
            identifier,
            **({"max_episode_steps": -1, "disable_env_checker": True} | arguments),
        )
    module, colon, attribute = name.partition(":")
    found = _imported(name, module, attribute) if colon else _installed(name)
    if not callable(found):
        raise WorldError(
            f"the world {name!r} is a {type(found).__name__}; it must be a function that returns a "
            "gymnasium.Env"
        )
    return partial(cast("Callable[..., Any]", found), **arguments)


def world_names() -> list[str]:
    """Returns the names of the worlds that are installed, apart from Gymnasium's."""
    return [TABLETOP, *ALL_BODIES, *VARIED, LIFT, *sorted(point.name for point in _entry_points())]


def is_given_by_name(name: str) -> bool:
    """Returns whether the world of this name imports no module that name or settings choose.

    GymV21Environment and its kind, of the package shimmy, import what their arguments name.
    """
    identifier = name.removeprefix(GYMNASIUM)
    is_registered = identifier != name and ":" not in identifier
    is_built_in = name in (TABLETOP, LIFT) or name in ALL_BODIES or name in VARIED
    return is_built_in or (is_registered and "GymV" not in identifier)


def _registered_steps(name: str) -> int | None:
    """Returns the time limit with which Gymnasium registers an environment; None without one.

    The identifier may begin with the module that registers it, and end without a version, as for
    ``gymnasium.make``.
    """
    if not name.startswith(GYMNASIUM):
        return None
    import gymnasium
    from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id

    module, _, identifier = name.removeprefix(GYMNASIUM).rpartition(":")
    try:
        if module:
            import_module(module)
        namespace, plain, version = parse_env_id(identifier)
        newest = find_highest_version(namespace, plain) if version is None else version
        return gymnasium.spec(get_env_id(namespace, plain, newest)).max_episode_steps
    except Exception:
        return None  # making it gives the reason


def _entry_points() -> Iterable[Any]:
    return entry_points(group=GROUP)


def _see_present_folder() -> None:
    """Lets imports find modules of the folder in which the command runs, as `python -m` does."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())


def _imported(name: str, module: str, attribute: str) -> object:
    _see_present_folder()
    try:
        found: object = import_module(module)
    except Exception as error:  # whatever a stranger's module raises
        raise WorldError(
            f"the world {name!r} names the module {module!r}, which cannot be imported: {error}. "
            "Install it, or run the command in its folder; the form is my_package.my_module:make"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise WorldError(f"the module {module!r} of the world {name!r} has no {attribute!r}")
        found = getattr(found, part)
    return found


def _installed(name: str) -> object:
    for point in _entry_points():
        if point.name == name:
            try:
                return point.load()
            except Exception as error:
                raise WorldError(
                    f"the installed world {name!r} cannot be loaded: {error}"
                ) from error
    raise WorldError(
        f"there is no world {name!r}; choose one of {', '.join(world_names())}, an environment of "
        "Gymnasium as 'gymnasium:Reacher-v5', or a function as 'my_module:make_environment'"
    )


def _parse_setting(text: str) -> tuple[str, Any]:
    """Returns name and value of 'name=value'; a value that is no JSON is a string."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise WorldError(
            f"--task.settings takes 'name=value', got {text!r}; for example "
            "exclude_current_positions_from_observation=false"
        )
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
