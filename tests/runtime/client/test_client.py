"""SkillClient against a real server: every call, and every error."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from tests.support.served import DEADLINE_S, Served, serving, state_when
from tests.support.served_process import free_ports

from skill_proto.messages import Telemetry
from skill_proto.ports import local_address
from skill_runtime.client import (
    CommandRefusedError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ServerUnreachableError,
    SkillClient,
)
from skill_runtime.policy import OnnxPolicy
from skill_runtime.transport.addresses import Addresses


@pytest.fixture
def other(served: Served) -> Iterator[SkillClient]:
    with SkillClient(served.address, timeout_s=10.0) as client:
        yield client


def cube(state: Telemetry) -> np.ndarray:
    return np.array(state.objects["cube"].position)


# Description and state ----------------------------------------------------------------------------


def test_hello_describes_the_server(client: SkillClient, policy_file: Path) -> None:
    welcome = client.hello()
    assert welcome.manifest == OnnxPolicy(policy_file).manifest
    assert (welcome.robot, welcome.simulated, welcome.mode) == ("panda", True, "hold")
    assert welcome.lease_holder is None


def test_telemetry_is_the_newest(client: SkillClient) -> None:
    first, second, third = islice(client.telemetry(), 3)
    assert first.seq < second.seq < third.seq
    time.sleep(0.5)
    # Fifty states were published meanwhile; the socket keeps at most two of them.
    waited = [state.seq for state in islice(client.telemetry(), 3)]
    assert waited[-1] - third.seq > 10


def test_a_state_includes_the_effect_of_the_last_command(client: SkillClient) -> None:
    with client.acquire("me"):
        for mass in (1.0, 2.0, 3.0, 4.0):
            client.scene(mass=mass)
            assert (client.state().scene or {})["mass"] == mass


# The lease ----------------------------------------------------------------------------------------


def test_the_lease_is_published_and_released(client: SkillClient, other: SkillClient) -> None:
    with client.acquire("me"):
        assert other.hello().lease_holder == "me"
    assert other.hello().lease_holder is None
    with other.acquire("you"):
        assert client.hello().lease_holder == "you"


def test_only_one_client_has_the_lease(client: SkillClient, other: SkillClient) -> None:
    with client.acquire("me"):
        with pytest.raises(LeaseHeldError, match="'me' holds the lease"):
            other.acquire("you")
        client.hold()


def test_a_higher_priority_takes_the_lease_over(client: SkillClient, other: SkillClient) -> None:
    with client.acquire("me", priority=3):
        with pytest.raises(LeaseHeldError, match="with priority 3"):
            other.acquire("you", priority=3)
        with other.acquire("you", priority=4):
            with pytest.raises(LeaseLostError, match="'you' took it over, with priority 4"):
                client.hold()
            other.hold()
            assert client.hello().lease_holder == "you"


def test_the_heartbeat_keeps_the_lease_of_a_silent_program(client: SkillClient) -> None:
    with client.acquire("me", ttl_s=0.5):
        time.sleep(2.0)
        client.hold()
        assert client.hello().lease_holder == "me"


def test_without_its_heartbeat_a_lease_runs_out(client: SkillClient, other: SkillClient) -> None:
    lease = client.acquire("me", ttl_s=0.5)
    heartbeat = lease._heartbeat
    heartbeat.end("for this test")  # stops the heartbeat
    heartbeat.join(DEADLINE_S)
    heartbeat.ended_because = None
    state = state_when(other, lambda state: state.lease_holder is None)
    assert state.counters["lease_lost"] == 1
    with pytest.raises(LeaseLostError, match="not renewed for"):
        client.hold()
    with pytest.raises(LeaseLostError):
        client.hold()
    with client.acquire("me again"):
        client.hold()


def test_a_command_needs_the_lease(client: SkillClient) -> None:
    with pytest.raises(NoLeaseError, match="acquire"):
        client.skill([1, 0])


def test_after_a_release_a_command_needs_a_new_lease(client: SkillClient) -> None:
    with client.acquire("me"):
        pass
    with pytest.raises(LeaseLostError, match="was released"):
        client.skill([1, 0])


def test_closing_the_client_releases_the_lease(served: Served, client: SkillClient) -> None:
    with SkillClient(served.address, timeout_s=10.0) as passing:
        passing.acquire("passing", ttl_s=60)
    assert client.hello().lease_holder is None


# Commands -----------------------------------------------------------------------------------------


def test_a_skill_moves_the_cube_its_way_and_then_the_arm_holds(client: SkillClient) -> None:
    start = cube(client.state())
    with client.acquire("me"):

        def pushed(state: Telemetry) -> bool:
            client.skill([0.0, -3.0], valid_for_s=1.0)
            return bool(np.linalg.norm(cube(state) - start) > 0.1)

        state = state_when(client, pushed)
        assert state.skill == (0.0, -1.0)
        assert state.mode == state.command == "skill"
    x, y, _ = cube(state) - start
    assert y < -abs(x)
    state = client.state()
    assert (state.mode, state.lease_holder) == ("hold", None)
    state_when(client, lambda state: max(abs(v or 0) for v in state.joint_velocity) < 0.01)


def test_a_command_that_is_not_repeated_ends(client: SkillClient) -> None:
    with client.acquire("me"):
        client.skill([1, 0], valid_for_s=0.5)
        state = state_when(client, lambda state: state.mode == "hold")
        assert state.counters["expired"] == 1
        assert state.lease_holder == "me"


def test_a_pause_does_not_make_the_next_command_stale(client: SkillClient) -> None:
    # With this time to live no heartbeat reports the server time during the pause.
    with client.acquire("me", ttl_s=30):
        time.sleep(2.0)
        client.skill([1, 0], valid_for_s=1.0)
        assert client.state().counters.get("rejected.stale", 0) == 0


def test_a_goal_is_pursued(client: SkillClient) -> None:
    with client.acquire("me"):

        def reached(state: Telemetry) -> bool:
            client.goal([0.05, 0.05], valid_for_s=1.0)
            return bool(np.linalg.norm(cube(state)[:2] - 0.05) < 0.03)

        state = state_when(client, reached)
    assert state.goal == (0.05, 0.05)


def test_servo_pose_moves_the_end_effector(client: SkillClient) -> None:
    target = np.array([0.05, 0.1, 0.15])
    with client.acquire("me"):

        def there(state: Telemetry) -> bool:
            client.servo_pose(target, valid_for_s=1.0)
            position = np.array(state.end_effector_position, float)
            return bool(np.linalg.norm(position - target) < 0.01)

        assert state_when(client, there).mode == "servo"


def test_servo_joint_moves_the_joints_and_the_gripper(client: SkillClient) -> None:
    state = client.state()
    target = np.array(state.joint_position, float)
    target[6] -= 0.3
    with client.acquire("me"):

        def there(state: Telemetry) -> bool:
            client.servo_joint(target, valid_for_s=1.0, gripper_width=0.06)
            error = np.abs(np.array(state.joint_position, float) - target).max()
            return bool(error < 0.02 and abs((state.gripper_width or 0) - 0.06) < 0.005)

        state_when(client, there)


def test_a_seed_repeats_the_start(client: SkillClient) -> None:
    starts: list[np.ndarray] = []
    with client.acquire("me"):
        for seed in (5, 6, 5):
            client.reset(seed)
            starts.append(cube(client.state())[:2])
    np.testing.assert_allclose(starts[0], starts[2], atol=2e-3)
    assert np.linalg.norm(starts[0] - starts[1]) > 2e-3


def test_the_scene_is_changed_without_interrupting_the_command(
    client: SkillClient, other: SkillClient
) -> None:
    with client.acquire("me"):
        client.skill([1, 0], valid_for_s=30.0)
        other.scene(mass=0.7, friction=0.3)
        state = other.state()
        assert state.scene == {"mass": 0.7, "friction": 0.3}
        assert (state.mode, state.lease_holder, state.command_seq) == ("skill", "me", 1)
        assert state.counters["scenes"] == 1
        client.skill([0, 1], valid_for_s=30.0)
        assert client.state().command_seq == 2


def test_the_scene_is_changed_during_the_demo_and_the_recurrent_state_is_kept(
    serve: Callable[..., Served], goal_file: Path
) -> None:
    served = serve(goal_file, demo=True)
    with SkillClient(served.address, timeout_s=10.0) as client:
        before = state_when(client, lambda state: state.action is not None)
        states = served.server.controller.runner.policy._states  # type: ignore[attr-defined]
        age = states.age[0]
        client.scene(friction=0.06)
        after = state_when(client, lambda state: state.time > before.time + 0.5)
        assert states.age[0] > age > 0
    assert (after.mode, after.command, after.lease_holder) == ("goal", "demo", None)
    assert after.scene is not None
    assert after.scene["friction"] == 0.06
    assert after.counters["episodes"] == before.counters["episodes"]


def test_a_refusal_changes_nothing(client: SkillClient) -> None:
    with client.acquire("me"):
        client.skill([1, 0], valid_for_s=30.0)
        for call in (
            lambda: client.skill([1, 0, 0]),
            lambda: client.skill([0, 0]),
            lambda: client.skill([math.nan, 0]),
            lambda: client.skill([]),
            lambda: client.skill([[1, 0]]),
            lambda: client.skill([1, 0], valid_for_s=-1),
            lambda: client.goal([9, 9]),
            lambda: client.servo_joint([0] * 7),
            lambda: client.servo_pose([0, 0]),
            lambda: client.servo_pose([0, 0, 9]),
            lambda: client.scene(mass=0),
            lambda: client.reset(seed=-1),
            lambda: client.acquire("", ttl_s=1e9),
        ):
            with pytest.raises(CommandRefusedError) as caught:
                call()
            assert caught.value.code == "invalid"
        state = client.state()
        assert (state.mode, state.command_seq) == ("skill", 1)


# Stop ---------------------------------------------------------------------------------------------


def test_a_stop_by_anyone_revokes_the_lease_and_latches(
    client: SkillClient, other: SkillClient
) -> None:
    with client.acquire("me"):
        client.skill([1, 0], valid_for_s=30.0)
        other.stop("an obstacle")
        with pytest.raises(LeaseLostError, match="an obstacle"):
            client.skill([1, 0])
        assert client.state().mode == "stopped"
        with pytest.raises(CommandRefusedError, match="an obstacle") as caught:
            client.acquire("me")
        assert caught.value.code == "not_now"
    client.clear()
    assert client.state().mode == "hold"
    with client.acquire("me"):
        client.skill([1, 0])


def test_the_heartbeat_detects_a_stop(client: SkillClient, other: SkillClient) -> None:
    with client.acquire("me", ttl_s=0.5) as lease:
        other.stop("enough")
        ends = time.monotonic() + DEADLINE_S
        while lease.ended_because is None and time.monotonic() < ends:
            time.sleep(0.05)
        with pytest.raises(LeaseLostError, match="enough"):
            client.skill([1, 0])
        state = client.state()
        assert state.mode == "stopped"
        assert state.time >= lease.time


def test_stop_finds_its_socket_without_hello(
    serve: Callable[..., Served], policy_file: Path
) -> None:
    addresses = free_block()
    serve(policy_file, addresses=addresses)
    with SkillClient(addresses.commands, timeout_s=10.0) as client:
        client.stop()
        assert client.state().mode == "stopped"


def test_stop_finds_its_socket_elsewhere(served: Served) -> None:
    with SkillClient(served.address, timeout_s=1.0) as client:
        client.stop()
        assert client.state().mode == "stopped"


def test_a_stop_reaches_this_arm_if_the_default_address_is_another_arms(
    serve: Callable[..., Served], policy_file: Path
) -> None:
    block = free_block()
    free = "tcp://127.0.0.1:*"
    # The other arm's stop socket is at this arm's default stop address.
    other = serve(policy_file, addresses=Addresses(commands=free, telemetry=free, stop=block.stop))
    serve(policy_file, addresses=Addresses(commands=block.commands, telemetry=free, stop=free))
    with SkillClient(block.commands, timeout_s=10.0) as client:
        client.stop()
        assert client.state().mode == "stopped"
    with SkillClient(other.address, timeout_s=10.0) as client:
        assert client.state().mode == "stopped"


def free_block() -> Addresses:
    """Returns the addresses of three consecutive free ports."""
    free = free_ports()
    commands, telemetry, stop = (local_address(free + i) for i in range(3))
    return Addresses(commands=commands, telemetry=telemetry, stop=stop)


# Servers that come and go -------------------------------------------------------------------------


def test_the_client_outlives_the_server(policy_file: Path) -> None:
    addresses = free_block()
    with SkillClient(addresses.commands, timeout_s=3.0) as client:
        with pytest.raises(ServerUnreachableError, match=addresses.commands):
            client.hello()
        with serving(policy_file, addresses=addresses):
            client.hello()
            client.acquire("me")
            client.skill([1, 0])
        with pytest.raises((ServerUnreachableError, LeaseLostError)):
            client.skill([1, 0])
        with serving(policy_file, addresses=addresses):
            client.hello()
            with pytest.raises(LeaseLostError):
                client.skill([1, 0])
            with client.acquire("me"):
                client.skill([1, 0])
                assert client.state().mode == "skill"
