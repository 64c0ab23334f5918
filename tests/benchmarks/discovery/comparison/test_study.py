"""A comparison as a user runs it, with one real run of a second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.discovery.comparison.in_world import WorldOptions, compare
from benchmarks.discovery.comparison.rows import RANDOM, row
from benchmarks.discovery.comparison.scoring import Extent
from benchmarks.discovery.comparison.study import Scored, split_words
from benchmarks.discovery.comparison.tables import cell, steps_until

from skill_runtime.console.flags import UsageError

ROWS = (row("csf", "CSF", "csf"), row("metra", "METRA", "metra"), RANDOM)

TINY = (
    *("--warmup-steps", "80", "--n-envs", "4", "--eval-skills", "4", "--final-eval-goals", "2"),
    *("--eval-interval", "160", "--task.episode-steps", "20", "--algorithm.hidden", "16"),
)


def run(folder: Path, *, common: Sequence[str] = TINY, **options: object) -> None:
    settings = {
        "world": "half_cheetah",
        "folder": folder,
        "env_steps": 400,
        "seeds": "0",
        "eval_seeds": "100",
        "extent": Extent(skills=4, goals=2),
        "jobs": 1,
        "json": folder / "result.json",
    }
    compare("Test", WorldOptions(**(settings | options)), ROWS, common)  # type: ignore[arg-type]  options of several types


def test_a_comparison_goes_on_and_shows_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, rows=("csf",))
    assert "| CSF " in capsys.readouterr().out
    assert (tmp_path / "bars.png").stat().st_size > 1000
    scores = tmp_path / "scores" / "csf_seed0" / "100.json"
    written = scores.stat().st_mtime_ns

    # The table of all rows and two seeds, of which one run is there.
    run(tmp_path, seeds="0,1", train=False)
    lines = capsys.readouterr().out.splitlines()
    table = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    assert "| 1 of 2 |" in table["CSF"]
    assert "| 0 of 2 |" in table["METRA"]
    assert table["METRA"].count("| - ") > 3
    assert table["random actions"].split("|")[2].strip() == "-"
    assert scores.stat().st_mtime_ns == written
    result = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert result["csf"]["seeds"] == [0]
    assert len(result["csf"]["metrics"]["coverage_cells"]) == 1
    assert result["metra"]["metrics"] == {}

    # Scores of another policy or of another extent do not count.
    run(tmp_path, rows=("csf",), extent=Extent(skills=2, goals=2))
    assert scores.stat().st_mtime_ns != written

    with pytest.raises(UsageError, match="holds a run csf_seed0 with other settings"):
        run(tmp_path, rows=("csf",), env_steps=800)
    # Nor are its scores shown as those of another length or world.
    with pytest.raises(UsageError, match=r"csf_seed0 holds .*env_steps is 400, not 800"):
        run(tmp_path, rows=("csf",), env_steps=800, train=False)
    with pytest.raises(UsageError, match=r"task.body is half_cheetah, not hopper"):
        run(tmp_path, rows=("csf",), world="hopper", train=False)


def test_random_actions_are_scored_anew_in_another_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def scores(world: str) -> dict[str, float]:
        run(tmp_path, rows=("random",), world=world, picture=tmp_path / "bars.png")
        capsys.readouterr()
        result = json.loads((tmp_path / "result.json").read_text())
        metrics: dict[str, float] = result["rows"]["random"]["metrics"]
        return metrics

    first = scores("half_cheetah")
    assert scores("hopper") != first
    assert scores("half_cheetah") == first


@pytest.mark.parametrize("content", ["[]", "7", "{}", "no JSON"])
def test_a_damaged_file_of_scores_is_written_anew(tmp_path: Path, content: str) -> None:
    scores = tmp_path / "scores" / "random" / "100.json"
    scores.parent.mkdir(parents=True)
    scores.write_text(content)
    run(tmp_path, rows=("random",))
    assert json.loads(scores.read_text())["metrics"]


def test_a_mistake_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no row cfs; choose from csf, metra, random"):
        run(tmp_path, rows=("cfs",))
    with pytest.raises(UsageError, match="--env-steps is set for the row csf already"):
        run(tmp_path, common=("--env-steps", "7"))
    with pytest.raises(UsageError, match="--env-steps is set for the row csf already"):
        run(tmp_path, common=("--env_steps=7",))
    with pytest.raises(UsageError, match="--seeds takes numbers"):
        run(tmp_path, seeds="a")
    with pytest.raises(UsageError, match="--eval-seeds takes numbers"):
        run(tmp_path, eval_seeds="a")
    with pytest.raises(UsageError, match="--rows names csf twice"):
        run(tmp_path, rows=("csf", "csf"))
    assert not list(tmp_path.iterdir())


def test_words_after_two_dashes_are_for_all_runs() -> None:
    assert split_words(["--jobs", "2", "--", "--n-envs", "8"]) == (
        ["--jobs", "2"],
        ["--n-envs", "8"],
    )
    assert split_words(["--jobs", "2"]) == (["--jobs", "2"], [])


def test_cells_of_the_table() -> None:
    assert cell([], ".2f") == "-"
    assert cell([0.5], ".2f") == "0.50"
    assert cell([0.5, 0.5], ".2f") == "0.50"
    assert cell([0.0, 1.0], ".1f") == "0.5 [0.0, 1.0]"
    logs = [[{"env_steps": 1000.0, "m": 0.2}, {"env_steps": 2000.0, "m": 0.6}], [{"m": 0.1}]]
    scored = Scored(row=ROWS[0], wanted=3, seeds=(0, 1), metrics={}, logs=logs)
    assert steps_until(scored, "m", 0.5) == "2, never"
    assert scored.count == "2 of 3"
