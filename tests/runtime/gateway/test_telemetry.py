"""Telemetry messages, and the status line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.controller_bench import update

from skill_proto.messages import Connection, Headroom, Telemetry
from skill_robots.arm import ArmConnection, ArmState
from skill_robots.motion.governor import Headroom as GovernorHeadroom
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.authority import Authority
from skill_runtime.cli.serve_status import status_line
from skill_runtime.console.text import state_line, watch_line
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy

TelemetryOf = Callable[..., Telemetry]
"""See conftest.py."""


def test_the_status_line_has_mode_lease_scene_and_timing(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    authority = Authority()
    authority.events.record_event("refused: x", "rejected.invalid")
    line = status_line(telemetry_of(controller, authority))
    for word in (
        "hold",
        "lease free",
        "cube [",
        "end effector [",
        "tick 0.00/0.00 ms",
        "overruns 0",
    ):
        assert word in line
    assert "refused 1" in line
    authority.stop("smoke")
    assert "stop: smoke" in status_line(telemetry_of(controller, authority))


def test_a_number_that_is_not_finite_is_null_and_named(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    controller.state.joint_velocity[2] = np.nan
    state = telemetry_of(controller)
    assert state.joint_velocity[2] is None
    assert state.joint_velocity[1] is not None
    assert "joint_velocity" in state.not_finite
    text = state.model_dump_json()
    assert "NaN" not in text
    again = Telemetry.model_validate_json(text, strict=True)
    assert again.joint_velocity[2] is None


def test_an_object_without_a_pose_is_awaited(
    telemetry_of: TelemetryOf, controller: ArmController, policy_file: Path
) -> None:
    assert telemetry_of(controller).awaited_objects == ()
    tracker = ObjectTracker(TrackConfig(objects=("cube", "tray")))
    waiting = ArmController(MujocoArm(), OnnxPolicy(policy_file), tracker)
    state = telemetry_of(waiting)
    assert state.awaited_objects == ("cube", "tray")
    assert "NO POSE YET: cube, tray" in state_line(state)


def test_the_connection_of_a_real_arm_is_published(
    telemetry_of: TelemetryOf, policy_file: Path
) -> None:
    arm = ConnectedArm()
    controller = ArmController(arm, OnnxPolicy(policy_file))
    state = telemetry_of(controller)
    assert state.connection == Connection(
        success_rate=0.97,
        missed_setpoints=2,
        lateness_s=0.0015,
        reflexes=1,
        last_reflex=("cartesian_reflex", "joint_velocity_violation"),
    )
    assert Telemetry.model_validate_json(state.model_dump_json(), strict=True) == state
    assert (
        "connection 97 %, missed 2, reflexes 1 (last: cartesian_reflex, joint_velocity_violation)"
        in state_line(state)
    )
    arm.connection = replace(arm.connection, success_rate=None, missed_setpoints=0, reflexes=0)
    for _ in range(2):  # the second reads the state after the first
        update(controller, Authority())
    state = telemetry_of(controller)
    assert state.connection is not None
    assert state.connection.success_rate is None
    assert state_line(state).endswith("  connection")


def test_a_simulated_arm_has_no_connection(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    state = telemetry_of(controller)
    assert state.connection is None
    assert "connection" not in state_line(state)


class ConnectedArm(MujocoArm):
    """An arm that reports the quality of its connection."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = ArmConnection(
            success_rate=0.97,
            missed_setpoints=2,
            lateness_s=0.0015,
            reflexes=1,
            last_reflex=("cartesian_reflex", "joint_velocity_violation"),
        )

    def read(self) -> ArmState:
        return replace(super().read(), connection=self.connection)


def test_a_recurrent_policy_publishes_its_context(
    telemetry_of: TelemetryOf, make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    controller = ArmController(MujocoArm(), OnnxPolicy(make_policy_file(tmp_path, recurrent=True)))
    authority = Authority()
    authority.demo("skill", np.array([0.0, 1.0]))
    update(controller, authority)
    state = telemetry_of(controller, authority)
    assert state.context == pytest.approx(controller.state.objects["cube"].position[:2], abs=1e-6)
    assert state.context_distance is None
    assert state.context_estimate is None


@pytest.fixture
def goal_controller(goal_file: Path) -> tuple[ArmController, Authority]:
    """Has acted once: the context is cube xy; its distance is 5 times its length later."""
    controller, authority = ArmController(MujocoArm(seed=4), OnnxPolicy(goal_file)), Authority()
    authority.demo("goal", np.array([0.1, 0.1]))
    update(controller, authority)
    return controller, authority


def test_estimates_and_distance_are_published_by_name(
    telemetry_of: TelemetryOf, goal_controller: tuple[ArmController, Authority]
) -> None:
    controller, authority = goal_controller
    cube = controller.state.objects["cube"].position[:2]
    state = telemetry_of(controller, authority)
    assert state.context_estimate == {
        "cube_mass": pytest.approx(np.exp(cube[0]), abs=1e-5),
        "cube_table_friction": pytest.approx(np.exp(cube[1]), abs=1e-5),
    }
    assert (state.context_distance, state.not_finite) == (
        None,
        (),
    )  # the recurrent state is too young
    for _ in range(49 * controller.runner.ticks_per_action):
        update(controller, authority)
    state = telemetry_of(controller, authority)
    assert state.context_distance == pytest.approx(5 * np.linalg.norm(state.context), abs=1e-4)
    assert Telemetry.model_validate_json(state.model_dump_json(), strict=True) == state
    authority.stop("test")
    update(controller, authority)
    held = telemetry_of(controller, authority)
    assert (held.context, held.context_distance, held.context_estimate) == (None, None, None)


def test_an_estimate_that_is_not_finite_is_null_and_named(
    telemetry_of: TelemetryOf, goal_controller: tuple[ArmController, Authority]
) -> None:
    controller, authority = goal_controller
    assert controller.output is not None
    assert controller.output.estimate is not None
    controller.output.estimate[0, 1] = np.inf
    state = telemetry_of(controller, authority)
    assert state.context_estimate is not None
    assert state.context_estimate["cube_table_friction"] is None
    assert state.not_finite == ("context_estimate.cube_table_friction",)


def test_the_status_line_has_the_estimates_of_the_policy(
    telemetry_of: TelemetryOf, goal_controller: tuple[ArmController, Authority]
) -> None:
    controller, authority = goal_controller
    state = telemetry_of(controller, authority)
    usual = state.model_copy(
        update={
            "context_estimate": {"cube_mass": 1.234, "cube_table_friction": 0.06},
            "context_distance": 0.9,
        }
    )
    line = status_line(usual, controller.manifest)
    assert "estimate: mass 1.23 kg, friction 0.0600, distance 0.90" in line
    assert "unusual" not in line
    unusual = usual.model_copy(update={"context_distance": 1.7})
    assert "distance 1.70 (unusual)" in watch_line(unusual, None, controller.manifest)
    unknown = usual.model_copy(update={"context_estimate": {"cube_mass": None}})
    assert "estimate: mass ?" in state_line(unknown)


def test_the_governors_headroom_has_the_fields_of_the_message() -> None:
    assert [field.name for field in fields(GovernorHeadroom)] == list(Headroom.model_fields)


def test_interventions_of_the_governor_are_counters(
    telemetry_of: TelemetryOf, controller: ArmController
) -> None:
    assert not [name for name in telemetry_of(controller).counters if "governor" in name]
    for _ in range(2):  # no set-point: the governor brakes, to the end of its trajectory
        controller.link.governor.check(None, controller.state)
        controller.link.governor.check(None, controller.state)
    state = telemetry_of(controller)
    total = sum(controller.interventions.values())
    assert total > 0
    assert state.counters["governor"] == state.counters["governor.stale"] == total
