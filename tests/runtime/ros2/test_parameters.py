"""ROS parameters are checked in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_runtime.ros2.parameters import (
    ParameterError,
    Ros2Parameters,
    list_parameters,
    read_parameters,
)

DEFAULTS = {parameter.name: parameter.default for parameter in list_parameters()}


def read(**given: object) -> Ros2Parameters:
    return read_parameters({**DEFAULTS, **given}.__getitem__)


def test_defaults_are_those_of_the_class() -> None:
    assert read() == Ros2Parameters()


def test_a_whole_number_serves_as_a_time() -> None:
    assert read(silence_s=2).silence_s == 2.0


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"priority": 10}, "priority: Input should be less than or equal to 9, got 10"),
        ({"priority": 1.5}, "priority: Input should be a valid integer"),
        ({"target": "both"}, "target: Input should be 'pose' or 'joint', got 'both'"),
        ({"silence_s": float("nan")}, "silence_s: "),
        ({"holder": ""}, "holder: String should have at least 1 character"),
    ],
)
def test_a_wrong_value_is_named(given: dict[str, object], text: str) -> None:
    with pytest.raises(ParameterError) as error:
        read(**given)
    assert f"ROS parameter {text}" in str(error.value)


def test_the_documentation_lists_every_parameter_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs" / "ros2.md").read_text()
    for parameter in list_parameters():
        default = parameter.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| `{parameter.name}` | {f'`{shown}`' if shown else 'empty'} |" in page
