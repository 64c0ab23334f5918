"""One child: its configuration, its end in words, its state."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.runtime.processes.programs import WriteModule
from tests.support.served import DEADLINE_S, until

from skill_runtime.processes.child import Child, ChildProgram
from skill_runtime.realtime.huge_pages import ALLOCATOR, VARIABLE

Start = Callable[..., Child]

ECHO = """
import os, sys
from skill_runtime.processes.child import read_config
config = read_config()
os.write(int(sys.argv[1]), repr((len(config["text"]), sys.argv[2:])).encode())
"""


@pytest.fixture
def start(write_module: WriteModule) -> Iterator[Start]:
    """Starts children that end with the test."""
    children: list[Child] = []

    def run(code: str, *arguments: str, **options: Any) -> Child:  # noqa: ANN401  passed on
        module = write_module(f"program_{len(children)}", code)
        program = ChildProgram(name="test", module=module, arguments=arguments, **options)
        children.append(Child.start(program, stderr=2))
        return children[-1]

    yield run
    for child in children:
        child.kill()


@pytest.mark.parametrize("length", [0, 10_000_000])
def test_a_child_gets_configuration_arguments_and_descriptors(start: Start, length: int) -> None:
    """A configuration longer than a pipe does not make the parent wait."""
    reader, writer = os.pipe()
    child = start(
        ECHO,
        str(writer),
        "a b",
        config={"text": "x" * length},
        descriptors=(writer,),
    )
    os.close(writer)
    with open(reader) as output:
        assert output.read() == repr((length, ["a b"]))
    child.process.wait(DEADLINE_S)
    assert child.ended == "exit code 0"


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system needs a file")
def test_a_disk_that_is_full_does_not_keep_a_child_from_its_configuration(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    child = start(ECHO, "1", config={"text": ""})
    child.process.wait(DEADLINE_S)
    assert child.ended == "exit code 0"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "exit code 0"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 40)", "signal 40"),
    ],
)
def test_the_end_is_described_in_words(start: Start, code: str, words: str) -> None:
    child = start(code)
    child.process.wait(DEADLINE_S)
    assert child.ended == words
    child.kill()  # has no effect any more
    assert child.ended == words


SLEEP = "import time; time.sleep(600)"


def test_a_child_that_runs_has_not_ended_until_it_is_killed(start: Start) -> None:
    child = start(SLEEP)
    assert child.ended is None
    child.kill()
    assert child.ended == "SIGKILL"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system has no /proc")
def test_a_frozen_child_is_killed_all_the_same(start: Start) -> None:
    child = start(SLEEP)
    until(lambda: child.state == "S")
    child.process.send_signal(signal.SIGSTOP)
    until(lambda: child.state == "T")
    child.kill()
    assert (child.ended, child.state) == ("SIGKILL", "")


def test_a_file_of_the_users_folder_replaces_no_module(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("pickle", "numpy", "skill_runtime"):
        (folder / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(folder)
    child = start("import numpy; from skill_runtime.processes.child import read_config")
    child.process.wait(DEADLINE_S)
    assert child.ended == "exit code 0"


def test_a_program_that_cannot_be_started_is_an_os_error(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match="nowhere"):
        start("")
    assert psutil.Process().num_fds() == before


def test_a_prepared_child_waits_for_its_configuration(write_module: WriteModule) -> None:
    """A configuration longer than a pipe arrives whole."""
    reader, writer = os.pipe()
    module = write_module("prepared", ECHO)
    program = ChildProgram(name="test", module=module, arguments=(str(writer), "a"))
    child = Child.prepare(replace(program, descriptors=(writer,)), stderr=2)
    os.close(writer)
    child.configure({"text": "x" * 1_000_000})
    with open(reader) as output:
        assert output.read() == repr((1_000_000, ["a"]))
    child.process.wait(DEADLINE_S)
    assert child.ended == "exit code 0"


def test_a_prepared_child_that_has_ended_gets_no_configuration(write_module: WriteModule) -> None:
    module = write_module("ended", "")
    child = Child.prepare(ChildProgram(name="test", module=module), stderr=2)
    child.process.wait(DEADLINE_S)
    child.configure({"text": "x" * 1_000_000})
    child.kill()
    assert child.ended == "exit code 0"


ENVIRONMENT = """
import json, os, sys
os.write(int(sys.argv[1]), json.dumps(dict(os.environ)).encode())
"""


@pytest.mark.parametrize("huge_pages", [False, True])
def test_a_child_gets_huge_pages_if_its_program_says_so(
    start: Start, monkeypatch: pytest.MonkeyPatch, *, huge_pages: bool
) -> None:
    for name in (ALLOCATOR, VARIABLE):
        monkeypatch.delenv(name, raising=False)
    reader, writer = os.pipe()
    start(ENVIRONMENT, str(writer), descriptors=(writer,), huge_pages=huge_pages)
    os.close(writer)
    with open(reader) as output:
        found = json.loads(output.read())
    assert (found.get(ALLOCATOR) == "malloc") == huge_pages
    assert ("hugetlb=1" in found.get(VARIABLE, "")) == huge_pages
