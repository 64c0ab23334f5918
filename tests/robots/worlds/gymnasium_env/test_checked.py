"""Environments of a user that are wrong in some way: the error names environment and fault."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from gymnasium.spaces import Box
from tests.robots.worlds.environments import Point

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld


def changed(**methods: Callable[..., Any]) -> Callable[[], Any]:
    """Returns a function that makes a Point with other methods."""
    return lambda: type("Changed", (Point,), methods)()


def world(make: Callable[[], Any], hidden: tuple[str, ...] = ()) -> GymnasiumWorld:
    return GymnasiumWorld(make, GymnasiumConfig(environment="mine", hidden=hidden), 2, seed=5)


def stepped(change: Callable[[tuple[Any, ...]], Any]) -> Callable[[], Any]:
    """Returns a function that makes a Point whose step has another result."""
    return changed(step=lambda self, action: change(Point.step(self, action)))


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> None:
        raise error

    return method


def observed(value: object) -> dict[str, Any]:
    return {"position": np.float32([value]), "velocity": np.float32([0.0])}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda r: r[:4], "returns 4 values from its step; this takes five values"),
        (lambda _: None, "returns a NoneType from its step"),
        (lambda r: ({"position": r[0]["position"]}, *r[1:]), "no 'velocity' in the observation"),
        (lambda r: (np.zeros(2), *r[1:]), "a ndarray from its step; this takes a dict"),
        (
            lambda r: ({"position": np.zeros(3), "velocity": np.zeros(1)}, *r[1:]),
            r"gives 'position' the shape \(3,\) in its step; its observation space says \(1,\)",
        ),
        (lambda r: (observed(np.nan), *r[1:]), r"gives position\.0 the value nan in its step"),
        (lambda r: (observed(np.inf), *r[1:]), r"gives position\.0 the value inf"),
        (
            lambda r: (r[0], np.nan, *r[2:]),
            "the reward of its step the value nan; it must be",
        ),
        (
            lambda r: (r[0], "much", *r[2:]),
            "the reward of its step the value 'much'; this takes",
        ),
        (lambda r: (r[0], np.zeros(2), *r[2:]), "the reward of its step"),
        (lambda r: (*r[:2], np.zeros(2), *r[3:]), "terminated the value .*True or False"),
        (lambda r: (*r[:3], "no", r[4]), "truncated the value 'no'"),
    ],
)
def test_a_wrong_result_of_a_step_is_named(change: Callable[..., Any], text: str) -> None:
    made = world(stepped(change))
    with pytest.raises(WorldError, match=f"the environment 'mine' .*{text}"):
        made.step(np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ConnectionError("robot lost"),
            r"ConnectionError: robot lost \(test_checked.py, line \d+\)",
        ),
        (KeyError("arm"), r"KeyError: 'arm' \("),
        (SystemExit(7), r"it ends the process \(SystemExit\(7\)\)"),
    ],
)
def test_an_error_of_a_step_is_named(error: BaseException, text: str) -> None:
    made = world(changed(step=raising(error)))
    with pytest.raises(WorldError, match=f"'mine' fails in its step: {text}"):
        made.step(np.zeros((2, 1)))


@pytest.mark.parametrize(
    ("reset", "text"),
    [
        (lambda self, **_: observed(0.0), "returns a dict from its reset; this takes two values"),
        (lambda self, **_: None, "returns a NoneType from its reset"),
        (lambda self: (observed(0.0), {}), "fails in its reset: TypeError: .*seed.*check_env"),
        (lambda self, **_: (observed(np.nan), {}), r"gives position\.0 the value nan in its reset"),
        (raising(RuntimeError("no power")), "fails in its reset: RuntimeError: no power"),
    ],
)
def test_a_wrong_reset_is_named(reset: Callable[..., Any], text: str) -> None:
    with pytest.raises(WorldError, match=text):
        world(changed(reset=reset))


@pytest.mark.parametrize(
    ("info", "text"),
    [
        ({}, "reports no 'mass' in the info of its reset, only nothing"),
        (None, "reports no 'mass'"),
        ({"mass": np.nan}, r"gives info\['mass'\] the value nan"),
        ({"mass": "heavy"}, r"gives info\['mass'\] the value 'heavy'"),
        ({"mass": [1.0, 2.0]}, r"gives info\['mass'\] the value \[1.0, 2.0\]"),
    ],
)
def test_a_wrong_hidden_quantity_is_named(info: object, text: str) -> None:
    make = changed(reset=lambda self, **_: (observed(0.0), info))
    with pytest.raises(WorldError, match=text):
        world(make, ("mass",))


def test_hidden_quantities_are_exact_if_the_first_is_an_integer() -> None:
    masses = iter([1, 3.5])
    shared = changed(reset=lambda self, **_: (observed(0.0), {"mass": next(masses)}))
    assert world(shared, ("mass",)).hidden().tolist() == [[1.0], [3.5]]


def test_a_scene_that_omits_a_hidden_quantity_is_refused() -> None:
    infos = iter([{"mass": 1.0}, {}])
    shared = changed(reset=lambda self, **_: (observed(0.0), next(infos)))
    with pytest.raises(WorldError, match="reports no 'mass'"):
        world(shared, ("mass",))


def test_an_environment_without_spaces_is_named() -> None:
    def make() -> Point:
        made = Point()
        del made.action_space
        return made

    with pytest.raises(WorldError, match="'mine' has no action_space"):
        world(make)


def test_an_environment_that_cannot_be_closed_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = world(changed(close=raising(OSError("busy"))))
    with caplog.at_level(logging.WARNING):
        made.close()
    assert "'mine' fails in its close: OSError: busy" in caplog.text


@pytest.mark.parametrize(
    ("low", "high", "scale", "offset"),
    [
        ([-1.0, -1.0], [1.0, 1.0], 1.0, 0.0),
        ([0.0, -5.0], [10.0, 1.0], (5.0, 3.0), (5.0, -2.0)),
        ([-2.0, -2.0], [4.0, 4.0], 3.0, 1.0),
    ],
)
def test_the_action_of_the_manifest_is_that_of_training(
    low: list[float], high: list[float], scale: object, offset: object
) -> None:
    """The physical value is offset + scale a: -1 and 1 are the bounds."""

    def make() -> Point:
        made = Point()
        made.action_space = Box(np.float32(low), np.float32(high))
        return made

    (part,) = world(make).spec.action
    assert (part.scale, part.offset) == (scale, offset)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [([], [], "has no entry"), ([0.0, 1.0], [1.0, 1.0], "has entry 1 with the range 1 to 1")],
)
def test_an_action_without_a_range_is_refused(
    low: list[float], high: list[float], text: str
) -> None:
    def make() -> Point:
        made = Point()
        made.action_space = Box(np.float32(low), np.float32(high))
        return made

    with pytest.raises(WorldError, match=text):
        world(make)


def ends() -> Point:
    """An environment whose process ends in a step."""
    return cast("Point", changed(step=lambda self, action: os._exit(3))())


def test_a_process_that_ends_is_named() -> None:
    config = GymnasiumConfig(environment="mine", processes=True)
    made = GymnasiumWorld(ends, config, 2, seed=5)
    with pytest.raises(WorldError, match=r"a process of the environment 'mine' has ended"):
        made.step(np.zeros((2, 1)))
    made.close()
