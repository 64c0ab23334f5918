"""The comparison as a user runs it, with real runs of seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from benchmarks.context.suite.__main__ import Config, main
from benchmarks.context.suite.methods import METHODS, PUBLISHED_METHODS
from benchmarks.context.suite.picture import curve
from benchmarks.context.suite.published import PUBLISHED
from benchmarks.context.suite.results import Scored, print_world, quantities_of

from skill_robots.worlds.varied.table import VARIED
from skill_runtime.console.flags import UsageError
from skill_training.recipes.context.config import Objective
from skill_training.run.directory import RunDirectory

TINY = [
    *("--warmup-steps", "80", "--n-envs", "4", "--window", "10", "--env-steps-per-update", "80"),
    *("--task.episode-steps", "20", "--context.hidden", "16", "--context.episodes-per-block", "4"),
]


def test_every_body_and_objective_is_there() -> None:
    assert set(PUBLISHED) == set(VARIED)
    for published in PUBLISHED.values():
        assert set(published) | {"told"} == set(PUBLISHED_METHODS)
    used = {flags[flags.index("--objective") + 1] for _, flags in METHODS.values()}
    assert used == set(get_args(Objective)) - {"sigmoid"}


def test_a_comparison_goes_on_and_shows_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Config(
        worlds=("crippled_half_cheetah",),
        methods=("satesac", "told"),
        seeds="0",
        env_steps=400,
        episodes=2,
        eval_interval=160,
        curves=("crippled_half_cheetah",),
        folder=tmp_path,
        jobs=1,
        json=tmp_path / "result.json",
    )
    main(config, TINY)
    policy = tmp_path / "crippled_half_cheetah" / "satesac_seed0" / "policy.onnx"
    written = policy.stat().st_mtime_ns
    told = tmp_path / "crippled_half_cheetah" / "told_seed0"
    assert not (told / "policy.onnx").exists()
    assert RunDirectory(told).is_finished
    assert (tmp_path / "curves.png").stat().st_size > 1000
    capsys.readouterr()

    main(replace(config, methods=("satesac", "told", "ccm"), train=False), TINY)
    lines = capsys.readouterr().out.splitlines()
    table = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    assert "4,385 / 2,442 / 1,599" in table["SaTESAC: SaNCE"]
    # A told policy has a score, and no file that can be served.
    assert table["told"].split("|")[2].strip() == "1"
    assert table["CCM: InfoNCE over tasks"].split("|")[2].strip() == "0"
    assert "R2 of mass_scale" in table["method"]
    assert table["method"].count("R2 of crippled joints, mean") == 1
    assert policy.stat().st_mtime_ns == written
    (world,) = json.loads((tmp_path / "result.json").read_text())["worlds"]
    assert len(world["methods"]["satesac"]) == len(world["methods"]["told"]) == 1
    assert world["methods"]["ccm"] == []
    # Training never cripples this joint, so that there is nothing to infer.
    assert "r2.crippled_bthigh.train" not in world["methods"]["satesac"][0]
    assert "r2.crippled_bthigh.moderate" in world["methods"]["satesac"][0]

    with pytest.raises(UsageError, match=r"satesac_seed0 holds .*env_steps is 400, not 800"):
        main(replace(config, env_steps=800, train=False), TINY)


@pytest.mark.parametrize(
    ("name", "wrong"), [("worlds", "ant"), ("methods", "none"), ("curves", "varied_ants")]
)
def test_a_wrong_name_is_refused(tmp_path: Path, name: str, wrong: str) -> None:
    options = {"folder": tmp_path / "suite", name: (wrong,)}
    with pytest.raises(UsageError, match=f"--{name} takes some of .*; got {wrong}"):
        main(Config(**options), [])  # type: ignore[arg-type]  options of several types
    assert not (tmp_path / "suite").exists()


def test_returns_are_means_over_training_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [
        {"return.train": value, "r2.mass.train": share, "return.moderate": 7.0}
        for value, share in ((1000.0, 0.25), (3000.0, 0.75))
    ]
    found = Scored(world="varied_hopper", finals={"ccm": runs}, logs={"ccm": []})
    print_world(found)
    cells = capsys.readouterr().out.splitlines()[-1].split("|")[1:]
    assert [cell.strip() for cell in cells[:4]] == [
        "CCM: InfoNCE over tasks",
        "2",
        "2,000 [1,000, 3,000]",
        "7",
    ]
    assert cells[6].strip() == "0.50 / - / -"
    assert quantities_of(found) == {"mass": ["mass"]}


def test_the_joints_are_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    run = {"r2.crippled_b.train": 0.9, "r2.crippled_c.train": 0.7}
    print_world(Scored(world="crippled_ant", finals={"ccm": [run]}, logs={"ccm": []}))
    cells = capsys.readouterr().out.splitlines()[-1].split("|")[1:]
    assert cells[6].strip() == "0.80 / - / -"


def test_a_curve_has_the_steps_of_all_runs() -> None:
    logs = [
        [{"env_steps": 10, "x": 1.0}, {"env_steps": 20, "x": 2.0}, {"env_steps": 30}],
        [{"env_steps": 20, "x": 4.0}, {"env_steps": 25, "x": 9.0}],
    ]
    steps, values = curve(logs, "x")
    np.testing.assert_array_equal(steps, [20])
    np.testing.assert_array_equal(values, [[2.0], [4.0]])
