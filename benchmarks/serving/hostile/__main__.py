"""Does anything from outside touch the tick? Attacks on a real server while a skill runs.

    python -m benchmarks.serving.hostile --rate 200
    python -m benchmarks.serving.hostile --rate 1000 --attacks frames-on-stop act-32-mib

A process of its own attacks; innocent clients hold the lease, ask, subscribe, and stop the arm
during the attack and after it. The control is the same time with an innocuous message. The last
part kills, aborts and freezes each network process of the server.

A tick is late if it begins more than half a servo period after its deadline, or is skipped. (A
server without a histogram of wake-up latency reports only skipped ticks.) The exit code is 1 if a
line of the contract is broken (benchmarks.serving.hostile.contract).
"""

from __future__ import annotations

import contextlib
import shlex
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.hostile.attacker import Attacker
from benchmarks.serving.hostile.attacks import ATTACKS
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.campaign import Campaign
from benchmarks.serving.hostile.contract import Verdict, judge
from benchmarks.serving.hostile.losses import LOSSES, Loss, combined, lose
from benchmarks.serving.hostile.rig import Server
from skill_runtime.console.flags import UsageError

LOSS_SHARE = 1 / 12
"""Share of the repeats for the loss of a process."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Attacks on a server, and the contract that it keeps."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; its skill has two numbers."""
    rate: PositiveFloat = 200.0
    """Servo rate [Hz]."""
    attacks: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = ()
    """Names of attacks and of losses; default: all."""
    repeats: PositiveInt = 24
    """Repeats of each attack; attacks that take long have fewer."""
    serve: str = f"{sys.executable} -m skill_runtime.cli.serve"
    """Command of skill-serve; another revision can be compared so."""
    options: str = ""
    """More options of skill-serve, such as "--realtime"."""
    process_bound_mb: float = 250.0
    """Largest permitted resident memory of a network process [MB]."""
    json: Path | None = None
    """File of the result, as JSON."""


@contextlib.contextmanager
def served(config: Config) -> Generator[tuple[Server, Bystanders, Attacker]]:
    """Starts a server, its innocent clients, and the process that attacks it."""
    options = ["--model", str(config.model), "--servo-rate", f"{config.rate:g}"]
    options += ["--stop-after", "inf", *shlex.split(config.options)]
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(shlex.split(config.serve), options, Path(folder) / "log") as server,
        contextlib.closing(Bystanders(server.addresses, 1.0 / config.rate)) as clients,
        Attacker(server.addresses) as attacker,
    ):
        yield server, clients, attacker


def attack_all(config: Config, names: Sequence[str]) -> list[Verdict]:
    """Carries out attacks; the next one has a new server if the contract was broken."""
    waiting, verdicts = deque(names), list[Verdict]()
    while waiting:
        with served(config) as (server, clients, attacker):
            kept = True
            while waiting and kept:
                attack, began = ATTACKS[waiting.popleft()], time.monotonic()
                repeats = max(1, round(config.repeats * attack.share))
                result = Campaign(server, clients, attacker).run(attack, repeats)
                verdicts.append(judge(result, config.process_bound_mb))
                kept = not verdicts[-1].broken
                print_outcome(verdicts[-1], began)
    return verdicts


def lose_all(config: Config, names: Sequence[str]) -> list[Loss]:
    """Ends and freezes processes, each time of a new server."""
    losses: list[Loss] = []
    for name in names:
        began, found = time.monotonic(), list[Loss]()
        for _ in range(max(1, round(config.repeats * LOSS_SHARE))):
            with served(config) as (server, clients, _):
                found.append(lose(server, clients, name))
        losses.append(combined(found))
        print_outcome(losses[-1], began)
    return losses


def print_outcome(outcome: Verdict | Loss, began: float) -> None:
    """Prints a line as soon as an attack has ended."""
    text = "; ".join(outcome.broken) or "kept"
    print(f"{outcome.name} ({time.monotonic() - began:.0f} s): {text}", flush=True)


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Prints the table of attacks."""
    headers = ["attack", "repeats", "late ticks", "control", "p", "stop p99 ms", "control"]
    headers += ["silent s", "moves after s", "controller +MB", "largest other MB", "all +MB"]
    headers += ["PSS MB", "restarts", "log lines", "verdict"]
    print_table(
        headers,
        [
            [
                verdict.name,
                str(verdict.repeats),
                f"{verdict.late:g}",
                f"{verdict.control_late:g}",
                f"{verdict.more_late_p:.3f}",
                f"{1e3 * verdict.stop_p99_s:.1f}",
                f"{1e3 * verdict.control_stop_p99_s:.1f}",
                f"{verdict.silent_s:.2f}",
                f"{verdict.moving_s:.2f}",
                f"{verdict.controller_growth_mb:.1f}",
                f"{verdict.network_peak_mb:.0f}",
                f"{verdict.total_growth_mb:.0f}",
                f"{verdict.pss_mb:.0f}",
                str(verdict.restarts),
                str(verdict.log_lines),
                "; ".join(verdict.broken) or "kept",
            ]
            for verdict in verdicts
        ],
    )


def print_losses(losses: Sequence[Loss]) -> None:
    """Prints the table of lost processes; the times are the longest of all repeats."""
    headers = ["loss", "repeats", "hello s", "telemetry s", "stop s", "arm", "verdict"]
    print_table(
        headers,
        [
            [
                loss.name,
                str(loss.repeats),
                f"{loss.hello_s:.2f}",
                f"{loss.telemetry_s:.2f}",
                f"{loss.stop_s:.3f}",
                ", ".join(loss.modes),
                "; ".join(loss.broken) or "kept",
            ]
            for loss in losses
        ],
    )


def main(config: Config) -> int:
    """Attacks, prints the tables and writes the result; returns the exit code."""
    unknown = set(config.attacks) - {*ATTACKS, *LOSSES}
    if unknown:
        names = ", ".join((*ATTACKS, *LOSSES))
        raise UsageError(f"--attacks takes {names}; got {', '.join(sorted(unknown))}")
    if not config.model.is_file():
        raise UsageError(f"{config.model} is no file; name a policy file: --model FILE")
    try:
        chosen = config.attacks or (*ATTACKS, *LOSSES)
        verdicts = attack_all(config, [name for name in chosen if name in ATTACKS])
        losses = lose_all(config, [name for name in chosen if name in LOSSES])
    except NeverHappenedError as error:
        raise SystemExit(str(error)) from None
    if verdicts:
        print_verdicts(verdicts)
    if losses:
        print_losses(losses)
    write_json(
        config.json,
        {
            "rate_hz": config.rate,
            "attacks": [asdict(verdict) for verdict in verdicts],
            "losses": [asdict(loss) for loss in losses],
        },
    )
    return int(any(outcome.broken for outcome in (*verdicts, *losses)))


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.hostile", description=__doc__)
