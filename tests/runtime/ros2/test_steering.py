"""The lease and the newest target, with a real server and without ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest
import zmq
from tests.support.router_peer import Peer
from tests.support.served import Served, serving, until
from tests.support.served_process import fixed_addresses

from skill_runtime.client import CommandRefusedError, ServerUnreachableError, SkillClient
from skill_runtime.ros2.parameters import Ros2Parameters
from skill_runtime.ros2.status import Status
from skill_runtime.ros2.steering import Steering
from skill_runtime.ros2.targets import Target

PARAMETERS = Ros2Parameters(holder="ros", silence_s=0.5, lease_ttl_s=60.0, priority=1)


class Steered:
    """A steering whose thread runs, and a program that sends targets to it.

    Args:
        address: Address for commands.
        make_client: Makes a client of that address.
        parameters: Parameters of the node.

    Attributes:
        steering, status: As given by their names.
        said: Texts of the log.
        streams: While it is set, a target is offered fifty times per second.
        refuses: While it is set, each of these messages is refused.
    """

    def __init__(
        self,
        address: str,
        make_client: Callable[[str], SkillClient] = SkillClient,
        parameters: Ros2Parameters = PARAMETERS,
    ) -> None:
        self.said: list[str] = []
        self.status = Status(lambda _, text: self.said.append(text))
        self.steering = Steering(lambda: make_client(address), parameters, self.status)
        self.streams, self.refuses = threading.Event(), threading.Event()
        self._ended = threading.Event()
        self._program = threading.Thread(target=self._stream)
        self._thread = threading.Thread(target=self.steering.run)

    def offer(self, values: tuple[float, ...] = (0.0, 0.0, 0.15), valid_s: float = 0.5) -> None:
        """Offers a position of the hand."""
        self.steering.offer(Target("topic", "servo_pose", values, time.monotonic() + valid_s))

    def _stream(self) -> None:
        while not self._ended.wait(0.02):
            self.steering.notice_silence()  # as the node does ten times per second
            if not self.streams.is_set():
                continue
            if self.refuses.is_set():
                self.steering.refuse()
            else:
                self.offer()

    @contextmanager
    def running(self) -> Generator[Self]:
        """Runs both threads until the end of the block."""
        self._thread.start()
        self._program.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._program.join()
            self.steering.end()
            self._thread.join()


@pytest.fixture
def steered(served: Served) -> Generator[Steered]:
    with Steered(served.address).running() as steered:
        yield steered


def holder(served: Served) -> str | None:
    latest = served.server.latest
    return None if latest is None else latest.lease_holder


def mode(served: Served) -> str | None:
    latest = served.server.latest
    return None if latest is None else latest.mode


def test_silence_gives_the_lease_back(served: Served, steered: Steered) -> None:
    steered.streams.set()
    until(lambda: holder(served) == "ros" and mode(served) == "servo")
    steered.streams.clear()
    until(lambda: holder(served) is None)  # by its own end it would last for a minute
    assert steered.status.known.carried_out > 0
    until(lambda: not steered.status.known.leads)


def test_the_end_gives_the_lease_back(served: Served) -> None:
    with Steered(served.address).running() as steered:
        steered.streams.set()
        until(lambda: holder(served) == "ros")
    until(lambda: holder(served) is None)


def test_a_target_that_has_ended_moves_no_arm(served: Served, steered: Steered) -> None:
    steered.offer(valid_s=-0.1)
    until(lambda: holder(served) == "ros")
    until(lambda: holder(served) is None)
    assert steered.status.known.carried_out == 0


def test_after_a_stop_the_same_stream_does_not_move_the_arm(
    served: Served, steered: Steered
) -> None:
    steered.streams.set()
    until(lambda: mode(served) == "servo")
    with SkillClient(served.address, timeout_s=10.0) as client:
        client.stop("test")
        until(lambda: "pause the targets" in steered.status.known.blocked)
        until(lambda: cleared(client))
    time.sleep(0.3)
    assert (holder(served), mode(served)) == (None, "hold")
    steered.streams.clear()
    time.sleep(2 * PARAMETERS.silence_s)  # the next stream is another one
    steered.streams.set()
    until(lambda: mode(served) == "servo")
    until(lambda: not steered.status.known.blocked)


def cleared(client: SkillClient) -> bool:
    try:
        client.clear()
    except CommandRefusedError:  # it still brakes
        return False
    return True


def test_a_takeover_ends_the_stream_until_it_is_resumed(served: Served, steered: Steered) -> None:
    steered.streams.set()
    until(lambda: holder(served) == "ros")
    with SkillClient(served.address, timeout_s=10.0) as client:
        lease = client.acquire("operator", priority=5)
        until(lambda: "'operator'" in steered.status.known.blocked)
        lease.release()
    time.sleep(0.3)
    assert holder(served) is None
    steered.steering.resume()
    until(lambda: holder(served) == "ros")


def test_a_stream_that_began_under_another_holder_does_not_follow_it(
    served: Served, steered: Steered
) -> None:
    with SkillClient(served.address, timeout_s=10.0) as client:
        lease = client.acquire("operator", priority=5)
        steered.streams.set()
        until(lambda: "'operator'" in steered.status.known.blocked)
        lease.release()
    time.sleep(0.6)  # more than the time between two attempts
    assert (holder(served), mode(served)) == (None, "hold")
    steered.steering.resume()
    until(lambda: holder(served) == "ros")


def test_a_target_that_the_server_refuses_lets_the_arm_hold(
    served: Served, steered: Steered
) -> None:
    steered.streams.set()
    until(lambda: mode(served) == "servo")
    steered.streams.clear()
    steered.offer((3.0, 0.0, 0.15))
    until(lambda: steered.status.known.refusal is not None)
    until(lambda: mode(served) == "hold")
    refusal = steered.status.known.refusal
    assert refusal is not None
    assert "end_effector_position" in refusal.reason


def test_reset_borrows_the_lease(served: Served, steered: Steered) -> None:
    steered.steering.reset(10.0)
    latest = served.server.latest
    assert latest is not None
    assert latest.counters["resets"] == 1
    until(lambda: holder(served) is None)


def test_reset_says_who_has_the_lease(served: Served, steered: Steered) -> None:
    refused = pytest.raises(CommandRefusedError, match="'op'")
    with SkillClient(served.address) as client, client.acquire("op"), refused:
        steered.steering.reset(10.0)


PATIENT = replace(PARAMETERS, silence_s=2.0)
"""A server that starts in this process can delay the stream by more than half a second."""


class SlowToClose(SkillClient):
    """Its end takes longer than a silence, as that of a lease does whose server is away."""

    def __init__(self, address: str) -> None:
        super().__init__(address, timeout_s=2.0)

    def close(self) -> None:
        """Closes late."""
        time.sleep(2 * PATIENT.silence_s)
        super().close()


def test_a_stream_that_outlasts_a_restart_does_not_move_the_arm(policy_file: Path) -> None:
    addresses = fixed_addresses()
    with Steered(addresses.commands, SlowToClose, PATIENT).running() as steered:
        with serving(policy_file, addresses=addresses) as served:
            steered.streams.set()  # not before: a stream that found no server waits for a pause
            until(lambda: holder(served) == "ros")
        steered.refuses.set()  # as the node does while it knows of no server
        until(lambda: not steered.status.known.leads)
        time.sleep(3 * PATIENT.silence_s)
        with serving(policy_file, addresses=addresses) as served:
            steered.refuses.clear()
            until(lambda: mode(served) == "hold")
            until(lambda: "pause the targets" in steered.status.known.blocked)
            time.sleep(0.5)
            assert (holder(served), mode(served)) == (None, "hold")
            steered.steering.resume()
            until(lambda: holder(served) == "ros")


def test_a_target_that_arrives_late_is_not_sent_again(served: Served, peer: Peer) -> None:
    line = zmq.Context.instance().socket(zmq.DEALER)
    line.connect(served.address)
    late: list[bytes] = []

    def answer(frames: list[bytes]) -> list[list[bytes]]:
        if b'"servo_pose"' in frames[0]:
            late.append(frames[0])
            if len(late) == 1:
                time.sleep(0.6)
        line.send_multipart(frames)
        return [line.recv_multipart()]

    peer.answer = answer
    with Steered(peer.address).running() as steered:
        steered.offer(valid_s=0.3)
        until(lambda: any("expired" in text for text in steered.said) or len(late) > 1)
        assert (len(late), steered.status.known.carried_out, mode(served)) == (1, 0, "hold")
        steered.offer(valid_s=1.0)
        until(lambda: steered.status.known.carried_out == 1)
    line.close(0)


def test_a_stop_comes_before_all_else_and_its_failure_releases_the_lease(
    served: Served, steered: Steered
) -> None:
    steered.streams.set()
    until(lambda: mode(served) == "servo")
    before: list[tuple[str, bool]] = []

    def stop_arm() -> None:
        known = steered.status.known
        before.append((known.blocked, known.leads))
        raise ServerUnreachableError(served.address, 0.1)

    with pytest.raises(ServerUnreachableError):
        steered.steering.stop(stop_arm)
    assert before == [("", True)]
    until(lambda: holder(served) is None and mode(served) == "hold")
    assert steered.status.known.blocked.startswith("stopped by the service stop; ")


def test_a_clear_forgets_a_lease_that_a_stop_has_ended(served: Served) -> None:
    patient = replace(PARAMETERS, silence_s=30.0)  # the lease outlives the pause of this stream
    with Steered(served.address, parameters=patient).running() as steered:
        steered.offer()
        until(lambda: steered.status.known.carried_out == 1)
        with SkillClient(served.address, timeout_s=10.0) as client:
            client.stop("test")
            until(lambda: cleared(client))
            steered.steering.clear(client.clear)
        steered.offer()
        until(lambda: steered.status.known.carried_out == 2 or bool(steered.status.known.blocked))
        assert steered.status.known.blocked == ""


def test_a_release_counts_for_a_stream_that_begins_soon_after_it(
    served: Served, steered: Steered
) -> None:
    steered.steering.release("test")
    steered.streams.set()
    time.sleep(0.3)
    assert holder(served) is None
    assert "test; pause the targets" in steered.status.known.blocked


def test_refused_messages_do_not_queue(served: Served, steered: Steered) -> None:
    steered.streams.set()
    until(lambda: mode(served) == "servo")
    steered.streams.clear()
    before = holds(served)
    for _ in range(200):
        steered.steering.refuse()
    steered.steering.reset(60.0)  # after all that waits
    until(lambda: holds(served) > before)
    assert holds(served) - before < 50


def holds(served: Served) -> int:
    latest = served.server.latest
    assert latest is not None
    return latest.counters.get("holds", 0)
