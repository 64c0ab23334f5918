"""Mistakes on the command line of ``skill-train``: one line names each, and the fix."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from skill_training.recipes.registry import RECIPES

Flags = Callable[..., list[str]]

NAMES = [name for recipe in RECIPES for name in recipe.config_types]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["csf", "--env-steps", "0"], ["--env-steps 0: should be greater than or equal to 1"]),
        (["csf", "--csf.discount", "1.5"], ["--csf.discount 1.5: should be less than 1"]),
        (
            ["csf", "--threads", "100000"],
            ["--threads 100000: should be less than or equal to 1024"],
        ),
        (
            ["csf", "--csf.hidden", "2000000"],
            ["--csf.hidden 2000000: should be less than or equal"],
        ),
        (["csf", "--csf.negatives", "10000000"], ["--csf.negatives 10000000: should be less"]),
        (
            ["csf", "--csf.representation.size", "9999"],
            ["representation.size 9999: should be less"],
        ),
        (
            ["csf", "--replay-capacity", f"{10**11}"],
            [f"--replay-capacity {10**11} needs 24,", "GB"],
        ),
        (
            ["csf", "--csf.representation.inputs", "*", "--csf.representation.pixels.channels"],
            ["--csf.representation.pixels.channels: give 1 or more values"],
        ),
        (["csf", "--env-steps", "400"], ["--env-steps 400 leaves no gradient step", "10032"]),
        (["csf", "--csf.hidden", "16", "--csf.hidden", "32"], ["--csf.hidden is given twice"]),
        (["goal", "--goal.encoder.size", "0"], ["--goal.encoder.size 0: should be greater"]),
        (["saccm", "--task.scenes-per-task", "0"], ["--task.scenes-per-task 0", "saccm --help"]),
        (["csf", "--csf.hidden", "16", "0"], ["--csf.hidden 0: should be greater"]),
        (
            ["goal", "--goal.contrastive.batch", "2", "--goal.contrastive.pool", "3"],
            ["--goal.contrastive.batch 2: ", "--goal.contrastive.pool 3: "],
        ),
        (["csf", "--csf.representation.size", "3"], ["'rotation'", "size 2"]),
        (["csf", "--csf.representation.inputs", "cube"], ["no entry 'cube'", "cube_position"]),
        (
            ["csf", "--world=ant", "--task.body", "hopper"],
            ["names the world hopper", "contradicts ant"],
        ),
        (
            ["csf", "--preset", "paper-ant", "--task.body", "hopper"],
            ["names the world hopper", "contradicts ant"],
        ),
        (["csf", "--preset", "paper"], ["--preset paper", "paper-ant", "fast-ant"]),
        (["lsd", "--preset=paper-ant"], ["lsd has no such preset", "csf, metra"]),
        (["csf", "--preset", "paper-ant", "--world", "hopper"], ["of the world ant"]),
        (["goal", "--preset", "paper-ant"], ["has no presets"]),
        (["csf", "--normalization", "published"], ["ant, half_cheetah alone, not of tabletop"]),
        (["csf", "--world="], ["no world ''"]),
        (["goal", "--world", "ant"], ["takes no --world"]),
        (["metra", "--task.mass", "2", "1"], ["--task.mass 2.0 1.0 is not a range"]),
        (["csf", "--sede", "1"], ["--sede", "--seed"]),
        (["csf", "--device", "tpu"], ["cpu", "cuda"]),
        (["csf", "--resume", "nowhere"], ["no directory nowhere"]),
        (["export", "nowhere", "--out", "a.onnx"], ["no directory nowhere"]),
        (["export", ".", "--out", "a.onnx"], ["not a run directory"]),
        (["csf", "--task.latency-s", "0", "0.1"], ["too long", "0.035 s late"]),
        (["plot", "nowhere", "--out", "a.png"], ["no directory nowhere"]),
        (["plot", "--out", "a.png"], ["at least one"]),
        ([], [*NAMES, "export", "plot"]),
        (["plot", "nowhere", "--curves", "eval/x", "--out", "a.png"], ["no directory nowhere"]),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str], words: list[str], ask: Callable[..., str]
) -> None:
    said = ask(*arguments)
    for word in words:
        assert word in said
    assert "pydantic" not in said
    assert "tyro" not in said


def test_a_misspelt_flag_is_compared_with_the_flags_of_its_command(ask: Callable[..., str]) -> None:
    said = ask("csf", "--csf.discont", "0.9")
    assert "--csf.discount" in said
    assert not any(f"--{name}." in said for name in NAMES if name != "csf")


def test_a_refused_run_leaves_no_directory(ask: Callable[..., str], tmp_path: Path) -> None:
    ask("csf", "--csf.representation.inputs", "cube", "--run-dir", "run")
    assert not list(tmp_path.iterdir())


def test_an_interruption_claims_only_a_checkpoint_that_is_there(
    ask: Callable[..., str], tiny_flags: Flags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last_line() -> str:
        words = ("csf", *tiny_flags("csf"), "--run-dir", "run")
        return ask(*words, status=128 + signal.SIGINT).splitlines()[-1]

    def interrupt(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("skill_training.run.job.train", interrupt)
    assert last_line() == "skill-train: interrupted"
    (tmp_path / "run" / "checkpoint.pt").touch()
    assert last_line() == f"skill-train: interrupted; {Path('run/checkpoint.pt')} is kept"
    monkeypatch.setattr("skill_training.cli.parse", interrupt)
    assert last_line() == "skill-train: interrupted"


def test_too_little_memory_is_explained(
    ask: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> bool:
        torch.empty(1 << 55)
        return True

    monkeypatch.setattr("skill_training.run.job.train", train)
    said = ask("csf", "--run-dir", str(tmp_path / "run"))
    assert "skill-train: the run needs more memory than there is; lower --n-envs" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_cuda_device_is_explained(ask: Callable[..., str]) -> None:
    said = ask("csf", "--device", "cuda")
    assert "no CUDA device" in said
    assert "--device cpu" in said
