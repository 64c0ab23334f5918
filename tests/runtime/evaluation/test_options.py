"""Options of skill-eval: each task has its own, and its own evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.dispatch import find_evaluation
from skill_runtime.evaluation.options import EvaluationOptions, check_options
from skill_runtime.evaluation.skill_aware import evaluate_skill_aware
from skill_runtime.evaluation.tabletop_report import evaluate_tabletop
from skill_runtime.evaluation.world.evaluate import evaluate_world


@pytest.mark.parametrize(
    "options",
    [
        {"skills": 3, "goals": 0, "threads": 2, "mass": (1.0, 1.0)},
        {"task": "skill-aware", "engine": "bullet", "episodes": 3},
        {"task": "skill-aware", "engine": "mujoco", "threads": 2},
        {"engine": "bullet"},
    ],
)
def test_options_of_the_task_are_accepted(options: dict[str, Any]) -> None:
    check_options(EvaluationOptions(baseline="still", **options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "bullet", "threads": 2}, "--threads is for MuJoCo; PyBullet has no threads"),
        (
            {"task": "skill-aware", "start": "low", "friction": (0.1, 0.2)},
            "--start, --friction: for --task tabletop, not for skill-aware; omit it",
        ),
        (
            {"task": "skill-aware", "goals": 3, "threads": 2},
            "--goals, --threads: for --task tabletop, not for skill-aware; omit it",
        ),
        ({"task": "skill-aware", "threads": 2}, "PyBullet has no threads"),
    ],
)
def test_options_of_another_task_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(EvaluationOptions(baseline="still", **options))


def test_a_film_of_an_unknown_format_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"film\.mp4: the name must end in one of \.gif, \.png"):
        check_options(EvaluationOptions(baseline="still", video=tmp_path / "film.mp4"))
    with pytest.raises(UsageError, match="--video: for --task tabletop, not for skill-aware"):
        check_options(
            EvaluationOptions(baseline="still", task="skill-aware", video=tmp_path / "film.gif")
        )


@pytest.mark.parametrize("name", ["fan", "fan.foo", "fan.jpg", "fan.png.bak"])
def test_a_picture_of_an_unknown_format_is_refused_before_anything_runs(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=rf"{name}: the name must end in one of \.png, \.pdf"):
        check_options(EvaluationOptions(baseline="still", plot=tmp_path / name))


def test_the_case_of_a_format_does_not_matter(tmp_path: Path) -> None:
    plot, video = tmp_path / "fan.PDF", tmp_path / "film.GIF"
    check_options(EvaluationOptions(baseline="still", plot=plot, video=video))


def test_files_that_replace_one_another_or_the_policy_are_refused(tmp_path: Path) -> None:
    model, picture = tmp_path / "walk.onnx", tmp_path / "a.png"
    model.write_bytes(b"")
    for options, words in (
        ({"json": model}, "--json .* is the file of --model"),
        ({"json": tmp_path / "walk.manifest.json"}, r"of the manifest beside walk\.onnx"),
        ({"json": picture, "plot": picture}, "--plot .* is the file of --json"),
        ({"plot": picture, "video": picture}, "--video .* is the file of --plot"),
    ):
        with pytest.raises(UsageError, match=words):
            check_options(EvaluationOptions(model=model, **options))


def test_coordinates_without_an_entry_are_refused() -> None:
    with pytest.raises(UsageError, match="--coordinates takes one or more observation entries"):
        check_options(EvaluationOptions(baseline="iid", world="gymnasium:A-v0", coordinates=()))


def test_options_of_an_arm_are_refused_in_a_world_without_one() -> None:
    with pytest.raises(UsageError, match="--mass, --threads: for policies of an arm; omit it"):
        check_options(EvaluationOptions(baseline="iid", world="ant", mass=(1.0, 2.0), threads=2))
    with pytest.raises(UsageError, match="--task: for policies of an arm"):
        check_options(EvaluationOptions(baseline="iid", world="ant", task="skill-aware"))


def test_each_task_has_its_evaluation() -> None:
    still = EvaluationOptions(baseline="still")
    assert find_evaluation(still) is evaluate_tabletop
    assert find_evaluation(replace(still, task="skill-aware")) is evaluate_skill_aware
    assert find_evaluation(replace(still, world="ant")) is evaluate_world
