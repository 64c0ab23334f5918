"""A server, skill-ros2 and another ROS program, for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks.serving.ros2.processes import DIAGNOSTICS, JOINTS, POSE, RosPeer, running_node
from tests.support.ros import ros_or_skip
from tests.support.served import LocalServer, serving, until


@dataclass
class Rig:
    """The three of them."""

    server: LocalServer
    address: str
    peer: RosPeer
    log: Path
    environment: dict[str, str]

    @property
    def mode(self) -> str:
        """Mode of the arm."""
        latest = self.server.latest
        return "" if latest is None else latest.mode

    @property
    def holder(self) -> str | None:
        """Holder of the lease."""
        latest = self.server.latest
        return None if latest is None else latest.lease_holder

    def settle(self) -> None:
        """Returns when nobody steers, and the node would obey the next target."""
        self.peer.ask("quiet")
        assert self.peer.call("release")["success"]
        until(lambda: self.peer.call("clear")["success"])  # refused while the arm still moves
        until(lambda: self.holder is None and self.mode == "hold")
        self.peer.messages("/diagnostics")


@pytest.fixture(scope="module")
def rig(policy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """The three of them, connected; ``target`` is the pose."""
    folder = tmp_path_factory.mktemp("ros")
    log = folder / "node.log"
    with ExitStack() as running:
        environment = running.enter_context(ros_or_skip(folder))
        served = running.enter_context(serving(policy_file))
        # On a busy machine messages are late; no test here waits for these times.
        parameters = ("-p", "silence_s:=2.0", "-p", "valid_for_s:=1.5", "-p", "max_age_s:=5.0")
        parameters += ("-p", "priority:=2")
        running.enter_context(
            running_node(environment, log, "--address", served.address, "--ros-args", *parameters)
        )
        peer = RosPeer(environment)
        running.callback(peer.close)
        peer.ask("subscribe", topic="joint_states", kind=JOINTS)
        peer.ask("subscribe", topic="current_pose", kind=POSE)
        peer.ask("subscribe", topic="objects/cube", kind=POSE)
        peer.ask("subscribe", topic="/diagnostics", kind=DIAGNOSTICS)
        until(lambda: bool(peer.messages("joint_states")))
        until(lambda: peer.ask("subscribers", topic="target_pose") > 0)
        yield Rig(served.server, served.address, peer, log, environment)
