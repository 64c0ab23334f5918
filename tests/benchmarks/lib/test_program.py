"""Start and end of the benchmarks: ranges, files to write, and signals."""

from __future__ import annotations

import importlib
import os
import signal
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
import tyro
from benchmarks.lib.program import checked, run_program
from benchmarks.lib.ranges import Count, PositiveInt, PositiveRange, Seeds, Some, range_errors

from skill_runtime.console.flags import UsageError
from skill_runtime.console.streams import OutputError

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Inner:
    skills: PositiveInt = 48


@dataclass(frozen=True, kw_only=True)
class Config:
    episodes: PositiveInt = 1
    jobs: Count = 0
    seeds: Seeds = (0, 1)
    models: Some[Path] = (Path("a.onnx"),)
    mass: PositiveRange | None = None
    scores: tuple[str, ...] = ()
    extent: Inner = field(default_factory=Inner)
    folder: Path = Path("logs")
    picture: Path | None = None
    json: Path | None = None


def _run(main: Any, *words: str) -> None:  # noqa: ANN401  # a main of any result
    run_program(main, Config, prog="program", description=None, args=words)


def _ignore(config: Config) -> None:
    del config


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--episodes", "0"], "--episodes 0: should be greater than or equal to 1"),
        (["--jobs", "-3"], "--jobs -3: should be greater than or equal to 0"),
        (["--extent.skills", "0"], "--extent.skills 0: should be greater than or equal to 1"),
        (["--seeds"], "--seeds (): give 1 or more values"),
        (["--seeds", "1", "1"], "--seeds 1 1: 1 occurs twice"),
        (["--seeds", "-1"], "--seeds -1: should be greater than or equal to 0"),
        (["--models"], "--models (): give 1 or more values"),
        (["--mass", "0", "1"], "--mass 0.0 1.0: should be greater than 0"),
        (
            ["--mass", "2", "1"],
            "--mass 2.0 1.0: the first number is the lower end, the second the upper; swap them",
        ),
        (["--json", "a.txt"], "cannot write a.txt: its name must end in .json"),
    ],
)
def test_a_value_out_of_range_ends_with_2_and_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _run(_ignore, *words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{line}\n"


def test_a_result_that_cannot_be_written_ends_with_1_and_one_line(tmp_path: Path) -> None:
    def main(config: Config) -> None:
        del config
        raise OutputError("result.json", OSError(28, "No space left on device"))

    with pytest.raises(SystemExit, match=r"^cannot write result.json: No space left on device; fr"):
        _run(main)


def test_the_exit_code_is_that_of_the_benchmark() -> None:
    def fail(config: Config) -> int:
        del config
        return 3

    _run(_ignore)
    with pytest.raises(SystemExit) as ended:
        _run(fail)
    assert ended.value.code == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_with_one_line(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    ends: list[str] = []

    def main(config: Config) -> None:
        del config
        try:
            os.kill(os.getpid(), number)
        finally:
            ends.append("cleaned up")

    with pytest.raises(SystemExit) as ended:
        _run(main)
    assert ended.value.code == 128 + number
    assert capsys.readouterr().err == f"interrupted by {number.name}\n"
    assert ends == ["cleaned up"]
    assert signal.getsignal(number) is before


def test_the_advice_of_an_interrupted_sweep_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def main(config: Config) -> None:
        raise KeyboardInterrupt("the same command continues the sweep")

    with pytest.raises(SystemExit):
        _run(main)
    assert capsys.readouterr().err == (
        "interrupted by SIGINT; the same command continues the sweep\n"
    )


@dataclass(frozen=True, kw_only=True)
class Film:
    film: tyro.conf.Positional[Path]
    json: Path | None = None


def test_a_result_without_a_flag_is_named_by_its_argument(tmp_path: Path) -> None:
    link = tmp_path / "film.gif"
    link.symlink_to(tmp_path / "film.json")
    with pytest.raises(UsageError, match=r"^--json .*film\.json is the file of FILM; name another"):
        checked(Film(film=link, json=tmp_path / "film.json"))


def test_files_to_write_are_checked_before_the_work(tmp_path: Path) -> None:
    score = tmp_path / "score.json"
    score.write_text('{"machine": {"processor": "x"}}')
    checked(Config(json=score, picture=tmp_path / "picture.png"))
    with pytest.raises(UsageError, match=r"must end in \.json"):
        checked(Config(json=tmp_path / "policy.onnx"))
    with pytest.raises(UsageError, match=r"must end in \.png"):
        checked(Config(picture=tmp_path / "picture"))
    with pytest.raises(UsageError, match="is the file of the input"):
        checked(Config(json=score, scores=(f"a={tmp_path}/other.json,{score}#part",)))
    with pytest.raises(UsageError, match="is a file, not a folder"):
        checked(Config(folder=score))


def _programs() -> list[str]:
    """Returns the modules that start through the common entry."""
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "benchmarks").rglob("*.py")
        if "lib" not in path.parts and "\n    run_program(" in path.read_text(encoding="utf-8")
    )


def test_the_defaults_of_every_benchmark_are_in_range() -> None:
    wrong: dict[str, list[str]] = {}
    for name in _programs():
        module = importlib.import_module(name)
        for kind in (getattr(module, one, None) for one in ("Config", "Options", "WorldOptions")):
            if kind is not None:
                given = {
                    one.name: Path("x")
                    for one in fields(kind)
                    if one.default is MISSING and one.default_factory is MISSING
                }
                errors = range_errors(kind(**given))
                flags = {f"--{one}" for one in given}
                wrong[name] = [line for line in errors if line.split(" ")[0] not in flags]
    assert len(wrong) > 50
    assert not any(wrong.values()), wrong


def test_every_benchmark_with_a_result_starts_through_the_common_entry() -> None:
    others = [
        str(path)
        for path in (ROOT / "benchmarks").rglob("*.py")
        if "lib" not in path.parts and "tyro.cli(Config" in path.read_text(encoding="utf-8")
    ]
    assert not others
