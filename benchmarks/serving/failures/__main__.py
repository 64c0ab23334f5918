"""What the arm does when something fails: real processes, killed, stopped, cut off and flooded.

Each failure is brought about against a skill-serve process of its own, while an arm moves by skill;
a subscriber records the telemetry. Measured are the times on the server's clock from the failure to
the first state that holds, is stopped or at fault, and to set-point and joints at rest for good
(below 0.01 rad/s). Telemetry comes every 10 ms, which is how exact the times are.

The bounds are those of docs/safety.md. Cutting a network needs root and ``ip`` (iproute2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.failures.network import NoNamespacesError
from benchmarks.serving.failures.of_inputs import (
    flood,
    network_cut,
    network_cut_1s,
    policy_nan,
    tracker_silent,
)
from benchmarks.serving.failures.of_processes import (
    controller_killed,
    controller_stopped,
    lease_unrenewed,
    server_killed,
    server_stopped,
    watchers_killed,
    watchers_stopped,
)
from benchmarks.serving.failures.outcome import Outcome
from benchmarks.serving.failures.rig import NeverHappenedError

FAILURES: dict[str, Callable[[Path], Outcome]] = {
    scenario.__name__.replace("_", "-"): scenario
    for scenario in (
        controller_killed,
        controller_stopped,
        lease_unrenewed,
        server_killed,
        server_stopped,
        watchers_killed,
        watchers_stopped,
        policy_nan,
        tracker_silent,
        network_cut_1s,
        network_cut,
        flood,
    )
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Times from a failure to an arm that holds and rests."""

    model: Path = Path("models/csf_panda.onnx")
    """The policy file; its skills are of two numbers or more."""
    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Failures to bring about; all if none is named."""
    json: Path | None = None
    """Where to write the result."""


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """The table, in seconds, and what else was seen."""
    print_table(
        ["failure", "then", "after", "stated", "", "set-point at rest", "joints"],
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
    """Brings the failures about, prints and writes."""
    unknown = set(config.only) - set(FAILURES)
    if unknown:
        raise SystemExit(
            f"failures.py: --only takes {', '.join(FAILURES)}; got {', '.join(sorted(unknown))}"
        )
    if not config.model.is_file():
        raise SystemExit(f"failures.py: {config.model} is no file; name a policy file by --model")
    outcomes: list[Outcome] = []
    for name in config.only or FAILURES:
        print(f"{name} ...", flush=True)
        try:
            outcomes.append(FAILURES[name](config.model))
        except NoNamespacesError as error:
            print(f"{name} is left out: {error}")
        except NeverHappenedError as error:
            raise SystemExit(f"failures.py: {name}: {error}") from None
    print_outcomes(outcomes)
    write_json(config.json, {"failures": [asdict(outcome) for outcome in outcomes]})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
