"""Scores and intervals from whatever episodes there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from benchmarks.arms.ladder.record import Record
from benchmarks.arms.ladder.scores import Commands, entry_scores
from benchmarks.arms.ladder.settings import Entry, RungName, start_seed
from benchmarks.arms.ladder.table import Row, losses, print_rows, wilson

GOALS = np.tile([[0.1, 0.0]], (100, 1))


def record(number: int, end: Sequence[float], *, revision: str = "", faults: int = 0) -> Record:
    """Returns an episode whose cube starts at the origin."""
    return Record(
        episode=number,
        slip_s=0.0,
        faults=("joint_reflex",) * faults,
        mass=1.0,
        friction=0.5,
        cube=[[0.0, 0.0], list(end)],
        cube_speed=[0.0, 0.0],
        gap_square_mm2=4.0 + number,
        gaps={"20": 2},
        forces={"3": 1},
        force_max_n=3.5 + number,
        revision=revision,
    )


def goal_row(rung: RungName, successes: Sequence[int], numbers: Sequence[int]) -> Row:
    """Returns a row of goals; an episode whose number is in ``successes`` reaches its goal."""
    ends = {number: (0.1, 0.0) if number in successes else (0.0, 0.0) for number in numbers}
    return Row(
        entry=Entry(model="p.onnx", commands="goals", rung=rung),
        seeds={100: [record(number, end) for number, end in ends.items()]},
        vectors={100: GOALS},
        wanted=100,
        inconclusive=0,
    )


def test_intervals_of_wilson() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(1.0, 29)[1] == 1.0


def test_successes_of_goals_count_each_episode_alike() -> None:
    seeds = {
        100: [record(0, (0.1, 0.0)), record(1, (0.06, 0.0))],
        101: [record(0, (0.0, 0.0), faults=2)],
    }
    scores = entry_scores(seeds, "goals", {100: GOALS, 101: GOALS})
    assert scores["goal_share_3cm"] == pytest.approx(1 / 3)
    assert scores["goal_share_5cm"] == pytest.approx(2 / 3)
    assert scores["faults"] == 1
    assert scores["gap_rms_mm"] == pytest.approx(np.sqrt((4 + 5 + 4) / 3))
    assert scores["force_max_n"] == 4.5


@pytest.mark.parametrize(("count", "cells"), [(3, None), (4, 2.0), (7, 2.0), (8, 2.0)])
def test_scores_of_whole_sets_need_a_whole_set(count: int, cells: float | None) -> None:
    by_skills: Commands = "skills"
    skills = np.tile(np.eye(4), (4, 1))  # four sets of four skills
    records = [record(number, (0.12, 0.0)) for number in range(count)]
    scores = entry_scores({100: records}, by_skills, {100: skills})
    assert scores["moved_share_10cm"] == 1.0
    assert scores.get("displacement_cells_2cm") == cells


def test_a_loss_is_counted_over_the_episodes_of_both_rungs() -> None:
    mujoco = goal_row("mujoco", range(10), range(10))
    assert losses([mujoco, goal_row("bullet", range(5, 10), range(5, 10))]) == []
    found = losses([mujoco, goal_row("fer", range(9), range(10)), goal_row("fr3", [], [])])
    assert found == [
        "p, goals: goal_share_5cm 1.000 on mujoco, 0.900 on fer (10 episodes)",
        "p, goals: goal_share_3cm 1.000 on mujoco, 0.900 on fer (10 episodes)",
    ]


def test_the_table_says_how_many_episodes_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    row = goal_row("mujoco", range(10), range(10))
    mixed = Row(
        entry=Entry(model="q.onnx", commands="goals", rung="fer"),
        seeds={100: [record(0, (0, 0), revision="a"), record(1, (0, 0), revision="b")]},
        vectors={100: GOALS},
        wanted=600,
        inconclusive=3,
    )
    print_rows([row, goal_row("bullet", [], []), mixed])
    lines = capsys.readouterr().out.splitlines()
    assert "| 10 of 100 |" in lines[2]
    assert "100.0 (72.2 to 100.0)" in lines[2]
    assert "| 0 of 100  |" in lines[3]
    assert "| 2 of 600  |" in lines[4]
    assert lines[4].rstrip(" |").endswith("3")
    assert "q, goals, fer: episodes of several revisions: a, b" in lines


def test_no_two_episodes_of_an_entry_have_the_same_start() -> None:
    entries = [Entry(model="p", commands=by, rung="fer") for by in ("skills", "goals")]
    seeds = [
        start_seed(entry, seed, episode)
        for entry in entries
        for seed in (100, 101, 102)
        for episode in (0, 1, 9_999)
    ]
    assert len(set(seeds)) == len(seeds)
