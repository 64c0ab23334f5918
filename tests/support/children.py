"""Child processes that share memory with a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from tests.support.served import DEADLINE_S

READ = "import sys\nfrom skill_proto.shared_memory.memory import map_memory\n"
MAP = "memory = map_memory(int(sys.argv[1]))\n"


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
