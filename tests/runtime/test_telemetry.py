"""What the loop publishes, and the line made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skill_proto.messages import Telemetry
from skill_robots.mujoco_arm import MujocoArm
from skill_runtime.authority import Authority
from skill_runtime.pilot import Pilot
from skill_runtime.policy import OnnxPolicy
from skill_runtime.status import status_line

TelemetryOf = Callable[..., Telemetry]
"""See conftest.py."""


def test_the_status_line_tells_it_all(telemetry_of: TelemetryOf, pilot: Pilot) -> None:
    authority = Authority()
    authority.note("refused: x", "rejected.invalid")
    line = status_line(telemetry_of(pilot, authority))
    for word in ("hold", "lease free", "cube [", "hand [", "tick 0.00/0.00 ms", "missed 0"):
        assert word in line
    assert "refused 1" in line
    authority.stop("smoke")
    assert "stop: smoke" in status_line(telemetry_of(pilot, authority))


def test_what_is_not_finite_is_null_and_named(telemetry_of: TelemetryOf, pilot: Pilot) -> None:
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
    pilot = Pilot(MujocoArm(), OnnxPolicy(make_policy_file(tmp_path, recurrent=True)))
    authority = Authority()
    authority.show("skill", np.array([0.0, 1.0]))
    pilot.step(authority)
    state = telemetry_of(pilot, authority)
    assert state.context == pytest.approx(pilot.state.objects["cube"].position[:2], abs=1e-6)
