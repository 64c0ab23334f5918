"""The viewer's mirror of the scene; the window needs a screen and is not tested."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import zmq
from tests.support.controller_bench import update
from tests.support.served import Served

from skill_proto.messages import Telemetry
from skill_proto.wire import pack
from skill_runtime.authority.authority import Authority
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.subscribers.viewer import Mirror, Viewer, read_state

TelemetryOf = Callable[..., Telemetry]
"""See conftest.py."""


def test_gripper_and_cube_are_at_the_poses_of_telemetry(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    authority = Authority()
    authority.demo("skill", np.array([0.0, 1.0]))
    for _ in range(300):
        update(controller, authority)
    update(controller, authority)
    state = telemetry_of(controller, authority)
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


def test_numbers_that_are_not_finite_leave_the_mirror_unchanged(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    mirror = Mirror()
    state = telemetry_of(controller)
    mirror.follow(state)
    before = mirror.data.qpos.copy()
    unknown = state.model_copy(update={"joint_position": (None,) * 7, "gripper_width": None})
    mirror.follow(unknown)
    np.testing.assert_array_equal(mirror.data.qpos, before)


def test_unknown_objects_are_ignored(telemetry_of: TelemetryOf, controller: ArmController) -> None:
    state = telemetry_of(controller)
    strange = state.model_copy(update={"objects": {"teapot": state.objects["cube"]}})
    Mirror().follow(strange)


def test_without_a_screen_the_process_ends_with_a_message(
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


def test_a_viewer_that_cannot_be_started_does_not_stop_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    viewer = Viewer("tcp://127.0.0.1:1")
    with caplog.at_level(logging.WARNING):
        viewer.open()
    viewer.close()
    assert "the viewer cannot be started (No such file or directory)" in caplog.text


def test_a_message_that_is_no_telemetry_is_ignored(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    state = telemetry_of(controller)
    with zmq.Context() as context, context.socket(zmq.PUSH) as ours:
        port = ours.bind_to_random_port("tcp://127.0.0.1")
        with context.socket(zmq.PULL) as socket:
            socket.connect(f"tcp://127.0.0.1:{port}")
            for message in (b"no telemetry", b'{"type":"telemetry"}', pack(state)[0]):
                ours.send(message)
            assert [read_state(socket) for _ in range(3)] == [None, None, state]
