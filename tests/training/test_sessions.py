"""``skill-train`` as a process: signals, terminals, full disks, second writers and divergence."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training.forked import Training

from skill_training.run import checkpoint
from skill_training.run.metrics_log import read

Begin = Callable[..., Training]
Flags = Callable[..., list[str]]

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")


@pytest.fixture
def long(tiny_flags: Flags) -> list[str]:
    """A run of CSF in ``run`` that does not end by itself."""
    return ["csf", *tiny_flags("csf", env_steps=4_000_000), "--run-dir", "run"]


def _steps(run: Path) -> int:
    return int(checkpoint.load(run / "checkpoint.pt")["env_steps"])


def _advance(training: Training, run: Path, rounds: int = 2) -> None:
    """Waits until the training has written further checkpoints."""
    path = run / "checkpoint.pt"
    for _ in range(rounds):
        before = path.stat().st_mtime_ns
        training.until(lambda seen=before: path.stat().st_mtime_ns != seen)


@pytest.mark.parametrize("name", ENDING)
def test_a_signal_leaves_a_checkpoint(
    name: str, begin: Begin, long: list[str], tmp_path: Path
) -> None:
    run, number = tmp_path / "run", signal.Signals[name]
    training = begin(*long)
    training.until_file(run / "checkpoint.pt")
    before = _steps(run)
    training.send(number)
    assert training.wait() == 128 + number, training.output
    assert f"stopped by {name} with a checkpoint" in training.output
    assert "skill-train csf --resume run" in training.output
    assert "Traceback" not in training.output
    assert _steps(run) >= before
    session = json.loads((run / "run.json").read_text())["sessions"][0]
    assert (session["end"], session["env_steps"]) == (name, _steps(run))


def test_a_terminal_may_be_paused_and_closed(begin: Begin, long: list[str], tmp_path: Path) -> None:
    terminal, line = pty.openpty()
    training = begin(*long, output=os.ttyname(line))
    training.until_file(tmp_path / "run" / "checkpoint.pt")
    termios.tcflow(line, termios.TCOOFF)  # as Ctrl-S does
    _advance(training, tmp_path / "run")
    os.close(terminal)
    os.close(line)
    _advance(training, tmp_path / "run")
    training.send(signal.SIGHUP)
    assert training.wait() == 128 + signal.SIGHUP


def test_neither_full_output_nor_an_ignored_hangup_ends_a_run(
    begin: Begin, long: list[str], tmp_path: Path
) -> None:
    training = begin(*long, output="/dev/full", ignored=[signal.SIGHUP])
    training.until_file(tmp_path / "run" / "checkpoint.pt")
    training.send(signal.SIGHUP)
    _advance(training, tmp_path / "run")
    training.send(signal.SIGTERM)
    assert training.wait() == 128 + signal.SIGTERM


def test_files_on_a_full_disk_do_not_end_a_run(
    begin: Begin, long: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = begin(*long, file_limit=4000)
    for name in ("checkpoint.pt: ", "metrics.jsonl: ", "events.out"):
        training.until(lambda seen=name: seen in training.output or training.poll() is not None)
    assert training.poll() is None, training.output
    assert "there is no earlier checkpoint; training goes on" in training.output
    assert not (run / "checkpoint.pt").exists()
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(training.pid, resource.RLIMIT_FSIZE, unlimited)
    training.until_file(run / "checkpoint.pt")
    training.send(signal.SIGTERM)
    assert training.wait() == 128 + signal.SIGTERM
    steps = [int(row["env_steps"]) for row in read(run / "metrics.jsonl") if "updates" in row]
    assert set(range(120, _steps(run), 40)) <= set(steps)


def test_a_last_checkpoint_that_cannot_be_written_is_a_failure(
    begin: Begin, long: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = begin(*long)
    training.until_file(run / "checkpoint.pt")
    resource.prlimit(training.pid, resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
    training.until(lambda: "is kept; training goes on" in training.output)
    kept = _steps(run)
    training.send(signal.SIGTERM)
    assert training.wait() == 1
    last = training.output.splitlines()[-1]
    assert f"the checkpoint of environment step {kept} is kept" in last
    # A limit on the size of files is no full disk.
    assert "Correct this, then continue with: skill-train csf --resume run" in last
    assert _steps(run) == kept


def test_one_process_trains_in_a_directory(begin: Begin, long: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = begin(*long)
    first.until_file(run / "checkpoint.pt")
    # Resumed, started again, and a policy exported into it.
    seconds = [
        begin("csf", "--resume", "run"),
        begin(*long),
        begin("export", "run", "--out", "run/policy.onnx"),
    ]
    for second in seconds:
        assert second.wait() == 2, second.output
        assert f"run is in use: PID {first.pid} on " in second.output
        assert "trains here since" in second.output
    assert {entry.name for entry in run.glob("policy*")} == set()
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    again = begin("csf", "--resume", "run")
    again.until(lambda: "run directory" in again.output)
    _advance(again, run, rounds=1)
    logged = [row["env_steps"] for row in read(run / "metrics.jsonl")]
    assert logged == sorted(logged)


def test_runs_of_one_second_have_their_own_directories(begin: Begin, tiny_flags: Flags) -> None:
    flags = ["csf", *tiny_flags("csf", env_steps=4_000_000)]
    trainings = [begin(*flags) for _ in range(3)]
    for training in trainings:
        training.until(lambda seen=training: "%" in seen.output or seen.poll() is not None)
        assert training.poll() is None, training.output
    paths = {training.output.splitlines()[0] for training in trainings}
    assert len(paths) == 3
    assert all(path.startswith("run directory: logs/csf/") for path in paths)


def test_a_training_that_diverges_keeps_the_last_good_checkpoint(
    begin: Begin, tiny_flags: Flags, tmp_path: Path
) -> None:
    flags = ["csf", *tiny_flags("csf"), "--csf.learning-rate", "1e4", "--run-dir", "run"]
    training = begin(*flags)
    assert training.wait() == 1
    errors = [line for line in training.output.splitlines() if "diverged" in line]
    assert len(errors) == 1
    assert "at gradient step" in errors[0]
    assert "lower learning rate (now --csf.learning-rate 10000)" in errors[0]
    saved = _steps(tmp_path / "run")
    assert f"the checkpoint of environment step {saved} is kept in run" in errors[0]
    assert "skill-train export run --out policy.onnx" in errors[0]
    state = checkpoint.load(tmp_path / "run" / "checkpoint.pt")["learner"]["algorithm"]
    assert all(value.isfinite().all() for value in state["actor"].values())
    assert not (tmp_path / "MUJOCO_LOG.TXT").exists()
    assert not (tmp_path / "run" / "policy.onnx").exists()


def test_the_version_needs_no_training(begin: Begin) -> None:
    asked = begin("--version")
    assert asked.wait() == 0
    assert asked.output.startswith("skill-train ")
