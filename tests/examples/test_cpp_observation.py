"""The observation that the C++ example computes is that of docs/policy-file.md."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.examples.conftest import SOURCES, build

from skill_proto.arrays import Array

ROOT = Path(__file__).parents[2]
FIELDS = (
    *("end_effector_position", "end_effector_velocity", "cube_position", "cube_quaternion"),
    *("cube_velocity", "cube_angular_velocity", "cube_from_end_effector", "setpoint_gap"),
    "setpoint_velocity",
)
"""Fields of the numeric example, in its order."""

LINK = """
cmake_minimum_required(VERSION 3.16)
project(observe LANGUAGES CXX)
find_package(nlohmann_json 3.9 REQUIRED)
add_executable(observe observe.cpp)
target_compile_features(observe PRIVATE cxx_std_17)
target_include_directories(observe PRIVATE "{sources}")
target_link_libraries(observe PRIVATE nlohmann_json::nlohmann_json)
"""
OBSERVE = """
#include <iostream>
#include "observation.hpp"
int main() {
  const nlohmann::json given = nlohmann::json::parse(std::cin);
  std::cout << nlohmann::json(observation_fields(given[0], given[1], given[2]));
}
"""


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    """The numeric example of docs/policy-file.md."""
    page = (ROOT / "docs" / "policy-file.md").read_text(encoding="utf-8")
    found = re.search(r"## A numeric example\n.*?```jsonc\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def turned_back(quaternion: Array, angular_velocity: Array, seconds: float) -> Array:
    """Returns the orientation some time earlier, to first order; the norm is 1."""
    scalar, vector = quaternion[0], quaternion[1:]
    half = -0.5 * seconds * angular_velocity
    turned = [scalar - half @ vector, *(vector + scalar * half + np.cross(half, vector))]
    return np.array(turned) / np.linalg.norm(turned)


def message(example: dict[str, Any], tick: int, before_s: float, sign: float) -> dict[str, Any]:
    """Returns the telemetry some time before the moment of the example."""

    def earlier(name: str, velocity: str) -> list[float]:
        return (np.array(example[name]) - before_s * np.array(example[velocity])).tolist()

    turn, turns = np.array(example["cube_quaternion"]), np.array(example["cube_angular_velocity"])
    return {
        "tick": tick,
        "joint_position": example["joint_position"],
        "joint_velocity": example["joint_velocity"],
        "joint_setpoint": earlier("setpoint_joint_position", "setpoint_joint_velocity"),
        "end_effector_position": example["end_effector_position"],
        "end_effector_velocity": example["observation"][3:6],
        "gripper_width": 0.0,
        "objects": {
            "cube": {
                "position": earlier("cube_position", "cube_velocity"),
                "quaternion": (sign * turned_back(turn, turns, before_s)).tolist(),
            }
        },
    }


@pytest.fixture(scope="module")
def observe(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A program that prints the fields of two messages; ``programs`` skips without a compiler."""
    folder = tmp_path_factory.mktemp("observe")
    (folder / "CMakeLists.txt").write_text(LINK.format(sources=SOURCES), encoding="utf-8")
    (folder / "observe.cpp").write_text(OBSERVE, encoding="utf-8")
    for words in (("-S", str(folder), "-B", str(folder)), ("--build", str(folder))):
        done = build(*words)
        assert done.returncode == 0, done.stdout + done.stderr
    return str(folder / "observe")


@pytest.mark.parametrize("signs", [(1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)])
def test_the_observation_is_that_of_the_page(
    observe: str, example: dict[str, Any], signs: tuple[float, float]
) -> None:
    servo_period_s, ticks = 1e-4, 2
    before = message(example, 7, ticks * servo_period_s, signs[0])
    now = message(example, 7 + ticks, 0.0, signs[1])
    given = json.dumps([before, now, servo_period_s])
    done = subprocess.run([observe], input=given, capture_output=True, text=True, check=True)
    fields = json.loads(done.stdout)
    found = np.concatenate([fields[name] for name in FIELDS])
    np.testing.assert_allclose(found, example["observation"], atol=5e-4)
    assert fields["gripper_width"] == [0.0]
    assert fields["joint_position"] == example["joint_position"]
