"""A journal survives a killed program, and never mixes settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.arms.ladder.journal import Journal, read
from benchmarks.arms.ladder.record import Record

from skill_runtime.console.flags import UsageError

FACTS = {"rung": "fr3", "speed": 0.8, "driver.force": (150.0, 90.0), "model_sha256": "abc"}

WRITER = """
import sys, time
from pathlib import Path
from benchmarks.arms.ladder.journal import Journal
from tests.benchmarks.arms.ladder.test_journal import FACTS, record
with Journal(Path(sys.argv[1]), FACTS) as journal:
    for number in range(3):
        journal.add(record(number))
    print("written", flush=True)
    time.sleep(600.0)
"""


def record(number: int) -> Record:
    """Returns a short episode."""
    return Record(
        episode=number,
        slip_s=0.0,
        faults=("cartesian_reflex",) if number == 1 else (),
        mass=1.0,
        friction=0.5,
        cube=[[0.0, 0.1], [0.01 * number, 0.1]],
        cube_speed=[0.0, 0.1],
        gap_square_mm2=4.0,
        gaps={"20": 2},
        forces={"3": 1},
        force_max_n=3.5,
    )


def test_a_run_goes_on_with_the_episodes_of_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "e.jsonl"
    with Journal(path, FACTS) as first:
        first.add(record(0))
        first.add_inconclusive(1, "the box lost 0.034 s")
        first.add(record(1))
    with Journal(path, FACTS) as second:
        assert second.records == {0: record(0), 1: record(1)}
        assert second.inconclusive == 1
        second.add(record(2))
    assert set(read(path)[1]) == {0, 1, 2}


def test_a_killed_program_loses_no_finished_episode(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    command = [sys.executable, "-c", WRITER, str(path)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        with pytest.raises(UsageError, match="another program writes"):
            Journal(path, FACTS)
        assert set(read(path)[1]) == {0, 1, 2}  # a table may read it meanwhile
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    with Journal(path, FACTS) as journal:
        assert set(journal.records) == {0, 1, 2}


@pytest.mark.parametrize("lines", [0, 1, 2])
@pytest.mark.parametrize("kept", [1, 0.5])
def test_a_line_that_was_cut_off_is_removed(tmp_path: Path, lines: int, kept: float) -> None:
    path = tmp_path / "e.jsonl"
    with Journal(path, FACTS) as journal:
        for number in range(2):
            journal.add(record(number))
    whole = path.read_bytes().splitlines(keepends=True)
    torn = whole[lines][: int(kept * len(whole[lines])) - 1]
    path.write_bytes(b"".join(whole[:lines]) + torn)
    with Journal(path, FACTS) as journal:
        assert set(journal.records) == set(range(max(0, lines - 1)))
        journal.add(record(1))
    facts, records, _ = read(path)
    assert facts is not None
    assert records[1] == record(1)


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    with Journal(path, FACTS) as journal:
        journal.add(record(0))
    before = path.read_bytes()
    wanted = {**FACTS, "model_sha256": "def", "libfranka": "0.21"}
    with pytest.raises(UsageError, match="other settings") as caught:
        Journal(path, wanted)
    text = str(caught.value)
    assert "model_sha256 abc in the file, def in this run" in text
    assert "libfranka (absent) in the file, 0.21 in this run" in text
    assert "speed" not in text
    assert path.read_bytes() == before


def test_a_foreign_file_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"rung": "fr3"}\n{"episode": 0}\n')
    with pytest.raises(UsageError, match=r"e\.jsonl, line 2: not a line of a ladder"):
        Journal(path, {"rung": "fr3"})
