"""Child processes of a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from tests.support.served import DEADLINE_S

READ = "import sys\nfrom skill_proto.shared_memory.memory import map_memory\n"
MAP = "memory = map_memory(int(sys.argv[1]))\n"


@contextmanager
def child_process(command: Sequence[str], **options: Any) -> Generator[subprocess.Popen[Any]]:  # noqa: ANN401  as Popen's own
    """Runs a program, waits for its end after the block, and kills it if the block fails.

    ``Popen`` as a context waits then too: a program that has no end of its own would hold up the
    test, and take the processors from all tests after it.
    """
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def children_with(
    word: str, parent: int | None = None, *, all_below: bool = False
) -> list[psutil.Process]:
    """Returns the living children of a process with a word in their command lines.

    Args:
        word: Part of the command line, whose words are joined by spaces.
        parent: Identifier of the process; by default this one.
        all_below: Whether also their children count.
    """
    found: list[psutil.Process] = []
    for child in psutil.Process(parent).children(recursive=all_below):
        with suppress(psutil.Error):  # it has just ended
            if word in " ".join(child.cmdline()):
                found.append(child)
    return found


@contextmanager
def sharing(code: str, *descriptors: int) -> Generator[subprocess.Popen[str]]:
    """Runs a program that finds the descriptors in its arguments; it must end well.

    ``memory`` in the program is the memory of the first descriptor.
    """
    arguments = [sys.executable, "-c", READ + MAP + code, *map(str, descriptors)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, pass_fds=descriptors)
    try:
        yield process
        output, _ = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, output
    finally:
        process.kill()
        process.communicate()
