"""Seconds and megabytes from an empty environment to the first motion.

    python -m benchmarks.install

Each row begins without an environment and without a cache of pip; the time includes the download.
A row that serves ends when telemetry shows that the arm has moved.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from benchmarks.install.environment import (
    CLIENT,
    ROOT,
    CommandError,
    Installation,
    build,
    cpu_of_children,
    fetched_mb,
    install,
    run,
    size_mb,
)
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.lib.report import print_table, write_json
from skill_runtime.client import ClientError, SkillClient

Row = Literal["pip", "make", "client"]

PORT = 24810
"""First of the three ports of the measured servers."""

MOVED_M = 1e-3
"""Displacement of the end effector that counts as a motion [m]."""

PATIENCE_S = 600.0
"""Longest wait for a motion [s]."""

IMPORTS = 5
"""Repetitions of the import of the client."""

PIP_SETTINGS = ("PIP_NO_CACHE_DIR=1", "PIP_VERBOSE=1")
"""No cache, and the sizes of the downloads, which ``pip --quiet`` of the Makefile leaves out."""

IMPORT = (
    "import time; wall, cpu = time.perf_counter(), time.process_time(); "
    "import skill_runtime.client; "
    "print(time.perf_counter() - wall, time.process_time() - cpu)"
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Command-line options."""

    rows: Some[Row] = ("client", "pip", "make")
    """client: skill-client alone, until it is imported. pip: `pip install skill-serve` and
    `skill-serve`. make: `make serve` in a copy of this checkout."""
    python: str = sys.executable
    """Interpreter of the environments, e.g. python3.13; for make, too."""
    json: Path | None = None
    """File for the result."""


def main(arguments: Arguments) -> None:
    """Measures the rows and prints them."""
    measures: dict[Row, Callable[[str, Path], dict[str, float]]] = {
        "client": measure_client,
        "pip": measure_pip,
        "make": measure_make,
    }
    results: dict[str, dict[str, float]] = {}
    for row in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="install-") as folder:
            try:
                results[row] = measures[row](arguments.python, Path(folder))
            except CommandError as error:
                raise SystemExit(f"{row}: {error}") from None
    print_results(results)
    write_json(arguments.json, {"python": arguments.python, "rows": results})


def print_results(results: dict[str, dict[str, float]]) -> None:
    """Prints one line for each row."""
    columns = (
        "seconds",
        "cpu_s",
        "downloaded_mb",
        "disk_mb",
        "first_motion_s",
        "import_s",
        "import_cpu_s",
    )
    print_table(
        ["row", *columns],
        [
            [row, *(f"{result[name]:.3g}" if name in result else "" for name in columns)]
            for row, result in results.items()
        ],
    )


def measure_client(python: str, folder: Path) -> dict[str, float]:
    """Installs skill-client and imports it; the import time is the median of some processes."""
    cost = install(python, folder / "environment", build(CLIENT, folder, "wheel")[0])
    command = [folder / "environment" / "bin" / "python", "-c", IMPORT]
    times = [[float(word) for word in run(command, folder).split()] for _ in range(IMPORTS)]
    wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
    return {**asdict(cost), "import_s": wall, "import_cpu_s": cpu}


def measure_pip(python: str, folder: Path) -> dict[str, float]:
    """Installs skill-serve and serves without any flag but the port."""
    cost = install(python, folder / "environment", build(ROOT, folder, "wheel")[0])
    began = time.perf_counter()
    command = [str(folder / "environment" / "bin" / "skill-serve"), "--port", str(PORT)]
    wait_for_motion(command, folder)
    return first_motion(cost, time.perf_counter() - began)


def measure_make(python: str, folder: Path) -> dict[str, float]:
    """Runs ``make serve`` in a copy of the files of this checkout."""
    checkout = folder / "checkout"
    checkout.mkdir()
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    (folder / "files").write_text(listed)
    run(["sh", "-c", f"tar -c --null -T '{folder}/files' | tar -x -C '{checkout}'"], ROOT)
    began, cpu = time.perf_counter(), cpu_of_children()
    said = run(["env", *PIP_SETTINGS, "make", "install", f"PYTHON={python}"], checkout)
    installed, used = time.perf_counter(), cpu_of_children() - cpu
    wait_for_motion(["make", "serve", f"ARGS=--port {PORT}"], checkout)
    cost = Installation(
        seconds=installed - began,
        cpu_s=used,
        downloaded_mb=fetched_mb(said),
        disk_mb=size_mb(checkout / ".venv"),
    )
    return first_motion(cost, time.perf_counter() - installed)


def first_motion(cost: Installation, serving_s: float) -> dict[str, float]:
    """Returns the cost of an installation, and of it and the start of a server together."""
    return {**asdict(cost), "first_motion_s": cost.seconds + serving_s}


def wait_for_motion(command: Sequence[str], folder: Path) -> None:
    """Runs a server until its arm has moved.

    Raises:
        CommandError: the server ended, or its arm has not moved.
    """
    log = folder / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            if not has_moved(server):
                raise CommandError(f"the arm does not move:\n{log.read_text()[-2000:]}")
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # SIGINT is ignored under nohup
            server.wait(60)


def has_moved(server: subprocess.Popen[bytes]) -> bool:
    """Returns whether the arm has moved before the server ended or the patience was over."""
    ends = time.monotonic() + PATIENCE_S
    with SkillClient(f"tcp://127.0.0.1:{PORT}", timeout_s=1.0) as client:
        start: tuple[float, ...] | None = None
        while server.poll() is None and time.monotonic() < ends:
            try:
                position = client.state().end_effector_position
            except ClientError:
                continue
            if None in position:
                continue
            here = tuple(float(value) for value in position if value is not None)
            start = start or here
            if max(abs(a - b) for a, b in zip(here, start, strict=True)) > MOVED_M:
                return True
            time.sleep(0.01)
    return False


if __name__ == "__main__":
    run_program(main, Arguments, prog="python -m benchmarks.install", description=__doc__)
