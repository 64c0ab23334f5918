"""The run directory: the precision of matrix products of a run."""

from __future__ import annotations

import json
import shutil
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
def test_damaged_facts_are_named_once_and_their_origin_is_unknown(
    change: dict[str, Any],
    words: str,
    tmp_path: Path,
    tiny_config: TinyConfig,
    caplog: pytest.LogCaptureFixture,
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), {**FACTS, **change})
    for _ in range(2):
        assert directory.facts() == {
            "code_revision": "unknown",
            "machine": "unknown",
            "versions": {},
        }
    (warning,) = caplog.messages
    assert f"{tmp_path / 'run.json'} is damaged: " in warning
    assert words in warning
    assert "restore this file" in warning


@pytest.mark.parametrize("content", [None, '{"code_revision": "0", "mach'])
def test_a_run_goes_on_and_is_exported_without_its_facts(
    content: str | None, tmp_path: Path, tiny_config: TinyConfig
) -> None:
    """run.json has facts alone: a whole checkpoint can do without them."""
    directory = RunDirectory(tmp_path / "run")
    job.start_or_continue(directory, tiny_config())
    assert job.train(directory)
    facts = directory.path / "run.json"

    def damage() -> None:
        facts.unlink(missing_ok=True)
        if content is not None:
            facts.write_text(content)

    damage()
    manifest = write_policy(directory, tmp_path / "policy.onnx")
    assert manifest.provenance.code_revision.startswith("unknown, then ")
    assert manifest.provenance.gradient_steps == 30
    damage()
    assert job.train(directory, {"env_steps": 400})
    sessions = directory.facts()["sessions"]
    assert [one["from_env_steps"] for one in sessions] == [0, 320]
    assert sessions[0]["machine"] == "unknown"
    assert "| machine | unknown, then " in directory.card.read_text()


def test_a_damaged_configuration_is_named_with_its_fix(
    tmp_path: Path, tiny_config: TinyConfig
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), FACTS)
    (tmp_path / "config.json").write_text('{"algorithm": {"na')
    with pytest.raises(
        RunDirectoryError, match=r"config\.json: .*; restore this file, or begin a run in another"
    ):
        job.open_run(tmp_path)


def test_paths_may_be_text(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunDirectoryError, match="there is no directory run"):
        job.open_run("run")
    with pytest.raises(RunDirectoryError, match="run is not a run directory"):
        job.train("run")
    job.start_or_continue("run", tiny_config())
    assert job.open_run("run").path == Path("run")
    assert RunDirectory("run").config() == tiny_config()
    assert job.train("run")
    assert Path("run/policy.onnx").is_file()


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


def test_space_is_the_advice_for_a_full_disk_alone(
    tmp_path: Path, tiny_config: TinyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RunDirectory(tmp_path)
    directory.create(tiny_config(), FACTS)

    def refused(descriptor: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.fsync", refused)
    with pytest.raises(RunDirectoryError, match=r"Permission denied; correct this$"):
        directory.write_facts(FACTS)


def test_a_directory_that_is_gone_is_named(tmp_path: Path, tiny_config: TinyConfig) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.create(tiny_config(), FACTS)
    shutil.rmtree(directory.path)
    with pytest.raises(RunDirectoryError, match=r"the run directory .*run is gone"):
        directory.write_facts(FACTS)
