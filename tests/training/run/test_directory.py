"""The run directory: the precision of matrix products of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.run import job
from skill_training.run.directory import RunDirectory

TinyConfig = Callable[..., SkillConfig]

FACTS = {"code_revision": "0", "machine": "test", "versions": {}}


def test_a_run_keeps_the_precision_that_it_began_with(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), {**FACTS, "matmul": "bfloat16"})
    assert directory.config().run.matmul == "auto"
    assert directory.resolved_config().run.matmul == "bfloat16"
    monkeypatch.setattr("skill_training.device.cpu_has_bf16", lambda: False)
    with pytest.raises(ConfigError, match="continues only on a CPU that has it"):
        job.train(directory)


def test_a_directory_of_an_older_release_is_continued(
    tmp_path: Path, tiny_config: TinyConfig
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), FACTS)
    path = tmp_path / "config.json"
    plain = json.loads(path.read_text())
    del plain["run"]["matmul"]
    path.write_text(json.dumps(plain))
    assert directory.resolved_config() == tiny_config()
    assert job.train(directory)
    assert "matrix products" not in directory.card.read_text()


def test_a_damaged_precision_is_refused(tmp_path: Path, tiny_config: TinyConfig) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), {**FACTS, "matmul": "float8"})
    with pytest.raises(RunDirectoryError, match="matmul"):
        directory.resolved_config()


def test_an_impossible_precision_leaves_no_directory(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_training.device.cpu_has_bf16", lambda: False)
    with pytest.raises(ConfigError, match="--matmul bfloat16"):
        job.start_or_continue(RunDirectory(tmp_path / "run"), tiny_config(matmul="bfloat16"))
    assert not list(tmp_path.iterdir())
