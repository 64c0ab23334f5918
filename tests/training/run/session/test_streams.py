"""Standard output that is full, closed or absent."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.children import child_process

from skill_training.run.session.streams import unfailing, unfailing_output

SAY = """
import sys
from skill_training.run.session.streams import unfailing_output
with unfailing_output():
    for number in range(3):
        print("to output " * 2000)
        print("to error", file=sys.stderr, flush=True)
    open(sys.argv[1], "w").write("done")
"""


def _run(redirection: str, tmp_path: Path) -> None:
    path = tmp_path / "done"
    command = f'"$1" -c "$2" "$3" {redirection}'
    words = ["bash", "-c", f"set -o pipefail; {command}", "bash", sys.executable, SAY, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert path.read_text() == "done"


@pytest.mark.parametrize(
    "redirection",
    [
        "> /dev/full 2> /dev/full",
        "2>&1 | true",
        ">&- 2>&-",
        "<&- >&- 2>&-",
    ],
)
def test_a_program_ends_well(redirection: str, tmp_path: Path) -> None:
    _run(redirection, tmp_path)


def test_a_pipe_without_a_reader_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "done"
    reader, writer = os.pipe()
    try:
        with child_process(
            [sys.executable, "-c", SAY.replace("range(3)", "range(50)"), str(path)],
            stdout=writer,
            stderr=writer,
        ) as process:
            assert process.wait(120) == 0
        assert path.read_text() == "done"
    finally:
        os.close(reader)
        os.close(writer)


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def isatty(self) -> bool:
        raise OSError(5, "Input/output error")


def test_a_stream_drops_text_that_it_cannot_write() -> None:
    stream = unfailing(_Full())
    assert stream.write("abc") == 3
    stream.writelines(["a", "b"])
    stream.flush()
    assert not stream.isatty()
    assert unfailing(None).write("abc") == 3
    assert not unfailing(None).isatty()


def test_text_is_written_and_other_attributes_are_those_of_the_stream() -> None:
    inner = io.StringIO()
    stream = unfailing(inner)
    print("abc", file=stream, flush=True)
    assert inner.getvalue() == "abc\n"
    assert stream.getvalue() == "abc\n"  # type: ignore[attr-defined]  # of StringIO alone


def test_standard_streams_are_restored() -> None:
    before = sys.stdout, sys.stderr
    with unfailing_output():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before
    assert os.fstat(1)
