"""A policy waits for the first pose of the objects that it observes; the arm holds meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.real_arm import RealArm
from tests.support.served import Served, state_when, tracking

from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.client import CommandRefusedError, SkillClient
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.policy import load_manifest
from skill_runtime.server.backends import tracked_objects

Serve = Callable[..., Served]


@pytest.fixture
def waiting(serve: Serve, policy_file: Path) -> Served:
    """A server of a real arm whose policy observes the cube."""
    arm = RealArm()
    track = TrackConfig(objects=tracked_objects((), load_manifest(policy_file), arm))
    return serve(policy_file, arm=arm, track=track)


def test_a_real_arm_tracks_the_objects_of_the_policy(policy_file: Path) -> None:
    manifest = load_manifest(policy_file)
    assert tracked_objects((), manifest, RealArm()) == ("cube",)
    assert tracked_objects(("tray", "cube"), manifest, RealArm()) == ("tray", "cube")


def test_a_simulated_arm_tracks_what_it_is_asked_to(policy_file: Path) -> None:
    manifest = load_manifest(policy_file)
    assert tracked_objects((), manifest, MujocoArm()) == ()
    assert tracked_objects(("cube",), manifest, MujocoArm()) == ("cube",)


def test_the_banner_names_the_missing_pose(waiting: Served) -> None:
    remarks = waiting.server.remarks
    assert "the arm holds until a client takes the lease" in remarks
    (remark,) = [text for text in remarks if "waits for the pose" in text]
    assert "'cube'" in remark
    assert "examples/tag_tracker.py" in remark


def test_policies_are_refused_until_the_first_pose_and_no_fault_is_counted(
    waiting: Served,
) -> None:
    with SkillClient(waiting.address, timeout_s=10.0) as client:
        with client.acquire("me", ttl_s=30):
            state = state_when(client, lambda state: state.lease_holder == "me")
            assert state.awaited_objects == ("cube",)
            for _ in range(3):
                with pytest.raises(CommandRefusedError, match="no pose of 'cube' has arrived yet"):
                    client.skill([1, 0])
            state = client.state()
            assert (state.mode, state.fault, state.lease_holder) == ("hold", None, "me")
            assert state.counters["rejected.not_now"] == 3
            client.servo_pose([0.0, 0.0, 0.1], valid_for_s=1.0)  # needs no object
            state_when(client, lambda state: state.mode == "servo")
            with tracking(waiting.address):
                state_when(client, lambda state: not state.awaited_objects)
                client.skill([1, 0], valid_for_s=1.0)
                state = state_when(client, lambda state: state.mode == "skill")
            state = state_when(client, lambda state: state.mode != "skill")
        assert "faults.internal" not in state.counters


def test_a_tracker_that_stops_is_a_fault_that_ends_with_the_next_pose(waiting: Served) -> None:
    with SkillClient(waiting.address, timeout_s=10.0) as client, client.acquire("me", ttl_s=30):
        with tracking(waiting.address) as sends:
            state_when(client, lambda state: not state.awaited_objects)
            client.skill([1, 0], valid_for_s=30.0)
            state_when(client, lambda state: state.mode == "skill")
            sends.clear()
            state = state_when(client, lambda state: state.fault == "tracker")
            assert state.counters["faults.tracker"] == 1
            sends.set()
            state = state_when(client, lambda state: state.mode == "hold")
        assert state.lease_holder == "me"
