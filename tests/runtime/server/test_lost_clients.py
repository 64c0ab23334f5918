"""A client that ends without a word: its lease runs out, and the arm comes to rest."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

from tests.runtime.server.raw_client import RawClient, assert_error
from tests.support.children import child_process
from tests.support.served import LocalServer, Served, until

CLIENT = """
import sys, time
from skill_runtime.client import SkillClient
with SkillClient(sys.argv[1], timeout_s=20) as client, client.acquire("doomed", ttl_s=1) as lease:
    while True:
        client.skill([1, 0], valid_for_s=60)
        print("moving", flush=True)
        time.sleep(0.05)
"""

RESTING_SPEED = 0.01
"""Joint velocity of an arm at rest [rad/s]."""


def speed(server: LocalServer) -> float:
    """Returns the velocity of the fastest joint [rad/s]."""
    latest = server.latest
    return 0.0 if latest is None else max(abs(value or 0.0) for value in latest.joint_velocity)


def has_lost_the_lease(server: LocalServer) -> bool:
    authority = server.authority
    return authority.mode == "hold" and authority.events.counters["lease_lost"] > 0


def test_after_the_lease_expires_the_arm_holds(
    served: Served, connect: Callable[[str], RawClient]
) -> None:
    server = served.server
    client = connect(server.addresses.commands)

    def moves() -> bool:
        """On a busy machine, the short lease may end before the command."""
        client.acquire(ttl_s=0.3)
        return client.command(type="skill", skill=[1, 0])["type"] == "ok"

    until(moves)
    until(lambda: has_lost_the_lease(server))
    reply = client.command(type="skill", skill=[1, 0])
    assert_error(server, reply, "no_lease", "not renewed")
    until(lambda: speed(server) < RESTING_SPEED)


def test_after_kill_9_of_a_client_the_arm_comes_to_rest(served: Served) -> None:
    server = served.server
    command = [sys.executable, "-c", CLIENT, server.addresses.commands]
    with child_process(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"moving\n"
            until(lambda: speed(server) > RESTING_SPEED)
        finally:
            process.send_signal(signal.SIGKILL)
    until(lambda: has_lost_the_lease(server))
    assert server.authority.events.counters["lease_lost"] == 1
    until(lambda: "doomed" in server.authority.events.last_event)
    until(lambda: speed(server) < RESTING_SPEED)
