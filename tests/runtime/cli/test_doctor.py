"""skill-doctor as a user runs it; the measured values depend on the machine and are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skill_runtime.doctor.serving_cost import time_round_trips
from skill_runtime.realtime.cpus import online_cpus

DEADLINE_S = 120.0
COMMAND = [sys.executable, "-m", "skill_runtime.cli.doctor"]


def doctor(*arguments: object, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=folder,
    )


def test_it_measures_prints_and_writes(policy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "doctor.json"
    cpu = online_cpus()[-1]
    done = doctor("--seconds", 0.2, "--model", policy_file, "--cpu", cpu, "--json", path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in (
        "real-time scheduling",
        "an inference of the policy",
        "25 Hz policy at 200 Hz servo: ",
        "1 kHz of the Franka control interface: ",
        f"wrote {path}",
    ):
        assert words in done.stdout
    assert max(map(len, done.stdout.replace(str(path), "").splitlines())) <= 100
    written = json.loads(path.read_text())
    assert written["seconds"] == 0.2
    assert len(written["empty_loops"]) == 2 * len(written["served_loops"])
    assert all(loop["wakeup_latency"]["count"] >= 1 for loop in written["empty_loops"])
    assert written["costs"]["a whole tick at 200 Hz"]["count"] >= 1
    assert [verdict["name"] for verdict in written["verdicts"]] == [
        "25 Hz policy at 200 Hz servo",
        "1 kHz of the Franka control interface",
    ]


def test_without_a_flag_it_measures_a_model_that_comes_with_it(tmp_path: Path) -> None:
    done = doctor("--seconds", 0.1, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "25 Hz policy at 200 Hz servo: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seconds", "0"], "--seconds takes a number from 0.1 to 3600 s, got 0"),
        (["--seconds", "nan"], "--seconds takes"),
        (["--spin-us", "2000"], "--spin-us takes a number from 1 to 1000 us, got 2000"),
        (["--cpu", "4096"], "--cpu takes one of this machine's processors"),
        (["--arm", "host", "--model", "m.onnx"], "--model is for the measurements of this machine"),
        (["--arm", "host", "--spin-us", "100"], "--spin-us is for the measurements of this"),
        (["--json", "."], "is a folder; name a file"),
        (["--seconds", "3600", "--model", "nowhere.onnx"], "there is no such file"),
        (["--model", "nowhere"], "there is no model 'nowhere'; models by name: "),
        (["--sekonds", "3"], "--sekonds"),
        (["--log-level", "loud"], "--log-level"),
    ],
)
def test_mistyped_commands_are_explained(arguments: list[str], said: str) -> None:
    done = doctor(*arguments)
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr + done.stdout
    assert said in " ".join((done.stderr + done.stdout).split())


def test_round_trips_of_messages_are_timed() -> None:
    assert (time_round_trips(0.1) > 0).all()
    assert (time_round_trips(0.1, 200.0) > 0).all()


def test_a_full_disk_does_not_lose_the_measurements(tmp_path: Path) -> None:
    path = tmp_path / "doctor.json"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--seconds", "0.1", "--json", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "skill-doctor: cannot write standard output: No space left on device; "
        "free some space, or send the output elsewhere\n",
    )
    assert json.loads(path.read_text())["seconds"] == 0.1
    done = doctor("--seconds", 0.1, "--json", "/dev/full", folder=tmp_path)
    assert done.returncode == 1
    assert "1 kHz of the Franka control interface: " in done.stdout
    assert done.stderr.startswith("skill-doctor: cannot write /dev/full: No space left on device")
