"""Flags that are given several times."""

from __future__ import annotations

import pytest

from skill_training.cli import Sweep, config_of, parse
from skill_training.errors import ConfigError
from skill_training.words import flag_names, gathered


@pytest.mark.parametrize(
    ("typed", "once"),
    [
        ("csf --set a=1 b=2 --seeds 0", "csf --set a=1 b=2 --seeds 0"),
        ("csf --set a=1 b=2 --seeds 0 --set c=3", "csf --set a=1 b=2 c=3 --seeds 0"),
        ("--set=a=1 --set=a=2 --metrics set", "--set a=1 a=2 --metrics set"),
        (
            "--task.settings g=9 --n-envs 2 --task.settings h=0",
            "--task.settings g=9 h=0 --n-envs 2",
        ),
        ("", ""),
    ],
)
def test_values_of_several_places_are_gathered(typed: str, once: str) -> None:
    assert gathered(typed.split()) == once.split()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--task.hidden mass --task.hidden damping", "--task.hidden is given twice; give it once"),
        ("--env-steps 1 --env_steps=2", "--env_steps is given twice"),
        ("--seed 0 --seed 0", "--seed is given twice"),
        ("--overlap --no-overlap", "--overlap and --no-overlap contradict each other"),
        ("--a.no-b --a.b", "--a.no-b and --a.b contradict"),
    ],
)
def test_a_flag_that_is_given_twice_is_refused(typed: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        gathered(typed.split())


def test_names_of_flags() -> None:
    assert flag_names(["csf", "--a_b=3", "--c.d", "-1", "--"]) == ["a-b", "c.d"]


def test_the_program_uses_all_values_or_refuses() -> None:
    words = "sweep csf --folder f --set csf.discount=0.9 --set csf.discount=0.8 -- --n-envs 2"
    command = parse(words.split())
    assert isinstance(command, Sweep)
    assert command.settings == ("csf.discount=0.9", "csf.discount=0.8")
    with pytest.raises(ConfigError, match=r"--csf\.hidden is given twice"):
        config_of(["csf", "--csf.hidden", "16", "--csf.hidden", "32"])
