"""How long does a tick of the control loop take, and how late does it begin?

    python -m benchmarks.serving.tick

The server is complete: control loop, sockets, policy, shaper, governor, simulated arm and telemetry
at 100 Hz. A client in another process holds the lease, sends ten commands per second and reads the
telemetry. The server runs in turns with the same server without a governor and with a bare loop,
which only waits for its deadlines. Wake-up latency depends on the machine more than on the program,
so only differences between the loops are due to the server.

The program also starts skill-serve and measures the time to the first action and the memory. With
--plain it compares the inference of two policy files in turns, such as one with and one without a
context encoder (benchmarks.serving.inference).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import psutil
import tyro

from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.inference import Inference, compare
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.arm import ArmState, JointTarget
from skill_robots.motion.governor import Governor, Verdict
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.modes import POLICY_MODES
from skill_runtime.client import SkillClient
from skill_runtime.policy import PolicyFileError, load_manifest
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import DeferredGc, configure_thread
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import Pace
from skill_runtime.transport.sockets import Addresses

ANY_PORT = "tcp://127.0.0.1:*"

CLIENT = """
import sys, time
from skill_runtime.client import SkillClient
with SkillClient(sys.argv[1], timeout_s=10) as client, client.acquire("benchmark"):
    manifest = client.server.manifest
    size = manifest.skill.size
    print("ready", flush=True)
    while True:
        if size:
            client.skill([1.0] + [0.0] * (size - 1), valid_for_s=1.0)
        else:
            client.goal(manifest.goal.high, valid_for_s=1.0)
        client.state()
        time.sleep(0.1)
"""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Execution time and wake-up latency of a tick; time to the first action; memory."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    plain: Path | None = None
    """Another policy file, without an encoder, to compare the inference."""
    seconds: float = 20.0
    """Length of one measurement [s]."""
    rounds: int = 3
    """Measurements of each case, in turns."""
    starts: int = 5
    """Starts of skill-serve; the median counts."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in all loops [us]."""
    realtime: bool = False
    """Request real-time scheduling and locked memory, in all loops."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One loop at one rate over all rounds; times in microseconds."""

    loop: str
    servo_hz: float
    policy_hz: float | None
    ticks: int
    execution_p50: float
    execution_p99: float
    execution_p999: float
    wakeup_p50: float
    wakeup_p99: float
    wakeup_p999: float
    overruns: int
    """Skipped ticks: the tick before began a whole period late."""


class Record(TickTimes):
    """Records each tick, in addition to the statistics for telemetry."""

    def __init__(self, ticks_a_second: int, seconds: float) -> None:
        super().__init__(ticks_a_second)
        self.times = np.zeros((round(2 * ticks_a_second * (seconds + 5)), 2))
        self.ticks = 0

    def add(self, execution_time_s: float, wakeup_latency_s: float) -> None:
        """Records one tick."""
        super().add(execution_time_s, wakeup_latency_s)
        self.times[self.ticks] = execution_time_s, wakeup_latency_s
        self.ticks += 1


def measure_bare(config: Config, servo_hz: float) -> tuple[np.ndarray, int]:
    """Measures a bare loop in a thread with the settings of the server's thread.

    Returns:
        Execution time and wake-up latency ``(ticks, 2)`` [s], and the number of overruns.
    """
    clock = MonotonicClock()
    record = Record(round(servo_hz), config.seconds)
    pacer = Pacer(1.0 / servo_hz, clock, config.spin_us * 1e-6)

    def run() -> None:
        configure_thread(realtime=config.realtime)
        with DeferredGc():
            pacer.start()
            ends = clock.now() + config.seconds
            while clock.now() < ends:
                late = pacer.wait()
                record.add(0.0, late)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return record.times[: record.ticks], pacer.overruns


class LaxGovernor(Governor):
    """Accepts each set-point without a check."""

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """Returns the target."""
        assert target is not None  # the shaper always provides a target
        return Verdict(target=target)


def remove_governor(server: ArmServer, servo_hz: float) -> None:
    """Replaces the governor of a server with a :class:`LaxGovernor`."""
    plant, spec = server.controller.manifest.plant, server.controller.arm.spec
    governor = LaxGovernor(spec, plant.workspace_low_m, plant.workspace_high_m, 1.0 / servo_hz)
    governor.reset(server.controller.state)
    server.controller.link.governor = governor


def measure_served(
    config: Config, model: Path, servo_hz: float, *, governed: bool
) -> tuple[np.ndarray, int]:
    """Measures the server while a client sends commands.

    Returns:
        Execution time and wake-up latency ``(ticks, 2)`` [s], and the number of overruns.
    """
    serve = ServeConfig(
        model=model,
        addresses=Addresses(commands=ANY_PORT, telemetry=ANY_PORT, stop=ANY_PORT),
        pace=Pace(spin_s=config.spin_us * 1e-6, realtime=config.realtime),
    )
    server = ArmServer(MujocoArm(TabletopConfig(physics_step_s=1.0 / servo_hz)), serve)
    if not governed:
        remove_governor(server, servo_hz)
    thread = threading.Thread(target=server.run)
    thread.start()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, server.addresses.commands], stdout=subprocess.PIPE
    )
    assert client.stdout is not None  # because of stdout=PIPE
    try:
        client.stdout.readline()
        record = Record(round(servo_hz), config.seconds)
        before = server.loop.pacer.overruns
        server.loop.times = record
        time.sleep(config.seconds)
        server.loop.times = TickTimes(1)
        overruns = server.loop.pacer.overruns - before
        if server.authority.mode not in POLICY_MODES:
            event = server.authority.events.last_event
            raise SystemExit(f"the arm did not run the policy: {event}")
    finally:
        client.terminate()
        client.communicate()
        server.stop()
        thread.join()
    return record.times[: record.ticks], overruns


def measure(config: Config, model: Path, servo_hz: float, policy_hz: float) -> list[Row]:
    """Measures a bare loop, the server, and the server without its governor, in turns."""
    cases: dict[str, Callable[[], tuple[np.ndarray, int]]] = {
        "bare loop": lambda: measure_bare(config, servo_hz),
        "skill-serve": lambda: measure_served(config, model, servo_hz, governed=True),
        "without governor": lambda: measure_served(config, model, servo_hz, governed=False),
    }
    found = {name: [case()] for name, case in cases.items()}
    for _ in range(config.rounds - 1):
        for name, case in cases.items():
            found[name].append(case())
    return [
        _row(
            name,
            servo_hz,
            None if name == "bare loop" else policy_hz,
            np.concatenate([times for times, _ in parts]),
            sum(overruns for _, overruns in parts),
        )
        for name, parts in found.items()
    ]


def _row(loop: str, servo: float, policy: float | None, times: np.ndarray, overruns: int) -> Row:
    execution, wakeup = np.percentile(times * 1e6, [50, 99, 99.9], axis=0).T
    return Row(
        loop=loop,
        servo_hz=servo,
        policy_hz=policy,
        ticks=len(times),
        execution_p50=execution[0],
        execution_p99=execution[1],
        execution_p999=execution[2],
        wakeup_p50=wakeup[0],
        wakeup_p99=wakeup[1],
        wakeup_p999=wakeup[2],
        overruns=overruns,
    )


def at_rate(model: Path, manifest: PolicyManifest, rate_hz: float, folder: Path) -> Path:
    """Writes a copy of the policy file with the control rate ``rate_hz`` in its manifest."""
    graph = onnx.load(model)
    text = manifest.model_copy(update={"control_rate_hz": rate_hz}).to_json()
    onnx.helper.set_model_props(graph, {METADATA_KEY: text})
    path = folder / f"{rate_hz:g}.onnx"
    onnx.save(graph, path)
    return path


def start_once(model: Path, port: int) -> tuple[float, float]:
    """Starts skill-serve; returns the time to the first action in telemetry [s] and memory [MB]."""
    start = time.monotonic()
    command = [sys.executable, "-m", "skill_runtime.cli.serve", "--model", str(model)]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as process:
        with SkillClient(f"tcp://127.0.0.1:{port}", timeout_s=60) as client:
            for state in client.telemetry():
                if state.mode in POLICY_MODES and state.action is not None:
                    break
            first_action_s = time.monotonic() - start
        time.sleep(1.0)
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        process.terminate()
    return first_action_s, memory


def print_rows(rows: Sequence[Row]) -> None:
    """Prints the table of the loops, in microseconds."""
    headers = ["loop", "servo", "policy", "ticks", "execution p50", "p99", "p99.9"]
    headers += ["wake-up p50", "p99", "p99.9", "overruns"]
    print_table(
        headers,
        [
            [
                row.loop,
                f"{row.servo_hz:g} Hz",
                "-" if row.policy_hz is None else f"{row.policy_hz:g} Hz",
                str(row.ticks),
                *(f"{t:.0f}" for t in (row.execution_p50, row.execution_p99, row.execution_p999)),
                *(f"{t:.0f}" for t in (row.wakeup_p50, row.wakeup_p99, row.wakeup_p999)),
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


def main(config: Config) -> None:
    """Measures, prints the tables and writes the result."""
    try:
        manifest = load_manifest(config.model)
        files = [config.model, *([config.plain] if config.plain else [])]
        inferences = compare(files)
    except PolicyFileError as error:
        raise SystemExit(f"{error} Another file: --model or --plain FILE") from None
    print_inferences(inferences)
    if manifest.goal is None and not manifest.skill.size:
        raise SystemExit(f"{config.model} takes neither skill nor goal; name another: --model FILE")
    with tempfile.TemporaryDirectory() as name:
        fast = at_rate(config.model, manifest, 1000.0, Path(name))
        rows = measure(config, config.model, 200.0, manifest.control_rate_hz)
        rows += measure(config, fast, 1000.0, 1000.0)
    print("execution time and wake-up latency of a tick, in microseconds")
    print_rows(rows)
    starts = [start_once(config.model, 20000 + 10 * i) for i in range(config.starts)]
    first_action_s, memory_mb = np.median(starts, axis=0)
    slowest = max(seconds for seconds, _ in starts)
    print(
        f"skill-serve: first action in telemetry {first_action_s:.2f} s after the command, median "
        f"of {config.starts} (slowest {slowest:.2f} s); resident memory {memory_mb:.0f} MB"
    )
    write_json(
        config.json,
        {
            "inference": [asdict(inference) for inference in inferences],
            "rows": [asdict(row) for row in rows],
            "first_action_s": first_action_s,
            "first_action_slowest_s": slowest,
            "memory_mb": memory_mb,
        },
    )


if __name__ == "__main__":
    main(tyro.cli(Config, prog="python -m benchmarks.serving.tick", description=__doc__))
