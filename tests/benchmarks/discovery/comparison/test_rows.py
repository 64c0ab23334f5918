"""Rows, their flags and their names."""

from __future__ import annotations

import pytest
from benchmarks.discovery.comparison.rows import (
    ABLATIONS,
    AIDS,
    BASELINES,
    PANDA,
    PANDA_AIDS,
    RANDOM,
    Row,
    row,
)

from skill_training.cli import config_of
from skill_training.recipes.discovery.config import SkillConfig

TABLES = {"ant": (*ABLATIONS, *BASELINES), "tabletop": (*PANDA, *PANDA_AIDS)}


def test_flags_of_every_algorithm_get_the_name_of_the_rows_own() -> None:
    one = row("a", "A", "misl", "--algorithm.representation.size 8 --misl.kernel mlp")
    variant = one.variant(["--world", "ant", "--algorithm.hidden", "16"])
    assert (variant.name, variant.algorithm) == ("a", "misl")
    assert variant.flags == (
        *("--world", "ant", "--misl.hidden", "16"),
        *("--misl.representation.size", "8", "--misl.kernel", "mlp"),
    )
    with pytest.raises(ValueError, match="random is not trained"):
        RANDOM.variant()


@pytest.mark.parametrize("rows", [ABLATIONS, BASELINES, (*PANDA, *PANDA_AIDS)])
def test_names_are_unique(rows: tuple[Row, ...]) -> None:
    assert len({one.key for one in rows}) == len(rows)
    assert len({one.flags for one in rows if one.algorithm == "csf"}) == sum(
        one.algorithm == "csf" for one in rows
    )


def config(key: str, world: str) -> SkillConfig:
    one = next(one for one in TABLES[world] if one.key == key)
    variant = one.variant(() if world == "tabletop" else ("--world", world))
    found = config_of([variant.algorithm, *variant.flags])
    assert isinstance(found, SkillConfig)
    return found


def test_the_rows_set_what_their_titles_say() -> None:
    frozen = config("mlp_frozen", "tabletop")
    assert frozen.algorithm.representation.inputs == ("unactuated",)
    assert frozen.algorithm.representation.frozen
    assert frozen.algorithm.representation.size == 3
    assert frozen.algorithm.learning_rate == 1e-3
    assert frozen.run.unusual_share == 0.25
    assert not getattr(config("no_bottleneck", "ant").algorithm, "bottleneck", True)


def test_each_aid_is_alone_once_and_missing_once() -> None:
    flags = {one.key: " ".join(one.flags) for one in PANDA_AIDS}
    for name, (words, _) in AIDS.items():
        having = {key for key, text in flags.items() if words in text}
        assert f"aids_{name}" in having
        assert having == {f"aids_{name}"} | {f"aids_but_{other}" for other in AIDS if other != name}
