"""The runs of a sweep."""

from __future__ import annotations

import pytest

from skill_training.errors import ConfigError
from skill_training.sweep.grid import (
    Variant,
    flags_of,
    make_runs,
    make_variant_runs,
    parse_seeds,
    parse_setting,
)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("3", [3]), ("0..3", [0, 1, 2, 3]), ("0,4,7..9", [0, 4, 7, 8, 9]), ("0..0", [0])],
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3..1", "0..", "1,1", "0..3,2", "0..99999999", "-1"])
def test_wrong_seeds_are_explained(text: str) -> None:
    with pytest.raises(ConfigError, match="--seeds"):
        parse_seeds(text)


def test_a_setting() -> None:
    assert parse_setting("csf.contrast_weight=1,5, 25") == (
        "csf.contrast-weight",
        ["1", "5", "25"],
    )


@pytest.mark.parametrize("text", ["csf", "=1", "a=", "a=1,", "a=1,1"])
def test_wrong_settings_are_explained(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_setting(text)


def test_values_become_flags() -> None:
    assert flags_of("csf.hidden", "64 64") == ["--csf.hidden", "64", "64"]
    assert flags_of("task.terminals", "true") == ["--task.terminals"]
    assert flags_of("task.terminals", "false") == ["--task.no-terminals"]


def test_every_combination_is_a_run() -> None:
    runs = make_runs(
        "csf",
        [0, 1],
        [("a.b", ["1", "2"]), ("world", ["ant", "walker"])],
        ["--n-envs", "8"],
    )
    assert [(run.setting, run.seed) for run in runs[:3]] == [
        ("a.b=1 world=ant", 0),
        ("a.b=1 world=ant", 1),
        ("a.b=1 world=walker", 0),
    ]
    assert len({run.name for run in runs}) == 8
    assert runs[0].name == "a.b=1_world=ant_seed0"
    assert runs[0].flags == ("--n-envs", "8", "--a.b", "1", "--world", "ant", "--seed", "0")
    (alone,) = make_runs("csf", [5], [], [])
    assert (alone.name, alone.setting) == ("seed5", "")


@pytest.mark.parametrize(
    ("settings", "common"),
    [
        ([("a", ["1"]), ("a", ["2"])], []),
        ([("a", ["1"])], ["--a", "3"]),
        ([("a-b", ["1"])], ["--a_b=3"]),
    ],
)
def test_a_flag_is_set_once(settings: list[tuple[str, list[str]]], common: list[str]) -> None:
    with pytest.raises(ConfigError, match="a second time"):
        make_runs("csf", [0], settings, common)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("seed", "takes no --seed: give its seeds as --seeds"),
        ("run-dir", "takes no --run-dir: each run gets a directory below --folder"),
        ("resume", "takes no --resume: the same command continues a sweep"),
    ],
)
def test_flags_that_a_sweep_sets_itself_are_refused(flag: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_runs("csf", [0], [], ["--n-envs", "4", f"--{flag}=1"])
    with pytest.raises(ConfigError, match=words):
        make_runs("csf", [0], [parse_setting(f"{flag}=1,2")], [])
    with pytest.raises(ConfigError, match=words):
        make_variant_runs([Variant(name="a", algorithm="csf", flags=(f"--{flag}", "1"))], [0], [])


def test_named_settings_have_their_own_algorithms() -> None:
    variants = [
        Variant(name="a", algorithm="csf", flags=("--csf.hidden", "16")),
        Variant(name="b", algorithm="metra"),
    ]
    runs = make_variant_runs(variants, [0, 1], ["--world", "ant"])
    assert [run.name for run in runs] == ["a_seed0", "b_seed0", "a_seed1", "b_seed1"]
    assert [run.algorithm for run in runs] == ["csf", "metra", "csf", "metra"]
    assert runs[0].flags == ("--world", "ant", "--csf.hidden", "16", "--seed", "0")


def test_named_settings_are_set_once() -> None:
    with pytest.raises(ConfigError, match="n-envs a second time"):
        make_variant_runs(
            [Variant(name="a", algorithm="csf", flags=("--n-envs", "8"))], [0], ["--n-envs", "4"]
        )
    with pytest.raises(ConfigError, match="same name"):
        make_variant_runs([Variant(name="a", algorithm="csf")] * 2, [0], [])
