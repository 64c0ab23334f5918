"""What the loop publishes, and the line made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skill_proto.messages import Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.authority import Authority
from skill_runtime.cli.serve_status import status_line
from skill_runtime.console.text import state_line, watch_line
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy.onnx_policy import OnnxPolicy

TelemetryOf = Callable[..., Telemetry]
"""See conftest.py."""


def test_the_status_line_tells_it_all(telemetry_of: TelemetryOf, pilot: ArmController) -> None:
    authority = Authority()
    authority.note("refused: x", "rejected.invalid")
    line = status_line(telemetry_of(pilot, authority))
    for word in ("hold", "lease free", "cube [", "hand [", "tick 0.00/0.00 ms", "missed 0"):
        assert word in line
    assert "refused 1" in line
    authority.stop("smoke")
    assert "stop: smoke" in status_line(telemetry_of(pilot, authority))


def test_what_is_not_finite_is_null_and_named(
    telemetry_of: TelemetryOf, pilot: ArmController
) -> None:
    pilot.state.joint_velocity[2] = np.nan
    state = telemetry_of(pilot)
    assert state.joint_velocity[2] is None
    assert state.joint_velocity[1] is not None
    assert "joint_velocity" in state.not_finite
    text = state.model_dump_json()
    assert "NaN" not in text
    again = Telemetry.model_validate_json(text, strict=True)
    assert again.joint_velocity[2] is None


def test_a_policy_with_memory_publishes_its_context(
    telemetry_of: TelemetryOf, make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    pilot = ArmController(MujocoArm(), OnnxPolicy(make_policy_file(tmp_path, recurrent=True)))
    authority = Authority()
    authority.demo("skill", np.array([0.0, 1.0]))
    pilot.step(authority, 0.0)
    state = telemetry_of(pilot, authority)
    assert state.context == pytest.approx(pilot.state.objects["cube"].position[:2], abs=1e-6)
    assert state.context_distance is None
    assert state.context_estimate is None


@pytest.fixture
def goal_pilot(goal_file: Path) -> tuple[ArmController, Authority]:
    """Has acted once: the context is cube xy; its distance will be 5 times its length."""
    pilot, authority = ArmController(MujocoArm(seed=4), OnnxPolicy(goal_file)), Authority()
    authority.demo("goal", np.array([0.1, 0.1]))
    pilot.step(authority, 0.0)
    return pilot, authority


def test_estimates_and_distance_are_published_by_name(
    telemetry_of: TelemetryOf, goal_pilot: tuple[ArmController, Authority]
) -> None:
    pilot, authority = goal_pilot
    cube = pilot.state.objects["cube"].position[:2]
    state = telemetry_of(pilot, authority)
    assert state.context_estimate == {
        "cube_mass": pytest.approx(np.exp(cube[0]), abs=1e-5),
        "cube_table_friction": pytest.approx(np.exp(cube[1]), abs=1e-5),
    }
    assert (state.context_distance, state.not_finite) == (None, ())  # the memory is too young
    for _ in range(49 * pilot.ticks_per_action):
        pilot.step(authority, 0.0)
    state = telemetry_of(pilot, authority)
    assert state.context_distance == pytest.approx(5 * np.linalg.norm(state.context), abs=1e-4)
    assert Telemetry.model_validate_json(state.model_dump_json(), strict=True) == state
    authority.stop("test")
    pilot.step(authority, 0.0)
    held = telemetry_of(pilot, authority)
    assert (held.context, held.context_distance, held.context_estimate) == (None, None, None)


def test_an_estimate_that_is_not_finite_is_null_and_named(
    telemetry_of: TelemetryOf, goal_pilot: tuple[ArmController, Authority]
) -> None:
    pilot, authority = goal_pilot
    assert pilot.output is not None
    assert pilot.output.estimate is not None
    pilot.output.estimate[0, 1] = np.inf
    state = telemetry_of(pilot, authority)
    assert state.context_estimate is not None
    assert state.context_estimate["cube_table_friction"] is None
    assert state.not_finite == ("context_estimate.cube_table_friction",)


def test_the_line_says_what_the_policy_takes_the_object_for(
    telemetry_of: TelemetryOf, goal_pilot: tuple[ArmController, Authority]
) -> None:
    pilot, authority = goal_pilot
    state = telemetry_of(pilot, authority)
    usual = state.model_copy(
        update={
            "context_estimate": {"cube_mass": 1.234, "cube_table_friction": 0.06},
            "context_distance": 0.9,
        }
    )
    line = status_line(usual, pilot.manifest)
    assert "takes cube_mass 1.23 kg, cube_table_friction 0.0600, distance 0.90" in line
    assert "unusual" not in line
    unusual = usual.model_copy(update={"context_distance": 1.7})
    assert "distance 1.70 (unusual)" in watch_line(unusual, None, pilot.manifest)
    unknown = usual.model_copy(update={"context_estimate": {"cube_mass": None}})
    assert "takes cube_mass ?" in state_line(unknown)
