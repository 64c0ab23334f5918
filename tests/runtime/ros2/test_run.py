"""The node from start to end: the server goes away and comes back, Ctrl-C, mistakes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from benchmarks.serving.ros2.processes import (
    DIAGNOSTICS,
    JOINTS,
    PROGRAM,
    RosPeer,
    running_node,
    statuses,
)
from tests.support.ros import ros_or_skip
from tests.support.served import Served, serving, until
from tests.support.served_process import fixed_addresses

NAMES = [f"panda_joint{i}" for i in range(1, 8)]
TARGET = {
    "header": {"frame_id": "world"},
    "name": NAMES,
    "position": [0.1, 0.9, 0.0, -1.5, 0.0, 2.4, 0.78],
}


def test_a_restarted_server_and_an_interrupt(policy_file: Path, tmp_path: Path) -> None:
    addresses, log = fixed_addresses(), tmp_path / "node.log"
    arguments = ("--address", addresses.commands, "--ros-args", "-p", "target:=joint")
    # The lease lives for long, so that its end here is its release; on a busy machine messages
    # are late.
    for parameter in ("lease_ttl_s:=60.0", "silence_s:=10.0", "valid_for_s:=5.0", "holder:=ros"):
        arguments += ("-p", parameter)
    arguments += ("-p", "max_age_s:=10.0")
    with ros_or_skip(tmp_path) as environment:
        peer = RosPeer(environment)
        try:
            peer.ask("subscribe", topic="/diagnostics", kind=DIAGNOSTICS)
            with running_node(environment, log, *arguments) as node:
                # "no server" before the first attempt, "no answer" after it.
                peer.message("/diagnostics", lambda m: statuses(m)["arm"][0] == 2)
                with serving(policy_file, addresses=addresses) as served:
                    peer.message("/diagnostics", lambda m: statuses(m)["arm"][0] == 0)
                    peer.ask(
                        "stream", rate_hz=50.0, topic="target_joint", kind=JOINTS, fields=TARGET
                    )
                    until(lambda: holder(served) == "ros")
                peer.message("/diagnostics", lambda m: "no answer" in statuses(m)["arm"][1])
                with serving(policy_file, addresses=addresses) as served:
                    peer.message("/diagnostics", lambda m: statuses(m)["arm"][0] == 0)
                    # The stream of before the restart does not move the arm again.
                    peer.message("/diagnostics", lambda m: "pause" in statuses(m)["targets"][1])
                    assert holder(served) is None
                    assert peer.call("clear")["success"]
                    until(lambda: holder(served) == "ros")
                    node.send_signal(signal.SIGINT)
                    until(lambda: holder(served) is None)
                    assert node.wait(60) == 0
        finally:
            peer.close()
    assert "Traceback" not in log.read_text()


def holder(served: Served) -> str | None:
    latest = served.server.latest
    return None if latest is None else latest.lease_holder


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_mistakes_are_named(tmp_path: Path) -> None:
    with ros_or_skip(tmp_path) as environment:
        wrong = run(environment, "--ros-args", "-p", "priority:=11")
        assert wrong.returncode == 2
        assert "ROS parameter priority: Input should be less than or equal to 9" in wrong.stderr
        assert "Traceback" not in wrong.stderr
        wrong = run(environment, "--ros-args", "-p", "priority")
        assert (wrong.returncode, "ROS does not start" in wrong.stderr) == (2, True)
        wrong = run(environment, "--address", "nowhere")
        assert (wrong.returncode, "is not an address" in wrong.stderr) == (2, True)


def test_a_shell_without_ros_is_named() -> None:
    wrong = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert wrong.returncode == 2
    assert "skill-ros2 needs ROS 2" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_help_needs_no_ros() -> None:
    shown = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, "--help"], capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0
    assert "--ros-args" in shown.stdout
