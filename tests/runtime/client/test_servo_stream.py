"""ServoStream against a real server: targets without a wait, counted and raised refusals."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.router_peer import Peer, ids, ok
from tests.support.served import DEADLINE_S, Served, serving

from skill_proto.messages import COMMAND, Granted, Ok, Telemetry
from skill_robots.arm import ArmCommunicationError, ArmState
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.client import (
    CommandRefusedError,
    LeaseLostError,
    NoLeaseError,
    ServerReplacedError,
    ServerUnreachableError,
    ServoStream,
    SkillClient,
)
from skill_runtime.client.calls import Calls
from skill_runtime.client.guard import Guard
from skill_runtime.client.lease import Heartbeat
from skill_runtime.client.servo_stream import MAX_UNANSWERED
from skill_runtime.client.telemetry import TelemetrySubscription


def joints(state: Telemetry) -> np.ndarray:
    return np.array(state.joint_position, float)


def test_a_stream_moves_the_arm_and_every_target_is_answered(client: SkillClient) -> None:
    start = joints(client.state())
    with client.acquire("me", ttl_s=30):
        with client.stream() as stream:
            due = time.monotonic()
            for i in range(400):
                stream.servo_joint(start + 0.2 * i / 400, valid_for_s=30.0)
                due += 0.002
                stream.sleep_until(due)
            assert client.latest is not None
            assert client.latest.mode == "servo"
        assert stream.sent + stream.dropped == 400
        assert len(stream.round_trips_s) == stream.sent
        assert not stream.refused
        assert client.state().command_seq == stream.sent
        next(state for state in client.telemetry() if (joints(state) > start + 0.1).all())
        client.hold()  # continues the sequence numbers
        assert client.state().command_seq == stream.sent + 1


def test_a_stream_of_poses_moves_the_gripper(client: SkillClient) -> None:
    target, ends = np.array([0.05, 0.1, 0.15]), time.monotonic() + DEADLINE_S
    with client.acquire("me", ttl_s=30), client.stream() as stream:
        while time.monotonic() < ends:
            stream.servo_pose(target, gripper_width=0.05)
            stream.sleep_until(time.monotonic() + 0.005)
            state = client.latest
            if state is not None and state.mode == "servo":
                position = np.array(state.end_effector_position, float)
                width = state.gripper_width or 0.0
                if np.linalg.norm(position - target) < 0.01 and abs(width - 0.05) < 0.005:
                    return
    raise AssertionError("never there")


def test_when_the_stream_ends_the_arm_holds(client: SkillClient) -> None:
    with client.acquire("me", ttl_s=30):
        with client.stream() as stream:
            stream.servo_pose([0.0, 0.1, 0.15], valid_for_s=1.0)
        state = next(state for state in client.telemetry() if state.mode == "hold")
        assert state.counters["expired"] == 1


def test_a_stream_needs_the_lease(client: SkillClient) -> None:
    with pytest.raises(NoLeaseError, match="acquire"):
        client.stream()


def test_a_malformed_target_is_refused_at_once(client: SkillClient) -> None:
    with client.acquire("me", ttl_s=30), client.stream() as stream:
        with pytest.raises(CommandRefusedError):
            stream.servo_pose([0.0, 0.1])
        assert stream.sent == 0


def test_a_refusal_is_raised_when_its_reply_has_arrived(
    client: SkillClient,
) -> None:
    with client.acquire("me", ttl_s=30):
        stream = client.stream()
        stream.servo_pose([0.0, 0.1, 9.0])
        with pytest.raises(CommandRefusedError, match="outside") as caught, stream:
            pass
        assert caught.value.code == "invalid"
        assert stream.refused == {"invalid": 1}
        client.hold()


def test_a_late_target_is_counted_and_the_stream_continues(
    client: SkillClient,
) -> None:
    with client.acquire("me", ttl_s=30) as lease, client.stream() as stream:
        stream.servo_pose([0.0, 0.1, 0.15], valid_for_s=1e-9)
        stream.finish()
        assert stream.refused == {"stale": 1}
        stream.servo_pose([0.0, 0.1, 0.15], valid_for_s=30.0)
        stream.finish()
        lease._heartbeat.seq = 0  # as if the next target was overtaken by the first
        stream.servo_pose([0.0, 0.1, 0.15], valid_for_s=30.0)
        stream.finish()
        assert stream.refused == {"stale": 1, "out_of_order": 1}


def test_a_pause_does_not_make_the_next_target_stale(client: SkillClient) -> None:
    # With this time to live no heartbeat reports the server time during the pause.
    with client.acquire("me", ttl_s=30), client.stream() as stream:
        stream.servo_pose([0.0, 0.1, 0.15])
        stream.sleep_until(time.monotonic() + 2.0)
        stream.servo_pose([0.0, 0.1, 0.15], valid_for_s=1.0)
        stream.finish()
        assert not stream.refused


class MuteArm(MujocoArm):
    """A simulated arm that does not answer while ``mute`` is set."""

    mute = False

    def read(self) -> ArmState:
        if self.mute:
            raise ArmCommunicationError("no answer")
        return super().read()


def test_the_stream_continues_after_a_communication_fault(policy_file: Path) -> None:
    arm, ends = MuteArm(), time.monotonic() + DEADLINE_S
    with (
        serving(policy_file, arm=arm) as served,
        SkillClient(served.address, timeout_s=10.0) as client,
        client.acquire("me", ttl_s=30),
        client.stream() as stream,
    ):
        start = joints(client.state())
        repaired = 0.0

        def moves_again() -> bool:
            state = client.latest
            return (
                state is not None
                and 0.0 < repaired < state.time
                and state.mode == "servo"
                and (joints(state) > start + 0.05).all()
            )

        while not moves_again():
            assert time.monotonic() < ends, f"never; the last state was {client.latest}"
            stream.servo_joint(start + (0.1 if repaired else 0.01))
            stream.sleep_until(time.monotonic() + 0.01)
            state = client.latest
            if state is not None and not repaired:
                arm.mute = arm.mute or state.mode == "servo"
                if state.fault == "communication" and stream.refused["not_now"] > 10:
                    arm.mute, repaired = False, state.time
        assert set(stream.refused) <= {"not_now", "stale"}
        counters = client.state().counters
        assert (counters["leases"], counters.get("clears", 0)) == (1, 0)


def send_until_error(stream: ServoStream) -> None:
    """Sends targets until an error is raised."""
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends:
        stream.servo_pose([0.0, 0.1, 0.15])
        stream.sleep_until(time.monotonic() + 0.01)


def test_a_stop_ends_the_stream_and_the_lease(served: Served, client: SkillClient) -> None:
    with (
        SkillClient(served.address, timeout_s=10.0) as other,
        client.acquire("me", ttl_s=30) as lease,
    ):
        stream = client.stream()
        stream.servo_pose([0.0, 0.1, 0.15])
        other.stop("an obstacle")
        with pytest.raises(LeaseLostError, match="an obstacle"), stream:
            send_until_error(stream)
        assert lease.ended_because is not None
        with pytest.raises(LeaseLostError):
            client.stream()
    assert client.state().mode == "stopped"


def test_the_end_of_the_server_is_detected(policy_file: Path) -> None:
    with serving(policy_file) as served:
        client = SkillClient(served.address, timeout_s=1.0)
        client.acquire("me", ttl_s=60.0)
        stream = client.stream()
        stream.servo_pose([0.0, 0.1, 0.15])
        stream.finish()
    with pytest.raises((ServerUnreachableError, LeaseLostError)), stream:
        send_until_error(stream)
    client.close()


def confirm_renewals(frames: list[bytes]) -> list[list[bytes]] | None:
    (frame,) = frames
    message = COMMAND.validate_json(frame)
    return [ok(message.id)] if message.type == "renew" else None


@pytest.fixture
def slow(peer: Peer) -> Peer:
    """A server that replies to renewals, but not to targets."""
    peer.answer = confirm_renewals
    return peer


@pytest.fixture
def calls(slow: Peer) -> Iterator[Calls]:
    """A client's calls under a lease of that server."""
    yield from calls_with_lease(slow.address, 60.0)


def calls_with_lease(address: str, timeout_s: float) -> Iterator[Calls]:
    calls = Calls(address, timeout_s, "test", TelemetrySubscription(), None, None)
    granted = Granted(time=1.0, lease="token", ttl_s=60.0)
    owner = threading.current_thread()
    calls.lease = Heartbeat(address, granted, holder="me", priority=0, owner=owner)
    yield calls
    calls.lease.end("the test has ended")
    calls.lease.join(DEADLINE_S)


def test_targets_are_dropped_if_the_server_does_not_keep_up(slow: Peer, calls: Calls) -> None:
    with ServoStream(calls, Guard()) as stream:
        ends = time.monotonic() + DEADLINE_S
        while stream.sent < MAX_UNANSWERED and time.monotonic() < ends:
            stream.servo_pose([0.0, 0.0, 0.1])
        before = stream.dropped
        assert not any(stream.servo_pose([0.0, 0.0, 0.1]) for _ in range(5))
        assert (stream.sent, stream.dropped) == (MAX_UNANSWERED, before + 5)
        assert calls.held_lease().seq == MAX_UNANSWERED  # dropped targets leave no gap
        slow.answer = lambda frames: [ok(ids(frames))]
        stream.finish()
        assert len(stream.round_trips_s) == MAX_UNANSWERED
        assert stream.servo_pose([0.0, 0.0, 0.1])


def test_a_server_that_never_replies_is_unreachable(slow: Peer) -> None:
    for calls in calls_with_lease(slow.address, 0.5):
        stream = ServoStream(calls, Guard())
        stream.servo_pose([0.0, 0.0, 0.1])
        with pytest.raises(ServerUnreachableError, match=slow.address), stream:
            pass


def ok_of(instance: str, frames: list[bytes]) -> list[bytes]:
    return [Ok(id=ids(frames), time=1.0, instance=instance).model_dump_json().encode()]


def test_another_server_ends_the_stream_and_the_lease(slow: Peer, calls: Calls) -> None:
    calls.held_lease().instance = "first"
    slow.answer = lambda frames: [ok_of("first", frames)]
    stream = ServoStream(calls, Guard())
    stream.servo_pose([0.0, 0.0, 0.1])
    stream.finish()
    assert all(json.loads(frame)["instance"] == "first" for (frame,) in slow.heard)
    slow.answer = lambda frames: [ok_of("second", frames)]
    stream.servo_pose([0.0, 0.0, 0.1])
    with pytest.raises(ServerReplacedError, match=r"hello\(\)"), stream:
        pass
    with pytest.raises(ServerReplacedError):
        calls.held_lease()
