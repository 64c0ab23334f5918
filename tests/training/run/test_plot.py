"""Training curves: drawn for runs with evaluations, refused for others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skill_training.errors import RunDirectoryError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.texts import CURVES
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog
from skill_training.run.plot import curves_of, labels, plot_runs

TinyConfig = Callable[..., SkillConfig]


def _run(path: Path, config: SkillConfig, evaluations: int) -> Path:
    RunDirectory(path).create(config, {})
    with MetricsLog(path) as log:
        for index in range(evaluations):
            row = {curve.name: 0.1 * index for curve in CURVES}
            log.write(1000 * index, row)
            log.write(1000 * index, {"train/critic/loss": 1.0})
    return path


def test_labels_name_the_differences_between_runs(tiny_config: TinyConfig, tmp_path: Path) -> None:
    runs = [
        _run(tmp_path / "a", tiny_config("csf", seed=0), 3),
        _run(tmp_path / "b", tiny_config("csf", seed=1, n_envs=8), 3),
        _run(tmp_path / "c", tiny_config("metra", seed=1), 3),
    ]
    assert labels(runs) == ["csf, seed 0, n_envs 4", "csf, seed 1, n_envs 8", "metra, seed 1"]


def test_a_picture_is_written(tiny_config: TinyConfig, tmp_path: Path) -> None:
    run = _run(tmp_path / "a", tiny_config(), 3)
    out = tmp_path / "pictures" / "curves.png"
    plot_runs([run], out)
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_picture_through_a_link_keeps_the_link(tiny_config: TinyConfig, tmp_path: Path) -> None:
    run = _run(tmp_path / "a", tiny_config(), 3)
    out, target = tmp_path / "latest.png", tmp_path / "curves.png"
    out.symlink_to(target)
    plot_runs([run], out)
    assert out.is_symlink()
    assert target.read_bytes().startswith(b"\x89PNG")


def test_any_logged_curve_can_be_drawn(tiny_config: TinyConfig, tmp_path: Path) -> None:
    run = _run(tmp_path / "a", tiny_config(), 3)
    out = tmp_path / "curves.png"
    plot_runs([run], out, ["train/critic/loss"])
    assert out.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RunDirectoryError, match=r"no run has logged nosuch; .*train/critic/loss"):
        plot_runs([run], out, ["nosuch", "train/critic/loss"])


def test_a_curve_that_no_run_has_is_left_out(tiny_config: TinyConfig, tmp_path: Path) -> None:
    run = tmp_path / "a"
    RunDirectory(run).create(tiny_config(), {})
    with MetricsLog(run) as log:
        log.write(1000, {CURVES[1].name: 40.0, CURVES[0].name: 0.5, "eval/other": 1.0})
    assert curves_of([run]) == list(CURVES[:2])


def test_runs_without_curves_are_named(tiny_config: TinyConfig, tmp_path: Path) -> None:
    run = _run(tmp_path / "young", tiny_config(), 0)
    with pytest.raises(RunDirectoryError, match="young has no evaluation yet"):
        plot_runs([run], tmp_path / "a.png")
    with pytest.raises(RunDirectoryError, match="no directory"):
        plot_runs([tmp_path / "nowhere"], tmp_path / "a.png")
    run = _run(tmp_path / "run", tiny_config(), 2)
    with pytest.raises(RunDirectoryError, match="cannot write the picture"):
        plot_runs([run], tmp_path / "a.nosuchformat")
