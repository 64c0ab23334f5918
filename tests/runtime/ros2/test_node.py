"""skill-ros2 as a process beside a real server and another ROS program."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from benchmarks.serving.ros2.processes import JOINTS, NUMBERS, POINT, POSE, pose, statuses
from tests.runtime.ros2.conftest import Rig
from tests.support.served import until

from skill_runtime.client import SkillClient


@pytest.fixture(autouse=True)
def settled(rig: Rig) -> None:
    rig.settle()


def hand(rig: Rig) -> tuple[float, ...]:
    latest = rig.server.latest
    assert latest is not None
    return tuple(entry or 0.0 for entry in latest.end_effector_position)


def near(rig: Rig, x: float, y: float, z: float) -> bool:
    return math.dist(hand(rig), (x, y, z)) < 0.01


def streams(rig: Rig, **message: Any) -> None:  # noqa: ANN401  fields of a message
    rig.peer.ask("stream", rate_hz=50.0, **message)


def refusal(rig: Rig, text: str) -> None:
    """Waits for the diagnostic of a refused message."""
    rig.peer.message("/diagnostics", lambda m: text in statuses(m)["targets"][1])


def test_the_state_of_the_arm_is_published(rig: Rig) -> None:
    rig.peer.messages("joint_states"), rig.peer.messages("current_pose")
    latest = rig.server.latest
    assert latest is not None
    joints = rig.peer.message("joint_states")
    assert joints["name"] == [f"panda_joint{i}" for i in range(1, 8)]
    assert joints["position"] == pytest.approx(list(latest.joint_position), abs=0.01)
    assert len(joints["velocity"]) == 7
    seen = rig.peer.message("current_pose")
    assert seen["header"]["frame_id"] == "world"
    assert list(seen["pose"]["position"].values()) == pytest.approx(hand(rig), abs=0.01)
    # The gripper points down: half a turn about x, and a little of the other axes.
    assert abs(seen["pose"]["orientation"]["x"]) > 0.99
    cube = rig.peer.message("objects/cube")
    assert cube["pose"]["position"]["z"] == pytest.approx(0.02, abs=0.005)


def test_diagnostics_describe_server_and_arm(rig: Rig) -> None:
    found = statuses(rig.peer.message("/diagnostics"))
    level, message, values = found["arm"]
    assert (level, message, values["mode"]) == (0, "hold", "hold")
    assert values["server"].startswith("skill-serve")
    assert found["targets"][1] == "waits for targets"


def test_the_hand_follows_and_silence_releases_the_lease(rig: Rig) -> None:
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.05, 0.04, 0.15))
    until(lambda: rig.holder == "skill-ros2" and near(rig, 0.05, 0.04, 0.15))
    rig.peer.ask("quiet")
    until(lambda: rig.holder is None and rig.mode == "hold")


def test_several_publishers_of_one_topic_are_a_warning(rig: Rig) -> None:
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
    rig.peer.ask("rival", topic="target_pose", kind=POSE)
    rig.peer.message(
        "/diagnostics",
        lambda m: statuses(m)["targets"][:2] == (1, "several publishers: /target_pose"),
    )
    rig.peer.ask("quiet")
    rig.peer.message("/diagnostics", lambda m: statuses(m)["targets"][0] == 0)


def test_a_skill_and_a_goal_run_the_policy(rig: Rig) -> None:
    streams(rig, topic="skill", kind=NUMBERS, fields={"data": [1.0, 0.0]})
    until(lambda: rig.mode == "skill")
    rig.settle()
    fields = {"header": {"frame_id": "world"}, "point": {"x": 0.05, "y": 0.0, "z": 0.0}}
    streams(rig, topic="goal", kind=POINT, fields=fields)
    until(lambda: rig.mode == "goal")


def test_a_stop_latches_and_only_the_service_clear_resumes_a_stream(rig: Rig) -> None:
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
    until(lambda: rig.mode == "servo")
    assert rig.peer.call("stop")["success"]
    until(lambda: rig.mode == "stopped")
    rig.peer.message("/diagnostics", lambda m: statuses(m)["arm"][0] == 1)
    with SkillClient(rig.address) as client:
        until(lambda: cleared(client))
    time.sleep(0.3)
    assert (rig.mode, rig.holder) == ("hold", None)  # the stream of before goes on, unheard
    assert rig.peer.call("clear")["success"]
    until(lambda: rig.mode == "servo")


def cleared(client: SkillClient) -> bool:
    client.clear()
    return client.state().mode == "hold"


def test_reset_and_release_are_services(rig: Rig) -> None:
    resets = counter(rig, "resets")
    assert rig.peer.call("reset")["success"]
    until(lambda: counter(rig, "resets") == resets + 1)
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
    until(lambda: rig.holder == "skill-ros2")
    assert rig.peer.call("release")["success"]
    until(lambda: rig.holder is None)
    time.sleep(0.3)
    assert rig.holder is None


def counter(rig: Rig, name: str) -> int:
    latest = rig.server.latest
    assert latest is not None
    return latest.counters.get(name, 0)


NAMES = [f"panda_joint{i}" for i in range(1, 8)]

OUTSIDE = "is outside -0.3 to 0.15 m"
"""Words of the server, for which the lease is acquired first."""

BAD = {
    "not finite": ("target_pose", POSE, pose(0.0, float("nan"), 0.1), 0.0),
    "frame_id is 'base'": ("target_pose", POSE, pose(0.0, 0.0, 0.1, "base"), 0.0),
    "s old": ("target_pose", POSE, pose(0.0, 0.0, 0.1), 20.0),
    "ahead of this node's clock": ("target_pose", POSE, pose(0.0, 0.0, 0.1), -2.0),
    "rad from the gripper pointing down": (
        "target_pose",
        POSE,
        pose(0.0, 0.0, 0.1, down=(1, 0, 0, 0)),
        0.0,
    ),
    "3 numbers; send 2": ("skill", NUMBERS, {"data": [1.0, 0.0, 0.0]}, 0.0),
    OUTSIDE: ("target_pose", POSE, pose(2.0, 0.0, 0.1), 0.0),
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_message_is_refused_and_the_arm_holds(rig: Rig, text: str) -> None:
    topic, kind, fields, age_s = BAD[text]
    leases, start = counter(rig, "leases"), hand(rig)
    streams(rig, topic=topic, kind=kind, fields=fields, age_s=age_s)
    refusal(rig, text)
    assert rig.mode == "hold"
    assert hand(rig) == pytest.approx(start, abs=5e-3)
    # Without a lease the server has accepted no target.
    assert counter(rig, "leases") == leases or text == OUTSIDE


def test_a_bad_message_in_a_stream_lets_the_arm_hold(rig: Rig) -> None:
    holds = counter(rig, "holds")
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
    until(lambda: rig.mode == "servo")
    streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, float("inf"), 0.15))
    until(lambda: counter(rig, "holds") > holds and rig.mode == "hold")


def test_the_topic_that_was_not_chosen_is_not_heard(rig: Rig) -> None:
    assert rig.peer.ask("subscribers", topic="target_joint") == 0
    leases, start = counter(rig, "leases"), hand(rig)
    fields = {"name": NAMES, "position": [0.1, 0.9, 0.0, -1.5, 0.0, 2.4, 0.78]}
    streams(rig, topic="target_joint", kind=JOINTS, fields=fields)
    time.sleep(0.5)
    assert (rig.mode, counter(rig, "leases")) == ("hold", leases)
    assert hand(rig) == pytest.approx(start, abs=5e-3)
    _, _, values = statuses(rig.peer.message("/diagnostics"))["targets"]
    assert "refused.target_joint" not in values


def test_a_lease_of_a_lower_priority_is_taken_over(rig: Rig) -> None:
    with SkillClient(rig.address) as client, client.acquire("other", priority=1):
        streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
        until(lambda: rig.holder == "skill-ros2")


def test_a_lease_of_a_higher_priority_is_named(rig: Rig) -> None:
    with SkillClient(rig.address) as client, client.acquire("operator", priority=3):
        streams(rig, topic="target_pose", kind=POSE, fields=pose(0.0, 0.0, 0.15))
        rig.peer.message("/diagnostics", lambda m: "'operator'" in statuses(m)["targets"][1])
        assert rig.holder == "operator"
    time.sleep(0.6)
    assert (rig.mode, rig.holder) == ("hold", None)  # the end of the operator moves no arm
    assert rig.peer.call("clear")["success"]
    until(lambda: rig.holder == "skill-ros2")
