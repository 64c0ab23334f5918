"""The runs that a sweep has left, and the folder that they share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from skill_training.config import TrainConfig, config_to_json
from skill_training.errors import RunDirectoryError
from skill_training.recipes.registry import default_config
from skill_training.sweep.execution import Place, run_missing
from skill_training.sweep.grid import Run, Variant, make_variant_runs
from skill_training.sweep.local import run_locally
from skill_training.sweep.process import end_with_parent, was_busy

B = Variant(name="b", algorithm="csf")


def finished(folder: Path, *names: str, flags: tuple[str, ...] = ()) -> list[Run]:
    """Returns runs whose policies are there, so that no process is started."""
    variants = [Variant(name=name, algorithm="csf", flags=flags) for name in names]
    runs = make_variant_runs(variants, [0], [])
    for run in runs:
        finish(folder / run.name, default_config("csf"))
    return runs


def finish(path: Path, config: TrainConfig) -> None:
    """Puts configuration and policy of a finished run into a directory."""
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(config_to_json(config))
    (path / "policy.onnx").touch()


def plain(_: object) -> TrainConfig:
    """Returns the configuration of every run here."""
    return default_config("csf")


def run(folder: Path, runs: Sequence[Run], **definition: str | None) -> list[str]:
    def unused(_: object) -> None:
        raise AssertionError("a finished run is not checked")

    return run_missing(runs, definition, Place(folder=folder), plain, unused)


def test_a_finished_run_is_left_alone_and_other_runs_are_remembered(tmp_path: Path) -> None:
    assert run(tmp_path, finished(tmp_path, "a")) == []
    assert run(tmp_path, finished(tmp_path, "b")) == []
    mark = json.loads((tmp_path / "sweep.json").read_text())
    assert [one["name"] for one in mark["runs"]] == ["a_seed0", "b_seed0"]


def test_more_seeds_and_settings_add_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def start(_: str, __: object, directory: Path, ___: Path) -> subprocess.Popen[bytes]:
        started.append(directory.name)
        return subprocess.Popen(["true"])

    monkeypatch.setattr("skill_training.sweep.local.start", start)
    monkeypatch.setattr("skill_training.sweep.local.POLL_S", 0.01)
    finished(tmp_path, "a")
    runs = make_variant_runs([Variant(name=name, algorithm="csf") for name in "ab"], [0, 1], [])
    place = Place(folder=tmp_path, jobs=1)
    checked: list[TrainConfig] = []
    assert run_missing(runs, {}, place, plain, checked.append) == []
    assert started == ["b_seed0", "a_seed1", "b_seed1"]
    assert len(checked) == 2  # once for each setting
    mark = json.loads((tmp_path / "sweep.json").read_text())
    assert [one["name"] for one in mark["runs"]] == [one.name for one in runs]


def test_a_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, finished(tmp_path, "a"))
    with pytest.raises(
        RunDirectoryError, match=r"a run a_seed0 with other settings \(csf --seed 0"
    ):
        run(tmp_path, finished(tmp_path, "a", flags=("--n-envs", "8")))
    with pytest.raises(RunDirectoryError, match="holds another sweep"):
        run(tmp_path, finished(tmp_path, "a"), algorithm="metra")


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_run_that_is_there_with_other_settings_starts_nothing(
    tmp_path: Path, *, is_finished: bool
) -> None:
    """The table would average runs of several settings; the run may be of any origin."""
    runs = [*finished(tmp_path, "a"), *make_variant_runs([B], [0, 1], [])]
    longer = replace(plain(0).run, env_steps=6_400_000, seed=1)
    finish(tmp_path / "b_seed1", replace(plain(0), run=longer))
    if not is_finished:
        (tmp_path / "b_seed1" / "policy.onnx").unlink()
    with pytest.raises(
        RunDirectoryError,
        match=r"b_seed1 holds a run with other settings \(run\.env_steps is 6400000, not 1600000\)",
    ):
        run_missing(runs, {}, Place(folder=tmp_path), plain, lambda _: None)
    assert not (tmp_path / "b_seed0").exists()
    assert not (tmp_path / "sweep.json").exists()


def test_a_policy_without_its_configuration_is_refused(tmp_path: Path) -> None:
    runs = finished(tmp_path, "a")
    (tmp_path / "a_seed0" / "config.json").unlink()
    with pytest.raises(RunDirectoryError, match=r"a policy without config\.json.*restore"):
        run(tmp_path, runs)


def test_the_seed_of_a_run_is_its_own(tmp_path: Path) -> None:
    runs = make_variant_runs([B], [0, 1], [])
    for one in runs:
        finish(tmp_path / one.name, replace(plain(0), run=replace(plain(0).run, seed=one.seed)))
    assert run(tmp_path, runs) == []
    finish(tmp_path / "b_seed1", plain(0))
    with pytest.raises(RunDirectoryError, match=r"run\.seed is 0, not 1"):
        run(tmp_path, runs)


def test_the_folder_of_a_comparison_is_refused_with_its_rows(tmp_path: Path) -> None:
    run(tmp_path, finished(tmp_path, "csf", "metra"), algorithm=None)
    with pytest.raises(RunDirectoryError, match=r"another sweep \(a comparison of csf, metra\)"):
        run(tmp_path, finished(tmp_path, "a"), algorithm="csf")


def test_only_the_last_message_says_that_a_directory_is_in_use(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("skill-train: a is in use: PID 3 on b trains here; wait until it ends\n")
    assert was_busy(2, log)
    assert not was_busy(1, log)
    log.write_text(log.read_text() + "skill-train: a holds a run with other settings\n")
    assert not was_busy(2, log)


def test_a_run_whose_directory_is_in_use_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The processes of a killed sweep write a checkpoint before they leave their directories."""
    refusal = "skill-train: a_seed0 is in use: PID 3 on b trains here; wait until it ends"
    codes = [2, 2, 0]

    def start(_: str, __: object, ___: Path, log: Path) -> subprocess.Popen[bytes]:
        log.parent.mkdir(exist_ok=True)
        log.write_text(refusal)
        return subprocess.Popen(["sh", "-c", f"exit {codes.pop(0)}"])

    monkeypatch.setattr("skill_training.sweep.local.start", start)
    monkeypatch.setattr("skill_training.sweep.local.POLL_S", 0.01)
    (ended,) = run_locally(finished(tmp_path, "a"), tmp_path, 1, lambda: None)
    assert (ended.code, codes) == (0, [])


@pytest.mark.parametrize(
    ("number", "ends_with"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_while_a_process_starts_ends_the_sweep(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    ends_with: type[BaseException],
) -> None:
    """Python drops an exception of a signal's handler there."""
    started: list[subprocess.Popen[bytes]] = []
    waits = threading.Event()

    def interrupt() -> None:
        if waits.is_set():
            waits.clear()
            os.kill(os.getpid(), number)

    def start(*_: object) -> subprocess.Popen[bytes]:
        waits.set()
        # As the sweep does; the hooks of a fork run in this process only with a preexec_fn.
        started.append(subprocess.Popen(["sleep", "60"], preexec_fn=end_with_parent))
        return started[-1]

    os.register_at_fork(after_in_parent=interrupt)
    monkeypatch.setattr("skill_training.sweep.local.start", start)
    with pytest.raises(ends_with):
        run_locally(finished(tmp_path, "a", "b"), tmp_path, 2, lambda: None)
    assert [process.returncode for process in started] == [-signal.SIGTERM] * len(started)
