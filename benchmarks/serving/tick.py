"""How long does a tick of the controller take, and how late does it begin?

    python -m benchmarks.serving.tick

The server is skill-serve with all its processes. A client holds the lease and sends ten commands
per second. The figures are those of telemetry: execution time and wake-up latency of the controller
over each second. The server runs in turns with a bare loop, which only waits for its deadlines
(benchmarks.serving.bare_loop). Wake-up latency depends on the machine more than on the program, so
only differences between the loops are due to the server. benchmarks.safety.governor measures the
governor's part of a tick.

The program also measures the time to the first action and the memory of the processes. With --plain
it compares the inference of two policy files in turns, such as one with and one without a context
encoder (benchmarks.serving.inference).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import onnx

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.bare_loop import measure_bare_loop
from benchmarks.serving.commanded_server import TickFigures, serve
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.failures.rig import SKILL_SERVE
from benchmarks.serving.inference import Inference, compare
from benchmarks.serving.processes import Memory, Role
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import PolicyFileError, load_manifest


@dataclass(frozen=True, kw_only=True)
class Config:
    """Execution time and wake-up latency of a tick; time to the first action; memory."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    plain: Path | None = None
    """Another policy file, without an encoder, to compare the inference."""
    seconds: PositiveFloat = 20.0
    """Length of one measurement [s]."""
    rounds: PositiveInt = 3
    """Measurements of each loop, in turns."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in both loops [us]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory, in both loops."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One loop at one rate: sums over the rounds, medians of the times [us]."""

    loop: str
    servo_hz: float
    policy_hz: float | None
    ticks: int
    execution_p50: float
    execution_p99: float
    wakeup_p50: float
    wakeup_p99: float
    late: int
    """Ticks that began more than half a servo period after their deadline."""
    overruns: int
    """Skipped ticks: the tick before began a whole period late."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start of skill-serve."""

    first_action_s: float
    """Time from the start of the program to the first action in telemetry [s]."""
    memory: dict[Role, Memory]
    """Memory of each process after the ticks."""


def measure_bare(config: Config, rate_hz: float) -> TickFigures:
    """Measures a bare loop."""
    found = measure_bare_loop(
        config.seconds, rate_hz, spin_us=config.spin_us, realtime=config.realtime
    )
    return TickFigures(
        ticks=found.counts.begun,
        late=found.counts.late,
        overruns=found.counts.overruns,
        execution_p50=0.0,
        execution_p99=0.0,
        wakeup_p50=found.wakeup_p50_us,
        wakeup_p99=found.wakeup_p99_us,
    )


def measure_served(config: Config, model: Path, rate_hz: float) -> tuple[TickFigures, Start]:
    """Measures the server while a client sends commands."""
    options = ["--spin-us", f"{config.spin_us:g}", *(["--realtime"] if config.realtime else [])]
    with serve([sys.executable, *SKILL_SERVE], model, rate_hz, options) as server:
        ticks = server.measure_ticks(config.seconds)
        return ticks, Start(first_action_s=server.first_action_s, memory=server.memory())


def measure(
    config: Config, model: Path, servo_hz: float, policy_hz: float
) -> tuple[list[Row], list[Start]]:
    """Measures the bare loop and the server in turns."""
    bare: list[TickFigures] = []
    served: list[TickFigures] = []
    starts: list[Start] = []
    for _ in range(config.rounds):
        bare.append(measure_bare(config, servo_hz))
        ticks, start = measure_served(config, model, servo_hz)
        served.append(ticks)
        starts.append(start)
    rows = [
        _row("bare loop", servo_hz, None, bare),
        _row("skill-serve", servo_hz, policy_hz, served),
    ]
    return rows, starts


def _row(loop: str, servo_hz: float, policy_hz: float | None, rounds: list[TickFigures]) -> Row:
    return Row(
        loop=loop,
        servo_hz=servo_hz,
        policy_hz=policy_hz,
        ticks=sum(each.ticks for each in rounds),
        execution_p50=median(each.execution_p50 for each in rounds),
        execution_p99=median(each.execution_p99 for each in rounds),
        wakeup_p50=median(each.wakeup_p50 for each in rounds),
        wakeup_p99=median(each.wakeup_p99 for each in rounds),
        late=sum(each.late or 0 for each in rounds),
        overruns=sum(each.overruns for each in rounds),
    )


def at_rate(model: Path, manifest: PolicyManifest, rate_hz: float, folder: Path) -> Path:
    """Writes a copy of the policy file with the control rate ``rate_hz`` in its manifest."""
    graph = onnx.load(model)
    text = manifest.model_copy(update={"control_rate_hz": rate_hz}).to_json()
    onnx.helper.set_model_props(graph, {METADATA_KEY: text})
    path = folder / f"{rate_hz:g}.onnx"
    onnx.save(graph, path)
    return path


def print_rows(rows: Sequence[Row]) -> None:
    """Prints the table of the loops, in microseconds."""
    headers = ["loop", "servo", "policy", "ticks", "execution p50", "p99"]
    headers += ["wake-up p50", "p99", "late", "overruns"]
    print_table(
        headers,
        [
            [
                row.loop,
                f"{row.servo_hz:g} Hz",
                "-" if row.policy_hz is None else f"{row.policy_hz:g} Hz",
                str(row.ticks),
                f"{row.execution_p50:.0f}",
                f"{row.execution_p99:.0f}",
                f"{row.wakeup_p50:.0f}",
                f"{row.wakeup_p99:.0f}",
                str(row.late),
                str(row.overruns),
            ]
            for row in rows
        ],
    )


def print_inferences(inferences: Sequence[Inference]) -> None:
    """Prints the table of inferences, in microseconds, and the ratio of the first to the last."""
    print("duration of one inference, in microseconds")
    print_table(
        ["model", "batch", "p50", "p99"],
        [[row.model, str(row.rows), f"{row.p50:.0f}", f"{row.p99:.0f}"] for row in inferences],
    )
    if len(inferences) > 1:
        print(f"ratio of the medians: {inferences[0].p50 / inferences[-1].p50:.2f}")


def print_starts(starts: Sequence[Start]) -> None:
    """Prints the times to the first action, and the memory of the processes."""
    times = [start.first_action_s for start in starts]
    print(
        f"first action in telemetry {median(times):.2f} s after the command, median of "
        f"{len(times)} starts (slowest {max(times):.2f} s)"
    )
    roles = list(starts[0].memory)
    rows = [
        (role, [start.memory[role] for start in starts if role in start.memory]) for role in roles
    ]
    print("memory of each process in MB, medians; pages that processes share:")
    print_table(
        ["process", "counted for each", "divided among them"],
        [
            [role, f"{median(m.resident for m in found):.0f}", f"{_proportional(found):.0f}"]
            for role, found in rows
        ],
    )


def _proportional(found: Sequence[Memory]) -> float:
    return median(memory.proportional for memory in found)


def main(config: Config) -> None:
    """Measures, prints the tables and writes the result."""
    try:
        manifest = load_manifest(config.model)
        files = [config.model, *([config.plain] if config.plain else [])]
        inferences = compare(files)
    except PolicyFileError as error:
        raise UsageError(f"{error} Another file: --model or --plain FILE") from None
    print_inferences(inferences)
    if manifest.goal is None and not manifest.skill.size:
        raise UsageError(f"{config.model} takes neither skill nor goal; name another: --model FILE")
    try:
        with tempfile.TemporaryDirectory() as name:
            fast = at_rate(config.model, manifest, 1000.0, Path(name))
            rows, starts = measure(config, config.model, 200.0, manifest.control_rate_hz)
            rows += measure(config, fast, 1000.0, 1000.0)[0]
    except NeverHappenedError as error:
        raise SystemExit(str(error)) from None
    print("execution time and wake-up latency of a tick, in microseconds")
    print_rows(rows)
    print_starts(starts)
    write_json(
        config.json,
        {
            "inference": [asdict(inference) for inference in inferences],
            "rows": [asdict(row) for row in rows],
            "starts": [asdict(start) for start in starts],
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.tick", description=__doc__)
