"""Differences between two files of answers."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from skill_runtime.console.flags import UsageError
from skill_runtime.doctor.control_box.comparison import differences, read_answers

HOLD = {
    "move_statuses": ["motion_started", "success"],
    "answer_ms": {"p50": 0.1},
    "answered": 2000,
    "errors": [],
    "mode_at_the_end": "idle",
}
CONDITION = {"m_ee": [0.73], "q": {"mean": [0.0], "std": [0.0]}, "robot_mode": "idle"}


def entry(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "question": "?", "answer": answer, "error": None, "seconds": 1.0}


@pytest.fixture
def answers() -> dict[str, Any]:
    tests = [entry("hold", HOLD), entry("condition", CONDITION)]
    return copy.deepcopy({"format": 1, "protocol_version": 10, "tests": tests})


def test_equal_answers_have_no_difference(answers: dict[str, Any]) -> None:
    other = copy.deepcopy(answers)
    other["tests"][0]["answer"] |= {"answer_ms": {"p50": 0.2}, "answered": 1999}
    other["tests"][0]["seconds"] = 9.0
    other["tests"][1]["answer"]["q"]["mean"] = [1.0]
    other["tests"][1]["answer"]["m_ee"] = [0.7304]
    assert differences(answers, other) == []


def test_each_difference_is_named_with_both_answers(answers: dict[str, Any]) -> None:
    other = copy.deepcopy(answers)
    other["protocol_version"] = 5
    other["tests"][0]["answer"]["errors"] = ["joint_reflex"]
    other["tests"][1]["answer"]["m_ee"] = [0.76]
    assert differences(answers, other) == [
        "protocol_version: 10, not 5",
        'hold.errors: [], not ["joint_reflex"]',
        "condition.m_ee: [0.73], not [0.76]",
    ]


def test_a_test_that_failed_is_a_difference(answers: dict[str, Any]) -> None:
    other = copy.deepcopy(answers)
    other["tests"][0] |= {"answer": None, "error": "the robot did not reply"}
    found = differences(answers, other)
    assert 'hold.error: no answer, not "the robot did not reply"' in found
    assert 'hold.mode_at_the_end: "idle", not no answer' in found


def test_tests_that_only_one_has_run_are_left_out(answers: dict[str, Any]) -> None:
    other = copy.deepcopy(answers)
    del other["tests"][0]
    assert differences(answers, other) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "tests": []}', '{"format": 1}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"answers\.json"):
        read_answers(path)


def test_a_file_of_the_doctor_is_read(answers: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(answers))
    assert differences(read_answers(path), answers) == []
