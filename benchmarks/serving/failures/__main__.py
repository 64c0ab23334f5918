"""How long after a failure does the arm hold and come to rest?

    python -m benchmarks.serving.failures

The failures are real: processes of the clients and of the server are killed or stopped (SIGSTOP),
the network is cut, and the server is flooded. Each failure has its own skill-serve, with the arm in
mode ``skill``. A subscriber records the telemetry. All times are on the server's clock and start at
the failure. The first ends at the first state in mode ``hold``, ``stopped`` or ``fault``. The
others end when set-point and joints stay slower than 0.01 rad/s. The resolution is the telemetry
period, 10 ms; without a gateway there is no telemetry until the next one runs.

The bounds are those of docs/safety.md. A cut of the network needs root and ``ip`` (iproute2).
benchmarks.serving.hostile measures how soon the network processes serve again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.lib.program import run_program
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.failures.input_failures import (
    flood,
    network_cut,
    network_cut_1s,
    policy_nan,
    tracker_silent,
)
from benchmarks.serving.failures.network import NoNamespacesError
from benchmarks.serving.failures.outcome import Outcome
from benchmarks.serving.failures.process_failures import (
    client_killed,
    client_stopped,
    lease_unrenewed,
    subscribers_killed,
    subscribers_stopped,
)
from benchmarks.serving.failures.server_failures import (
    controller_killed,
    controller_stopped,
    gateway_killed,
    gateway_stopped,
    server_killed,
    server_suspended,
    stop_listener_killed,
    stop_listener_stopped,
)
from skill_runtime.console.flags import UsageError

FAILURES: dict[str, Callable[[Path], Outcome]] = {
    scenario.__name__.replace("_", "-"): scenario
    for scenario in (
        client_killed,
        client_stopped,
        lease_unrenewed,
        server_killed,
        server_suspended,
        controller_killed,
        controller_stopped,
        gateway_killed,
        gateway_stopped,
        stop_listener_killed,
        stop_listener_stopped,
        subscribers_killed,
        subscribers_stopped,
        policy_nan,
        tracker_silent,
        network_cut_1s,
        network_cut,
        flood,
    )
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Times from a failure to an arm that holds and is at rest."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its skill has at least two numbers."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Names of failures; default: all."""
    json: Path | None = None
    """File of the result, as JSON."""


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Prints the table, in seconds, and the facts of each failure."""
    print_table(
        ["failure", "result", "after", "bound", "source", "set-point at rest", "joints at rest"],
        [
            [
                outcome.name,
                outcome.state,
                _seconds(outcome.state_s),
                _seconds(outcome.bound_s),
                outcome.stated,
                _seconds(outcome.rest and outcome.rest.setpoint_s),
                _seconds(outcome.rest and outcome.rest.joints_s),
            ]
            for outcome in outcomes
        ],
    )
    for outcome in outcomes:
        facts = "; ".join(f"{name}: {value}" for name, value in outcome.facts.items())
        print(f"{outcome.name}: {facts}")


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if math.isfinite(value) else "not yet"


def main(config: Config) -> None:
    """Causes the failures, prints the table and writes the result."""
    unknown = set(config.only) - set(FAILURES)
    if unknown:
        raise UsageError(f"--only takes {', '.join(FAILURES)}; got {', '.join(sorted(unknown))}")
    if not config.model.is_file():
        raise UsageError(f"{config.model} is no file; name a policy file: --model FILE")
    outcomes: list[Outcome] = []
    for name in config.only or FAILURES:
        print(f"{name} ...", flush=True)
        try:
            outcomes.append(FAILURES[name](config.model))
        except NoNamespacesError as error:
            print(f"{name} is skipped: {error}")
        except NeverHappenedError as error:
            raise SystemExit(f"{name}: {error}") from None
    print_outcomes(outcomes)
    write_json(config.json, {"failures": [asdict(outcome) for outcome in outcomes]})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.failures", description=__doc__)
