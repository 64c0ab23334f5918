"""The comparison of two revisions: medians and ratios, and a real server."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.serving.commanded_server import choose_command, serve
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.revisions import Config, Measurement, compare, main, measure

from skill_runtime.console.flags import UsageError

PROGRAM = str(Path(sys.executable).parent / "skill-serve")

ANY = Measurement(
    execution_p50=500.0,
    execution_p99=900.0,
    wakeup_p50=80.0,
    wakeup_p99=200.0,
    overruns=0,
    command_p50=400.0,
    hello_p50=600.0,
    resident_mb=120.0,
    proportional_mb=100.0,
    first_action_s=1.0,
)


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    before = [replace(ANY, execution_p50=value) for value in (100.0, 400.0, 200.0)]
    after = [replace(ANY, execution_p50=value) for value in (60.0, 200.0, 160.0)]
    found = {each.name: each for each in compare(before, after)}["execution_p50"]
    assert (found.before, found.after) == (200.0, 160.0)
    assert found.ratio == pytest.approx(0.6)  # of .6, .5 and .8; that of the medians is .8


def test_a_figure_that_was_zero_has_no_ratio() -> None:
    found = {each.name: each for each in compare([ANY], [replace(ANY, overruns=3)])}["overruns"]
    assert (found.before, found.after) == (0.0, 3.0)
    assert math.isnan(found.ratio)


def test_a_policy_without_skills_gets_a_goal() -> None:
    goal = {"high": [0.2, 0.1]}
    assert choose_command({"skill": {"size": 3}, "goal": goal}) == ("skill", [1.0, 0.0, 0.0])
    assert choose_command({"skill": {"size": 0}, "goal": goal}) == ("goal", [0.2, 0.1])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(before="env A=b missing"), "'missing' is no file; .*--before"),
        (Config(before=PROGRAM, model=Path("missing.onnx")), "missing.onnx is no file; .*--model"),
        (Config(before=PROGRAM, model=Path(PROGRAM), rounds=0), "--rounds"),
    ],
)
def test_invalid_options_are_explained(config: Config, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        main(config)


def test_a_server_is_measured(policy_file: Path) -> None:
    config = Config(before=PROGRAM, model=policy_file, seconds=1.0, round_trips=3)
    found = measure(config, PROGRAM, 200.0)
    assert found.execution_p99 >= found.execution_p50 > 0.0
    assert found.command_p50 > 0.0
    assert found.hello_p50 > 0.0
    assert found.resident_mb > found.proportional_mb > 10.0
    assert found.first_action_s > 0.0


def test_a_program_that_ends_is_named(policy_file: Path) -> None:
    with (
        pytest.raises(NeverHappenedError, match="false: it ended with exit code 1"),
        serve(["false"], policy_file, 200.0),
    ):
        pass
