"""Executes many runs over many seeds: ``make simulate SEED=0 TICKS=1000000``.

The report names the seed of a run that breaks an invariant, and the command that repeats it.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from skill_proto.files.shipped_models import DEFAULT_MODEL
from skill_runtime.console.exit_codes import FAILED, INTERRUPTED, OK, USAGE
from skill_runtime.console.flags import ModelFlag, UsageError, check_number, model_file
from skill_runtime.console.output_file import check_writable, write_json
from skill_runtime.fault_injection.campaign import Outcome, simulate, split
from skill_runtime.fault_injection.run import RunConfig
from skill_runtime.policy import PolicyFileError, load_manifest


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Command-line options."""

    seed: int = 0
    """Seed of the first run; later runs take the following seeds."""
    ticks: int = 200_000
    """Number of servo periods, over all runs."""
    run_ticks: int = 100_000
    """Servo periods of one run."""
    model: ModelFlag = Path(DEFAULT_MODEL)
    """Policy file to serve, or the name of a model that comes with skill-serve."""
    physics: bool = False
    """Simulate the arm with MuJoCo. Default: it follows its set-points exactly, which is faster."""
    workers: int = 0
    """Number of processes; 0 takes one for each CPU."""
    json: Path | None = None
    """File for the report in JSON."""


def report(arguments: Arguments, outcomes: list[Outcome], took_s: float) -> int:
    """Prints the counts and the command that repeats a failure; returns the exit code."""
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome.counts)
    ticks = sum(outcome.config.ticks for outcome in outcomes)
    print(f"{ticks:,} ticks, {len(outcomes)} runs from seed {arguments.seed}, {took_s:.0f} s")
    for name, count in sorted(counts.items()):
        print(f"  {name:<24} {count:>10,}")
    broken = [outcome for outcome in outcomes if outcome.broken]
    for outcome in broken:
        config = outcome.config
        print(f"\nBROKEN, seed {config.seed}: {outcome.broken}")
        flags = f"--run-ticks {config.ticks}"
        if config.physics:
            flags += " --physics"
        if config.model != model_file(Arguments.model):
            flags += f" --model {config.model}"
        print(f'  again: make simulate SEED={config.seed} TICKS={config.ticks} ARGS="{flags}"')
    if not broken:
        print("no invariant broken")
    if arguments.json is not None:
        content = {
            "ticks": ticks,
            "counts": dict(counts),
            "broken": {str(outcome.config.seed): outcome.broken for outcome in broken},
            "digests": {str(outcome.config.seed): outcome.digest for outcome in outcomes},
            "arguments": {key: str(value) for key, value in asdict(arguments).items()},
        }
        write_json(arguments.json, content)
    return FAILED if broken else OK


def check(arguments: Arguments) -> None:
    """Checks the options.

    Raises:
        UsageError: names the flag.
        PolicyFileError: the policy file cannot be served.
    """
    check_number("seed", arguments.seed, 0, 2**31)
    check_number("ticks", arguments.ticks, 1, 10**12)
    check_number("run-ticks", arguments.run_ticks, 1, 10**9)
    check_number("workers", arguments.workers, 0, 1024)
    if arguments.json is not None:
        check_writable(arguments.json)
    load_manifest(model_file(arguments.model))


def main() -> None:
    """Executes the campaign and ends the program with its exit code."""
    arguments = tyro.cli(
        Arguments,
        prog="make simulate",
        description="Run the server on virtual time with injected faults; check every tick.",
    )
    try:
        check(arguments)
    except (UsageError, PolicyFileError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        sys.exit(USAGE)
    start = time.perf_counter()
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        whole = RunConfig(
            seed=arguments.seed,
            ticks=arguments.ticks,
            model=model_file(arguments.model),
            physics=arguments.physics,
        )
        for outcome in simulate(list(split(whole, arguments.run_ticks)), arguments.workers):
            outcomes.append(outcome)  # noqa: PERF402  an interrupt must not lose outcomes
    except KeyboardInterrupt:
        interrupted = True
    outcomes.sort(key=lambda outcome: outcome.config.seed)
    code = report(arguments, outcomes, time.perf_counter() - start)
    if interrupted:
        print("interrupted: runs that had not ended are not counted")
    sys.exit(code or INTERRUPTED if interrupted else code)


if __name__ == "__main__":
    main()
