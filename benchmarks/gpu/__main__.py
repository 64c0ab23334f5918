"""How fast are training and serving on CUDA, beside the CPU of the same machine?

    make test-gpu

Runs the tests that need CUDA, one short training of each kind on each device, and the policy
service on each device, and writes one JSON. The exit code is 1 if a test or a training failed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.gpu.kinds import KINDS, Device, Kind, Speed, train
from benchmarks.gpu.service import ROWS, round_trips
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Some
from benchmarks.lib.report import print_table, write_json
from skill_runtime.console.exit_codes import USAGE

NO_CUDA = (
    "benchmarks.gpu: torch finds no CUDA device here. Fix: run it where there is one and torch has "
    "CUDA (pip install -c constraints.txt torch), or measure the processor with --devices cpu"
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Devices and extent."""

    devices: Some[Device] = ("cuda", "cpu")
    """Devices to measure, in this order."""
    tests: bool = True
    """Run the tests that need CUDA."""
    env_steps: PositiveInt | None = None
    """Environment steps of each training; None: those of its kind."""
    turns: PositiveInt = 10
    """Turns of 50 requests to the service, for each number of observations."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file of the service."""
    json: Path | None = None
    """File of the result, as JSON."""


def main(config: Config) -> int:
    """Measures, prints, and writes the result; returns the exit code."""
    devices = config.devices
    if "cuda" in devices and not torch.cuda.is_available():
        print(NO_CUDA, file=sys.stderr)
        return USAGE
    tests = run_tests() if config.tests and "cuda" in devices else {}
    speeds = train_all(devices, config.env_steps)
    service: dict[Device, dict[int, float]] = {
        device: round_trips(config.model, device, config.turns) for device in devices
    }
    show(devices, speeds, service)
    if tests:
        print(f"\ntests that need CUDA: {tests}")
    write_json(
        config.json,
        {
            "torch": torch.__version__,
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            "tests": tests,
            "training": {
                title: {device: asdict(speed) for device, speed in row.items()}
                for title, row in speeds.items()
            },
            "service_us": service,
        },
    )
    failed = [speed.error for row in speeds.values() for speed in row.values() if speed.error]
    return int(bool(failed or tests.get("failed") or tests.get("error")))


def run_tests() -> dict[str, int]:
    """Runs the tests that need CUDA, and returns their numbers by outcome."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--no-header", "-p", "no:xdist"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stdout)
    return outcomes(done.stdout.strip().rpartition("\n")[2])


def outcomes(line: str) -> dict[str, int]:
    """Returns the numbers of the last line of pytest: ``2 failed, 7 passed in 3.1s``."""
    found = re.findall(r"(\d+) (passed|failed|skipped|error)", line)
    return {word: int(number) for number, word in found}


def train_all(devices: Sequence[Device], env_steps: int | None) -> dict[str, dict[Device, Speed]]:
    """Runs each kind of training on each device."""
    runs: list[tuple[Kind, Device]] = [(kind, device) for kind in KINDS for device in devices]
    speeds: dict[str, dict[Device, Speed]] = {kind.title: {} for kind in KINDS}
    for kind, device in tqdm(runs, desc="training", unit="run", disable=None, leave=False):
        speeds[kind.title][device] = speed = train(kind, device, env_steps)
        if speed.error:
            print(f"{kind.title} on {device} failed: {speed.error}", file=sys.stderr)
    return speeds


def show(
    devices: Sequence[Device],
    speeds: dict[str, dict[Device, Speed]],
    service: dict[Device, dict[int, float]],
) -> None:
    """Prints both tables."""
    print_table(
        ["training", *(f"{device}: gradient steps/s, env steps/s" for device in devices)],
        [[title, *(_text(row[device]) for device in devices)] for title, row in speeds.items()],
    )
    print()
    print_table(
        ["observations in a request", *(f"{device}: round trip p50 [us]" for device in devices)],
        [[str(rows), *(f"{service[device][rows]:.0f}" for device in devices)] for rows in ROWS],
    )


def _text(speed: Speed) -> str:
    if speed.updates_per_s is None or speed.env_steps_per_s is None:
        return "failed"
    return f"{speed.updates_per_s:.0f}, {speed.env_steps_per_s:.0f}"


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.gpu", description=__doc__)
