"""Traces of real ticks, and counts of their calls against hand-computed values."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

from benchmarks.serving.tick_trace import LEGS, Config, Counts, count, flat, measure, place


def function(name: str, file: str) -> CodeType:
    """Returns the code of a function ``name`` in ``file``."""
    source = compile(f"def {name}(): pass", file, "exec")
    return next(code for code in source.co_consts if isinstance(code, CodeType))


def test_calls_files_and_their_changes_are_counted() -> None:
    read, check = function("read", "/root/a/arm.py"), function("check", "/root/a/limits.py")
    step = function("step", "/root/b/policy.py")
    assert count([read, read, check, step, check]) == Counts(
        calls=5, functions=3, files=3, file_changes=3, folders=2, folder_changes=2
    )


def test_functions_of_one_name_differ_by_their_file() -> None:
    calls = [function("step", "/root/a/arm.py"), function("step", "/root/a/policy.py")]
    assert count(calls).functions == 2


def test_a_tick_passes_every_leg_from_the_record_to_the_motor(policy_file: Path) -> None:
    traces = measure(Config(model=policy_file, traces=2))
    assert len(traces) == 2
    for trace in traces:
        assert len(trace) == len(LEGS)
        calls = [place(code) for code in flat(trace)]
        assert calls[0] == "skill_runtime/server/command_reader.py CommandReader.read"
        assert calls[-1].endswith("TabletopArm.command")
