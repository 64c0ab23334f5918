"""Runs of a sweep on a Ray cluster.

Each run is a task with one processor. The folder of the sweep must be on storage that all nodes
share: a run whose worker was lost is started again elsewhere, and continues from its checkpoint.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from skill_training.errors import ConfigError
from skill_training.sweep.grid import Run
from skill_training.sweep.local import Ended, log_file
from skill_training.sweep.process import BUSY_S, start, was_busy

MARK = "sweep.json"
"""File by which a worker sees that it has the folder of the sweep."""

CONNECT_S = 5.0
"""Longest wait for a connection to the cluster [s]."""


def run_on_ray(
    address: str,
    runs: Sequence[Run],
    folder: Path,
    on_poll: Callable[[], None],
) -> list[Ended]:
    """Runs all on the cluster at ``address``; returns their ends in the order of the ends.

    Args:
        address: Address of the cluster; 'local' starts one on this machine, 'auto' finds a running
            one.
        runs: The runs.
        folder: Folder of the run directories, on shared storage.
        on_poll: Called now and then.

    Raises:
        ConfigError: Ray is not installed, or the cluster is not there.
    """
    ray = _ray(address)
    remote: Any = ray.remote(num_cpus=1, max_retries=-1)(_run)
    try:
        pending = {
            remote.remote(run.algorithm, list(run.flags), str(folder), run.name): run
            for run in runs
        }
        ended: list[Ended] = []
        while pending:
            done, _ = ray.wait(list(pending), timeout=1.0)
            ended += [_end_of(ray, task, pending.pop(task)) for task in done]
            on_poll()
        return ended
    finally:
        ray.shutdown()


def _end_of(ray: Any, task: Any, run: Run) -> Ended:  # noqa: ANN401  Ray is not typed
    try:
        return Ended(run=run, code=ray.get(task))
    except ray.exceptions.RayError as error:
        return Ended(run=run, code=1, reason=str(error).strip().splitlines()[-1])


def _run(algorithm: str, flags: list[str], folder: str, name: str) -> int:
    """Runs one run in a worker; returns the exit status of ``skill-train``.

    Raises:
        FileNotFoundError: this node does not have the folder of the sweep.
    """
    root = Path(folder)
    if not (root / MARK).is_file():
        raise FileNotFoundError(
            f"this node has no {root / MARK}: the folder of a sweep must be on storage that all "
            "nodes share"
        )
    log = log_file(root, name)
    ends = time.monotonic() + BUSY_S
    while True:
        code = start(algorithm, flags, root / name, log).wait()
        # The process of a lost worker may still end.
        if not was_busy(code, log) or time.monotonic() > ends:
            return code
        time.sleep(2.0)


def _check_reachable(address: str) -> None:
    """Refuses an address at which nobody listens; Ray would wait for minutes.

    Raises:
        ConfigError: nobody listens.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"there is no Ray cluster at {address!r}: {error}") from None


def _ray(address: str) -> Any:  # noqa: ANN401  Ray is not typed
    try:
        ray: Any = import_module("ray")
    except ImportError:
        raise ConfigError(
            "--ray needs Ray, which is not installed; run: pip install 'skill-serve[ray]'"
        ) from None
    _check_reachable(address)
    options: dict[str, Any] = {"include_dashboard": False, "logging_level": "error"}
    try:
        ray.init(address=None if address == "local" else address, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError(f"there is no Ray cluster at {address!r}: {error}") from None
    return ray
