"""skill-control-box as a user runs it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.support.fci_client import FciClient

from skill_runtime.cli.control_box import status_line, summary

COMMAND = [sys.executable, "-m", "skill_runtime.cli.control_box"]
DEADLINE_S = 30.0
IDLE, MOVE, USER_STOPPED = 1, 2, 5

_addresses = iter(range(1, 255))


def new_address() -> str:
    return f"127.44.{os.getpid() % 250 + 1}.{next(_addresses)}"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


class Box:
    """A skill-control-box process whose output goes to a file."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.address = new_address()
        self.log = folder / "box.log"
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [*COMMAND, "--address", self.address, *map(str, arguments)],
                stdout=log,
                stderr=log,
            )
        self.until(lambda: "user stop" in self.output)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def until(self, done: Callable[[], bool]) -> None:
        ends = time.monotonic() + DEADLINE_S
        while not done():
            assert self.popen.poll() is None, self.output
            assert time.monotonic() < ends, self.output
            time.sleep(0.01)

    def end(self, number: int = signal.SIGINT) -> int:
        self.popen.send_signal(number)
        return self.popen.wait(DEADLINE_S)


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[Box]:
    box = Box(folder, "--robot", "fr3", "--scene", "none", *arguments)
    try:
        yield box
    finally:
        if box.popen.poll() is None:
            box.popen.kill()
            box.popen.wait()


def test_it_runs_for_some_seconds_and_writes_a_report(tmp_path: Path) -> None:
    path = tmp_path / "new" / "box.json"
    address = new_address()
    done = run("--robot", "fer", "--address", address, "--seconds", 1.5, "--json", path)
    assert done.returncode == 0, done.stderr
    assert "Panda (FER), protocol version 5, gripper version 3" in done.stdout
    assert f"address    {address}, ports 1337 (robot) and 1338 (gripper)" in done.stdout
    assert "real-time scheduling: " in done.stdout
    assert "last reflex -" in done.stdout
    assert "no motion was commanded" in done.stdout
    report = json.loads(path.read_text())
    assert (report["robot"], report["protocol"]) == ("fer", 5)
    assert report["wall_s"] == pytest.approx(1.5, abs=0.2)
    assert report["states"] > 1000
    assert report["answered_share"] is None


def test_ctrl_c_ends_it_with_a_summary_and_without_a_traceback(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        children = psutil.Process(box.popen.pid).children()
        assert box.end(signal.SIGINT) == 0
        assert "Traceback" not in box.output
        assert "slip" in box.output
        assert not any(child.is_running() for child in children)


def test_the_output_ends_with_a_killed_box(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        children = psutil.Process(box.popen.pid).children()
        assert len(children) == 1
        box.popen.kill()
        box.popen.wait()
        gone, alive = psutil.wait_procs(children, timeout=5.0)
        assert gone
        assert not alive


def test_signals_press_and_release_the_user_stop(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        client = FciClient(box.address, 10)
        client.connect()
        modes: list[int] = []

        def has_mode(mode: int) -> bool:
            modes.extend(client.modes(state)[2] for state in client.states())
            return bool(modes) and modes[-1] == mode

        box.until(lambda: has_mode(IDLE))
        box.popen.send_signal(signal.SIGUSR1)
        box.until(lambda: has_mode(USER_STOPPED))
        box.popen.send_signal(signal.SIGUSR2)
        box.until(lambda: has_mode(IDLE))
        client.close()
        assert box.end() == 0
        assert "user stop pressed" in box.output
        assert "user stop released" in box.output
        assert "client 127.0.0.1 disconnected" in box.output


def test_a_second_box_on_the_same_address_names_the_fix(tmp_path: Path) -> None:
    with running(tmp_path) as box:
        done = run("--robot", "fer", "--address", box.address)
        assert done.returncode == 2
        assert f"cannot bind {box.address}:1337: Address already in use" in done.stderr
        assert "choose another loopback address" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["192.168.0.10", "0.0.0.0", "::1", "localhost", "127.0.0.0"])
def test_only_a_loopback_address_is_served(address: str) -> None:
    done = run("--robot", "fr3", "--address", address)
    assert done.returncode == 2
    assert "--address takes a loopback address" in done.stderr
    assert repr(address) in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--mass", "0"], "--mass takes a number from 0.001 to 100 kg, got 0"),
        (["--friction", "nan"], "--friction takes a number from 0.001 to 10, got nan"),
        (["--seconds", "0"], "--seconds takes a number from 0.1"),
        (["--scene", "none", "--mass", "2"], "--scene none has no cube"),
        (["--json", "/"], "is a folder; name a file to write"),
        (["--cpu", "99999"], "--cpu takes one of this machine's processors"),
    ],
)
def test_impossible_values_are_refused(flags: list[str], message: str) -> None:
    done = run("--robot", "fr3", *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_the_robot_must_be_named() -> None:
    done = run()
    assert done.returncode == 2
    assert "--robot" in done.stderr


def test_help_says_how_the_user_stop_is_pressed() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "SIGUSR1 presses the user stop" in " ".join(done.stdout.split())


def test_an_output_that_nobody_reads_does_not_stop_the_box(tmp_path: Path) -> None:
    path = tmp_path / "box.json"
    flags = ["--robot", "fr3", "--scene", "none", "--seconds", "2", "--json", str(path)]
    process = subprocess.Popen(
        [*COMMAND, *flags, "--address", new_address()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 0
    assert json.loads(path.read_text())["wall_s"] == pytest.approx(2.0, abs=0.2)


# ---- Texts -------------------------------------------------------------------------------------


def test_status_line() -> None:
    from skill_robots.control_box.box import Snapshot

    snapshot = Snapshot(
        client="127.0.0.1",
        gripper_client="",
        mode="MOVE (NONE, EXTERNAL)",
        success_rate=0.98,
        last_reflex="joint_reflex, cartesian_reflex",
    )
    assert status_line(0.99951, 0.0123, snapshot) == (
        "real time 1.000  slip 0.012 s  client 127.0.0.1  gripper client -  "
        "MOVE (NONE, EXTERNAL)  answered 0.98  last reflex joint_reflex, cartesian_reflex"
    )


def test_summary() -> None:
    report = {
        "realtime_factor": 0.9998,
        "wall_s": 60.0,
        "slip_s": 0.012,
        "cpu_share": 0.2,
        "gap_p50_ms": 1.0,
        "gap_p99_ms": 1.1,
        "gap_max_ms": 9.0,
        "answered_share": 0.997,
        "awaited": 1000,
        "longest_miss": 3,
        "reflexes": {"joint_reflex": 2},
    }
    assert summary(report).splitlines() == [
        "real time  0.9998 in 60.0 s, slip 0.012 s, 0.2 of a processor",
        "gaps       1.0 ms median, 1.1 ms p99, 9.0 ms longest",
        "answers    0.997 of 1000 states, 3 missed in a row",
        "reflex     joint_reflex (2)",
    ]
