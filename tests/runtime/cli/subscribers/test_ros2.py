"""The command line of skill-ros2; tests/runtime/ros2 runs the program."""

from __future__ import annotations

import json

import pytest
import tyro
from tests.support.router_peer import Peer, ids, ok
from tests.support.served import Served

from skill_runtime.cli.subscribers.ros2 import divide_arguments
from skill_runtime.cli.subscribers.server_options import SteeredServerOptions


def test_arguments_for_ros_end_with_two_dashes() -> None:
    given = ["--address", "a", "--ros-args", "-p", "target:=joint", "--", "--key", "k"]
    own, for_ros = divide_arguments(given)
    assert own == ["--address", "a", "--key", "k"]
    assert for_ros == ["--ros-args", "-p", "target:=joint", "--"]


def test_the_key_needs_the_role_that_steers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tyro.cli(SteeredServerOptions, args=["--help"])
    shown = capsys.readouterr().out
    assert "controller" in shown
    assert "observer" not in shown


def test_a_stop_goes_to_the_address_that_was_given(served: Served, peer: Peer) -> None:
    peer.answer = lambda frames: [ok(ids(frames))]
    given = ["--address", served.address, "--stop-address", peer.address]
    with tyro.cli(SteeredServerOptions, args=given).client("test") as client:
        client.stop("test")
    assert json.loads(peer.heard[0][0])["type"] == "stop"
