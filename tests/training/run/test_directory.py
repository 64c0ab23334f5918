"""The run directory: the precision of matrix products of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from skill_training.errors import ConfigError, RunDirectoryError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.run import job
from skill_training.run.directory import RunDirectory, new_directory
from skill_training.run.policy_export import write_policy

TinyConfig = Callable[..., SkillConfig]

FACTS: dict[str, Any] = {"code_revision": "0", "machine": "test", "versions": {}}


def test_a_run_keeps_the_precision_that_it_began_with(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), {**FACTS, "matmul": "bfloat16"})
    assert directory.config().run.matmul == "auto"
    assert directory.resolved_config().run.matmul == "bfloat16"
    monkeypatch.setattr("skill_training.device.cpu_rounds_to_bf16", lambda: False)
    with pytest.raises(ConfigError, match="with --resume RUN --matmul float32"):
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machine": 5}, "machine: Input should be a valid string, got 5"),
        ({"versions": "2"}, "versions: "),
        ({"sessions": [{**FACTS, "versions": {"torch": 2}}]}, "sessions.0.from_env_steps: "),
        ({"sessions": 5}, "sessions: "),
    ],
)
def test_damaged_facts_are_named(
    change: dict[str, Any], words: str, tmp_path: Path, tiny_config: TinyConfig
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), {**FACTS, **change})
    with pytest.raises(RunDirectoryError) as refused:
        write_policy(directory, tmp_path / "policy.onnx")
    assert f"{tmp_path / 'run.json'} is damaged: " in str(refused.value)
    assert words in str(refused.value)


def test_an_impossible_precision_leaves_no_directory(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_training.device.cpu_rounds_to_bf16", lambda: False)
    with pytest.raises(ConfigError, match="--matmul bfloat16"):
        job.start_or_continue(RunDirectory(tmp_path / "run"), tiny_config(matmul="bfloat16"))
    assert not list(tmp_path.iterdir())


def test_directories_of_one_second_are_numbered(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class _Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime(2026, 7, 30, 12, 0, 0, tzinfo=tz)

    monkeypatch.setattr("skill_training.run.directory.datetime", _Clock)
    monkeypatch.chdir(tmp_path)
    names = [new_directory(tiny_config(seed=3)).path for _ in range(3)]
    assert names == [
        Path("logs/csf/20260730-120000_seed3"),
        Path("logs/csf/20260730-120000_seed3-2"),
        Path("logs/csf/20260730-120000_seed3-3"),
    ]


def test_a_file_in_place_of_the_folder_of_runs_is_named(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").symlink_to("nowhere")
    with pytest.raises(RunDirectoryError, match="cannot create the run directory logs/csf"):
        new_directory(tiny_config())


def test_the_advice_for_other_settings_can_be_followed(
    tmp_path: Path, tiny_config: TinyConfig
) -> None:
    directory = RunDirectory(tmp_path / "a run")
    directory.create(tiny_config(), FACTS)
    resume = f"skill-train csf --resume '{directory.path}'"
    for settings, flags in (
        ({"env_steps": 640, "threads": 2}, " --env-steps 640 --threads 2,"),
        ({"env_steps": 80}, ","),  # a run is not shortened
        ({"seed": 1, "env_steps": 640}, ","),
    ):
        with pytest.raises(RunDirectoryError) as caught:
            directory.check_same(tiny_config(**settings))
        assert f"continue that run with: {resume}{flags} or choose" in str(caught.value)


def test_a_full_disk_keeps_the_old_facts(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), FACTS)
    before = directory.facts()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunDirectoryError, match=r"cannot write .*run\.json.*free some space"):
        directory.write_facts({**FACTS, "machine": "another"})
    assert directory.facts() == before
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "run.json", "run.lock"}
