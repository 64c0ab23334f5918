"""The viewer's mirror of the scene; its window needs a screen and is not opened here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from tests.support.served import Served

from skill_proto.messages import Telemetry
from skill_runtime.authority.authority import Authority
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.subscribers.viewer import Mirror, no_display

TelemetryOf = Callable[..., Telemetry]
"""See conftest.py."""


def test_hand_and_cube_are_where_telemetry_says(
    telemetry_of: TelemetryOf, pilot: ArmController
) -> None:
    authority = Authority()
    authority.demo("skill", np.array([0.0, 1.0]))
    for _ in range(300):
        pilot.step(authority, 0.0)
    pilot.step(authority, 0.0)
    state = telemetry_of(pilot, authority)
    mirror = Mirror()
    mirror.follow(state)
    np.testing.assert_allclose(
        mirror.data.site("end_effector").xpos, state.end_effector_position, atol=1e-5
    )
    np.testing.assert_allclose(
        mirror.data.body("cube").xpos, state.objects["cube"].position, atol=1e-5
    )
    fingers = [mirror.data.body(f"panda_{side}finger").xpos for side in ("left", "right")]
    assert state.gripper_width is not None
    assert np.linalg.norm(fingers[0] - fingers[1]) == pytest.approx(state.gripper_width, abs=1e-3)


def test_numbers_that_are_none_leave_the_mirror_as_it_was(
    telemetry_of: TelemetryOf, pilot: ArmController
) -> None:
    mirror = Mirror()
    state = telemetry_of(pilot)
    mirror.follow(state)
    before = mirror.data.qpos.copy()
    nothing = state.model_copy(update={"joint_position": (None,) * 7, "gripper_width": None})
    mirror.follow(nothing)
    np.testing.assert_array_equal(mirror.data.qpos, before)


def test_objects_it_has_no_model_of_are_passed_over(
    telemetry_of: TelemetryOf, pilot: ArmController
) -> None:
    state = telemetry_of(pilot)
    strange = state.model_copy(update={"objects": {"teapot": state.objects["cube"]}})
    Mirror().follow(strange)


def test_a_screen_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY" in no_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert no_display() == ""


def test_its_process_without_a_screen_ends_without_harm(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "skill_runtime.subscribers.viewer",
            served.server.addresses.telemetry,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no screen" in done.stderr
    assert "Traceback" not in done.stderr
