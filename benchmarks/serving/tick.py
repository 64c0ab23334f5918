"""What a tick costs and how late it begins, beside a bare timer loop in the same run.

The server is the real one: loop, sockets, policy, shaper, governor, simulated arm and telemetry at
100 Hz, while a client in another process holds the lease, sends ten skills a second and reads the
telemetry. It takes turns with itself without the governor, and with a loop that does nothing:
lateness is a property of the machine more than of the program, and what all have in common is the
machine's.

It also starts skill-serve as a user does, and takes the time to the first action and the memory.
With --plain it compares the policy's inference with that of another file, in turns: what a context
encoder costs, say (inference.py).
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
from skill_runtime.client.client import SkillClient
from skill_runtime.policy.onnx_policy import PolicyFileError, load_manifest
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
    """Cost and lateness of the tick; time to the first action; memory."""

    model: Path = Path("models/csf_panda.onnx")
    """The policy file."""
    plain: Path | None = None
    """Another policy file, without an encoder, to compare inference with."""
    seconds: float = 20.0
    """Length of one measurement [s]."""
    rounds: int = 3
    """Measurements of each case, in turns."""
    starts: int = 5
    """Starts of skill-serve; the median counts."""
    spin_us: float = 0.0
    """Busy waiting before each deadline, in both loops [us]."""
    realtime: bool = False
    """Ask for real-time scheduling and locked memory, in both loops."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One loop at one rate, all rounds together; times in microseconds."""

    loop: str
    servo_hz: float
    policy_hz: float | None
    ticks: int
    work_p50: float
    work_p99: float
    work_p999: float
    late_p50: float
    late_p99: float
    late_p999: float
    missed: int
    """Ticks skipped because the one before began a whole period late."""


class Record(TickTimes):
    """Keeps every tick, besides what telemetry needs."""

    def __init__(self, ticks_a_second: int, seconds: float) -> None:
        super().__init__(ticks_a_second)
        self.times = np.zeros((round(2 * ticks_a_second * (seconds + 5)), 2))
        self.ticks = 0

    def add(self, work_s: float, late_s: float) -> None:
        """Notes one tick."""
        super().add(work_s, late_s)
        self.times[self.ticks] = work_s, late_s
        self.ticks += 1


def measure_bare(config: Config, servo_hz: float) -> tuple[np.ndarray, int]:
    """Times ``(ticks, 2)`` and missed ticks of a loop that does nothing, in a thread like ours."""
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
    """Lets everything pass: what the tick costs without one."""

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """The target as it is."""
        assert target is not None  # the shaper always has one
        return Verdict(target=target)


def lax(server: ArmServer, servo_hz: float) -> None:
    """Takes the governor out of a server."""
    plant, spec = server.pilot.manifest.plant, server.pilot.arm.spec
    governor = LaxGovernor(spec, plant.workspace_low_m, plant.workspace_high_m, 1.0 / servo_hz)
    governor.reset(server.pilot.state)
    server.pilot.governor = governor


def measure_served(
    config: Config, model: Path, servo_hz: float, *, governed: bool
) -> tuple[np.ndarray, int]:
    """Times ``(ticks, 2)`` and missed ticks of the server, with a client at work."""
    serve = ServeConfig(
        model=model,
        addresses=Addresses(commands=ANY_PORT, telemetry=ANY_PORT, stop=ANY_PORT),
        pace=Pace(spin_s=config.spin_us * 1e-6, realtime=config.realtime),
    )
    server = ArmServer(MujocoArm(TabletopConfig(physics_step_s=1.0 / servo_hz)), serve)
    if not governed:
        lax(server, servo_hz)
    thread = threading.Thread(target=server.run)
    thread.start()
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, server.addresses.commands], stdout=subprocess.PIPE
    )
    assert client.stdout is not None  # it was asked for
    try:
        client.stdout.readline()
        record = Record(round(servo_hz), config.seconds)
        missed = server.loop.pacer.overruns
        server.loop.times = record
        time.sleep(config.seconds)
        server.loop.times = TickTimes(1)
        missed = server.loop.pacer.overruns - missed
        if server.authority.mode not in POLICY_MODES:
            raise SystemExit(f"the arm did not run the policy: {server.authority.last_event}")
    finally:
        client.terminate()
        client.communicate()
        server.stop()
        thread.join()
    return record.times[: record.ticks], missed


def measure(config: Config, model: Path, servo_hz: float, policy_hz: float) -> list[Row]:
    """A bare loop, the server, and the server without its governor, in turns."""
    cases: dict[str, Callable[[], tuple[np.ndarray, int]]] = {
        "bare timer": lambda: measure_bare(config, servo_hz),
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
            None if name == "bare timer" else policy_hz,
            np.concatenate([times for times, _ in parts]),
            sum(missed for _, missed in parts),
        )
        for name, parts in found.items()
    ]


def _row(loop: str, servo: float, policy: float | None, times: np.ndarray, missed: int) -> Row:
    work, late = np.percentile(times * 1e6, [50, 99, 99.9], axis=0).T
    return Row(
        loop=loop,
        servo_hz=servo,
        policy_hz=policy,
        ticks=len(times),
        work_p50=work[0],
        work_p99=work[1],
        work_p999=work[2],
        late_p50=late[0],
        late_p99=late[1],
        late_p999=late[2],
        missed=missed,
    )


def at_rate(model: Path, manifest: PolicyManifest, rate_hz: float, folder: Path) -> Path:
    """A copy of the file whose manifest says that the policy runs at ``rate_hz``."""
    graph = onnx.load(model)
    text = manifest.model_copy(update={"control_rate_hz": rate_hz}).to_json()
    onnx.helper.set_model_props(graph, {METADATA_KEY: text})
    path = folder / f"{rate_hz:g}.onnx"
    onnx.save(graph, path)
    return path


def start_once(model: Path, port: int) -> tuple[float, float]:
    """Seconds from the command to the first action a subscriber sees, and memory [MB]."""
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
    """The table, in microseconds."""
    headers = ["loop", "servo", "policy", "ticks", "work p50", "p99", "p99.9"]
    headers += ["late p50", "p99", "p99.9", "missed"]
    print_table(
        headers,
        [
            [
                row.loop,
                f"{row.servo_hz:g} Hz",
                "-" if row.policy_hz is None else f"{row.policy_hz:g} Hz",
                str(row.ticks),
                *(f"{value:.0f}" for value in (row.work_p50, row.work_p99, row.work_p999)),
                *(f"{value:.0f}" for value in (row.late_p50, row.late_p99, row.late_p999)),
                str(row.missed),
            ]
            for row in rows
        ],
    )


def print_inferences(inferences: Sequence[Inference]) -> None:
    """The table, in microseconds, and the ratio of the first to the last."""
    print("one inference, in microseconds")
    print_table(
        ["model", "rows", "p50", "p99"],
        [[row.model, str(row.rows), f"{row.p50:.0f}", f"{row.p99:.0f}"] for row in inferences],
    )
    if len(inferences) > 1:
        print(f"ratio of the medians: {inferences[0].p50 / inferences[-1].p50:.2f}")


def main(config: Config) -> None:
    """Measures, prints and writes."""
    try:
        manifest = load_manifest(config.model)
        files = [config.model, *([config.plain] if config.plain else [])]
        inferences = compare(files)
    except PolicyFileError as error:
        raise SystemExit(f"tick.py: {error} Another file: --model or --plain FILE") from None
    print_inferences(inferences)
    if manifest.goal is None and not manifest.skill.size:
        raise SystemExit(f"tick.py: {config.model} takes neither skill nor goal; name another")
    with tempfile.TemporaryDirectory() as name:
        fast = at_rate(config.model, manifest, 1000.0, Path(name))
        rows = measure(config, config.model, 200.0, manifest.control_rate_hz)
        rows += measure(config, fast, 1000.0, 1000.0)
    print("times in microseconds")
    print_rows(rows)
    starts = [start_once(config.model, 20000 + 10 * i) for i in range(config.starts)]
    first_action_s, memory_mb = np.median(starts, axis=0)
    slowest = max(seconds for seconds, _ in starts)
    print(
        f"skill-serve: first action seen {first_action_s:.2f} s after the command "
        f"(slowest of {config.starts}: {slowest:.2f} s), resident memory {memory_mb:.0f} MB"
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
    main(tyro.cli(Config, description=__doc__))
