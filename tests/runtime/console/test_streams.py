"""Standard streams that cannot be written, in programs of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S

PROGRAM = """
import os, sys
from skill_runtime.console.program import run_program

def main():
    {body}

run_program("program", main)
"""


def start(body: str, redirect: str = "", stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Starts a program, by a shell that redirects its output."""
    program = PROGRAM.format(body=body)
    return subprocess.Popen(
        ["/bin/bash", "-c", f'exec "$0" -c "$1" {redirect}', sys.executable, program],
        text=True,
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def run(body: str, redirect: str = "") -> tuple[int, str, str]:
    """Returns exit code, output and errors of a program."""
    running = start(body, redirect)
    output, errors = running.communicate(timeout=DEADLINE_S)
    return running.returncode, output, errors


@pytest.mark.parametrize(
    "body",
    [
        "print('result')",
        "print('result', flush=True)",
        "print('x' * 100_000)",
        "sys.stdout.buffer.write(b'result')",
        "print('result'); sys.exit(0)",
    ],
)
def test_a_full_disk_is_an_error_without_a_traceback(body: str) -> None:
    code, _, errors = run(body, "> /dev/full")
    assert code == 1
    assert errors == (
        "program: cannot write standard output: No space left on device; "
        "free some space, or send the output elsewhere\n"
    )


def test_a_file_that_may_not_grow_is_an_error(tmp_path: Path) -> None:
    body = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
        "print('longer than this')"
    )
    code, _, errors = run(body, f"> {tmp_path / 'file'}")
    assert code == 1
    assert errors.startswith("program: cannot write standard output: File too large; ")
    assert errors.count("\n") == 1
    assert (tmp_path / "file").read_text() == "longer tha"


def test_a_closed_descriptor_is_an_error_only_if_something_is_printed() -> None:
    code, _, errors = run("print('result')", ">&-")
    assert code == 1
    assert errors.startswith("program: cannot write standard output: the descriptor was closed ")
    assert run("pass", ">&-") == (0, "", "")


def test_a_file_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    body = f"print(open({str(tmp_path / 'file')!r}, 'w').fileno() > 2)"
    assert run(body, "<&- 2>&-") == (0, "True\n", "")
    body = f"sys.exit(open({str(tmp_path / 'file')!r}, 'w').fileno())"
    code, _, _ = run(body, "<&- >&- 2>&-")
    assert code > 2


def test_the_exit_code_of_an_error_does_not_depend_on_standard_error() -> None:
    body = "print('the problem', file=sys.stderr); sys.exit(2)"
    assert run(body, "2> /dev/full")[0] == 2
    assert run(body, "2>&-")[0] == 2
    assert run("raise SystemExit('the problem')", "2> /dev/full")[0] == 1
    assert run("print('the problem')", "> /dev/full 2> /dev/full")[0] == 1


@pytest.mark.parametrize("after", ["pass", "sys.exit(2)"])
def test_a_reader_that_has_read_enough_is_no_error(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    body = f"sys.stdin.readline(); print('result'); {after}"
    reader, writer = os.pipe()
    os.close(reader)
    running = start(body, "< /dev/null", stdout=writer)
    os.close(writer)
    _, errors = running.communicate(timeout=DEADLINE_S)
    assert (running.returncode, errors) == (2 if "exit" in after else 0, "")


def test_a_broken_pipe_elsewhere_is_not_taken_for_the_output() -> None:
    body = "r, w = os.pipe(); os.close(r); os.write(w, b'x')"
    code, _, errors = run(body)
    assert code == 1
    assert errors.rstrip().endswith("BrokenPipeError: [Errno 32] Broken pipe")


def test_a_closed_terminal_is_an_error_without_a_traceback() -> None:
    ours, theirs = pty.openpty()
    running = start("sys.stdin.readline(); print('result')", "< /dev/null", stdout=theirs)
    os.close(theirs)
    os.close(ours)
    _, errors = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 1
    assert errors.startswith("program: cannot write standard output: Input/output error; ")
    assert errors.count("\n") == 1


def test_a_pipe_that_another_program_made_non_blocking_is_written_whole() -> None:
    body = "os.set_blocking(1, False); print('x' * 1_000_000)"
    code, output, errors = run(body)
    assert (code, len(output), errors) == (0, 1_000_001, "")


def test_text_that_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    code, output, errors = run(
        r"print('\u03bc', '\udcff', file=sys.stderr); print('\u03bc \udcff')"
    )
    assert (code, output, errors) == (0, "\\u03bc \\udcff\n", "\\u03bc \\udcff\n")


def test_an_error_is_printable() -> None:
    body = (
        "from skill_runtime.console.program import print_error; "
        r"print_error('program', 'a \x1b[2K\nprogram: forged')"
    )
    assert run(body)[2] == "program: a \\x1b[2K\n  program: forged\n"
