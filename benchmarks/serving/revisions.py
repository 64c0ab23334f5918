"""Compares two installed revisions of skill-serve, in turns on one machine.

    python -m benchmarks.serving.revisions --before /path/to/other/.venv/bin/skill-serve

The other one may be the same revision with other variables, such as without huge pages:
--before "env GLIBC_TUNABLES=glibc.malloc.hugetlb=0 PYTHONMALLOC=pymalloc .venv/bin/skill-serve".

Measured are the execution time of a tick as telemetry reports it, the round trip of a command and
of ``hello``, the memory of all processes, and the time to the first action. A client holds the
lease and sends ten commands per second while the ticks are measured.

The two revisions run one after the other in each round, and the next round begins with the other
one. The column ``ratio`` is the median of the ratios within a round, so a machine that becomes
slower during the run has little effect on it.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveFloats, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.commanded_server import serve
from benchmarks.serving.failures.client_process import NeverHappenedError
from skill_runtime.console.flags import UsageError, check_number


@dataclass(frozen=True, kw_only=True)
class Config:
    """Two revisions in turns."""

    before: str
    """Command of the other skill-serve; `env NAME=VALUE ... skill-serve` sets variables."""
    after: str = str(Path(sys.executable).parent / "skill-serve")
    """Command of this skill-serve."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    rates: PositiveFloats = (200.0, 1000.0)
    """Servo rates [Hz]."""
    rounds: PositiveInt = 5
    """Measurements of each revision and rate."""
    seconds: PositiveFloat = 10.0
    """Length of one measurement of ticks [s]."""
    round_trips: PositiveInt = 500
    """Round trips of one measurement."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in both revisions [us]."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement of one server; times in microseconds."""

    execution_p50: float
    execution_p99: float
    wakeup_p50: float
    wakeup_p99: float
    overruns: float
    command_p50: float
    hello_p50: float
    resident_mb: float
    """All processes; pages that they share count for each."""
    proportional_mb: float
    """All processes; pages that they share count once."""
    first_action_s: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One figure of both revisions; medians over the rounds."""

    name: str
    before: float
    after: float
    ratio: float
    """Median over the rounds of after divided by before; nan if that is 0 in each round."""


def measure(config: Config, command: str, rate_hz: float) -> Measurement:
    """Starts a server and measures it.

    Raises:
        NeverHappenedError: The server does not start, or cannot be commanded.
    """
    options = ["--spin-us", f"{config.spin_us:g}"]
    with serve(shlex.split(command), config.model, rate_hz, options) as server:
        ticks = server.measure_ticks(config.seconds)
        command_p50, hello_p50 = server.round_trips(config.round_trips)
        memory = list(server.memory().values())
        return Measurement(
            execution_p50=ticks.execution_p50,
            execution_p99=ticks.execution_p99,
            wakeup_p50=ticks.wakeup_p50,
            wakeup_p99=ticks.wakeup_p99,
            overruns=ticks.overruns,
            command_p50=command_p50,
            hello_p50=hello_p50,
            resident_mb=sum(one.resident for one in memory),
            proportional_mb=sum(one.proportional for one in memory),
            first_action_s=server.first_action_s,
        )


def compare(before: Sequence[Measurement], after: Sequence[Measurement]) -> list[Comparison]:
    """Compares each figure of the same rounds of both revisions."""
    found: list[Comparison] = []
    for field in fields(Measurement):
        old = [float(getattr(one, field.name)) for one in before]
        new = [float(getattr(one, field.name)) for one in after]
        ratios = [b / a for a, b in zip(old, new, strict=True) if a]
        found.append(
            Comparison(
                name=field.name,
                before=median(old),
                after=median(new),
                ratio=median(ratios) if ratios else math.nan,
            )
        )
    return found


def print_comparisons(comparisons: Sequence[Comparison]) -> None:
    """Prints the table of one rate."""
    print_table(
        ["", "before", "after", "ratio"],
        [
            [
                each.name,
                f"{each.before:.4g}",
                f"{each.after:.4g}",
                "-" if math.isnan(each.ratio) else f"{each.ratio:.2f}",
            ]
            for each in comparisons
        ],
    )


def measure_in_turns(config: Config, rate_hz: float) -> tuple[list[Measurement], list[Measurement]]:
    """Measures both revisions in each round; the first one of a round alternates."""
    before: list[Measurement] = []
    after: list[Measurement] = []
    for number in range(config.rounds):
        turns = [(config.before, before), (config.after, after)]
        for command, found in turns if number % 2 == 0 else reversed(turns):
            found.append(measure(config, command, rate_hz))
    return before, after


def check(config: Config) -> None:
    """Checks the options.

    Raises:
        UsageError: An option is invalid.
    """
    for flag, command in (("before", config.before), ("after", config.after)):
        program = command.split()[-1] if command.strip() else ""
        if not Path(program).is_file():
            raise UsageError(
                f"{program!r} is no file; name an installed skill-serve: --{flag} COMMAND"
            )
    if not config.model.is_file():
        raise UsageError(f"{config.model} is no file; name a policy file: --model FILE")
    check_number("rounds", config.rounds, 1, 1000)
    check_number("seconds", config.seconds, 1.0, 3600.0, unit="s")
    check_number("round-trips", config.round_trips, 1, 1_000_000)


def main(config: Config) -> None:
    """Measures in turns, prints medians and ratios, and writes the result."""
    result: dict[str, object] = {}
    try:
        check(config)
        for rate_hz in config.rates:
            before, after = measure_in_turns(config, rate_hz)
            comparisons = compare(before, after)
            print(f"{rate_hz:g} Hz, medians of {config.rounds} rounds; times in microseconds")
            print_comparisons(comparisons)
            result[f"{rate_hz:g} Hz"] = {
                "comparisons": [asdict(each) for each in comparisons],
                "before": [asdict(each) for each in before],
                "after": [asdict(each) for each in after],
            }
    except NeverHappenedError as error:
        raise SystemExit(str(error)) from None
    write_json(config.json, result)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.revisions", description=__doc__)
