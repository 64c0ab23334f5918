"""Fixtures of the tests of the examples: a server, a client of it, and the C++ programs."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.server_fixtures import client as client
from tests.support.server_fixtures import serve as serve
from tests.support.server_fixtures import served as served

SOURCES = Path(__file__).parents[2] / "examples" / "cpp"
PACKAGES = "cmake g++ cppzmq-dev libzmq3-dev nlohmann-json3-dev"
"""Debian packages that the C++ examples need."""

NOT_INSTALLED = re.compile(r"could not find|no CMAKE_CXX_COMPILER could be found", re.IGNORECASE)
BUILD_TIME_S = 250.0
"""Longest time for the compiler [s]."""


def build(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs cmake; the caller evaluates the exit status."""
    return subprocess.run(
        ["cmake", *words], capture_output=True, text=True, timeout=BUILD_TIME_S, check=False
    )


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the C++ examples, built as their README describes."""
    if shutil.which("cmake") is None:
        pytest.skip(f"cmake is missing; on Debian: apt-get install {PACKAGES}")
    folder = tmp_path_factory.mktemp("cpp")
    done = build("-S", str(SOURCES), "-B", str(folder), "-DCMAKE_CXX_FLAGS=-Werror")
    if done.returncode and NOT_INSTALLED.search(done.stderr):
        pytest.skip(f"a library or compiler is missing; on Debian: apt-get install {PACKAGES}")
    assert done.returncode == 0, done.stderr
    done = build("--build", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder
