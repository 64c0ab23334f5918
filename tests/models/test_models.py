"""The shipped models: each has a card that agrees with its manifest, and reaches its scores."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skill_runtime.policy import load_manifest

MODELS = Path(__file__).parents[2] / "models"

BARS = {
    "csf_panda": {
        "moved_share_10cm": 0.97,
        "median_displacement_m": 0.33,
        "displacement_r2": 0.87,
        "displacement_cells_2cm": 520,
        "octants": 8,
        "direction_consistency": 0.95,
        "goal_share_5cm": 0.80,
        "phi_singular_value_ratio": 0.5,
    },
    "csf_discovered_panda": {
        "moved_share_10cm": 0.93,
        "median_displacement_m": 0.33,
        "displacement_r2": 0.74,
        "displacement_cells_2cm": 450,
        "octants": 7,
        "direction_consistency": 0.93,
        "goal_share_5cm": 0.85,
    },
    "metra_panda": {
        "moved_share_10cm": 0.90,
        "median_displacement_m": 0.28,
        "displacement_r2": 0.70,
        "displacement_cells_2cm": 400,
        "octants": 6,
        "direction_consistency": 0.90,
        "goal_share_5cm": 0.65,
        "phi_singular_value_ratio": 0.5,
    },
}
"""Minimum scores of each shipped model in a default `skill-eval`."""

SKILL_AWARE_BARS = {"saccm_panda": {"train": 0.90, "moderate": 0.88, "extreme": 0.52}}
"""Minimum success by split on the skill-aware benchmark, with few episodes."""

GOAL_BARS = {
    "goal_panda": {
        (): {"goal_share_5cm": 0.94, "goal_rest_share_3cm_by_2400ms": 0.80},
        ("--mass", "0.8", "0.8", "--friction", "0.06", "0.06"): {
            "goal_share_5cm": 0.85,
            # A context-free policy reaches .17 here.
            "goal_rest_share_3cm_by_2400ms": 0.40,
        },
    }
}
"""Minimum share of goals, by flags of `skill-eval`."""

WORLD_BARS = {
    "csf_half_cheetah": {
        "coverage_cells": 135,
        "highest_0": 55.0,
        "displacement_r2": 0.85,
        "goal_staying_steps": 20.0,
    },
    "csf_ant": {
        "coverage_cells": 700,
        "octants": 8,
        "median_displacement": 18.0,
        "displacement_r2": 0.80,
    },
}
"""Minimum scores of policies of simulated bodies."""

SHIPPED = (*BARS, *GOAL_BARS, *SKILL_AWARE_BARS, *WORLD_BARS)


def evaluate(model: str, result: Path, *flags: str) -> dict[str, Any]:
    program = Path(sys.executable).with_name("skill-eval")
    command = [program, "--model", MODELS / f"{model}.onnx", "--json", result, *flags]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.read_text())


def test_every_model_has_a_card_and_every_card_a_model() -> None:
    files = {path.stem for path in MODELS.glob("*.onnx")}
    assert files == {path.stem for path in MODELS.glob("*.md")} == set(SHIPPED)


@pytest.mark.parametrize("model", SHIPPED)
def test_the_card_agrees_with_the_manifest(model: str) -> None:
    manifest = load_manifest(MODELS / f"{model}.onnx")
    card = (MODELS / f"{model}.md").read_text()
    assert manifest.name == model
    assert f"`{manifest.provenance.command}`" in card
    assert manifest.provenance.code_revision in card
    assert "dirty" not in manifest.provenance.code_revision
    assert f"| seed | {manifest.provenance.seed} |" in card


MIN_LOG_R2 = 0.4
"""Minimum R2 of an estimate; below it the manifest lists the quantity as unidentified."""


@pytest.mark.parametrize("model", SHIPPED)
def test_every_estimate_reaches_the_minimum_r2(model: str) -> None:
    context = load_manifest(MODELS / f"{model}.onnx").context
    estimates = () if context is None else context.estimates
    poor = {item.name: item.log_r2 for item in estimates if (item.log_r2 or 0.0) < MIN_LOG_R2}
    assert poor == {}


@pytest.mark.parametrize("model", BARS)
def test_scores(model: str, tmp_path: Path) -> None:
    scores = evaluate(model, tmp_path / "scores.json")
    short = {name: scores[name] for name, least in BARS[model].items() if scores[name] < least}
    assert short == {}
    assert scores["governor_interventions"] == 0


@pytest.mark.parametrize("model", WORLD_BARS)
def test_scores_of_bodies(model: str, tmp_path: Path) -> None:
    scores = evaluate(model, tmp_path / "scores.json", "--goals", "48")
    bars = WORLD_BARS[model]
    short = {name: scores[name] for name, least in bars.items() if scores[name] < least}
    assert short == {}


@pytest.mark.parametrize("model", WORLD_BARS)
def test_no_arm_serves_a_policy_of_a_body(model: str) -> None:
    program = Path(sys.executable).with_name("skill-serve")
    done = subprocess.run(
        [program, "--model", MODELS / f"{model}.onnx"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "skill-eval" in done.stderr


@pytest.mark.parametrize("model", GOAL_BARS)
def test_goals(model: str, tmp_path: Path) -> None:
    for flags, bars in GOAL_BARS[model].items():
        scores = evaluate(model, tmp_path / "scores.json", *flags)
        short = {name: scores[name] for name, least in bars.items() if scores[name] < least}
        assert short == {}, flags
        assert scores["governor_interventions"] == 0


def test_csf_pushes_from_high_starts_too(tmp_path: Path) -> None:
    flags = ("--start", "high", "--goals", "0")
    assert evaluate("csf_panda", tmp_path / "scores.json", *flags)["moved_share_10cm"] >= 0.80


@pytest.mark.parametrize("engine", ["bullet", "mujoco"])
@pytest.mark.parametrize("model", SKILL_AWARE_BARS)
def test_success_on_the_skill_aware_benchmark(model: str, engine: str, tmp_path: Path) -> None:
    if engine == "bullet":
        pytest.importorskip("panda_gym", reason="the bullet engine needs panda-gym (Python 3.11)")
    flags = ("--task", "skill-aware", "--engine", engine, "--episodes", "6")
    success = evaluate(model, tmp_path / "scores.json", *flags)["success"]
    short = {
        split: success[split]
        for split, least in SKILL_AWARE_BARS[model].items()
        if success[split] < least
    }
    assert short == {}
