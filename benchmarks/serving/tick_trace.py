"""The Python calls of one tick, from the first frame of a skill message to the motor command.

    python -m benchmarks.serving.tick_trace --json tick_trace.json

The server is the real one with the simulated arm, without the demo. A client holds the lease. It
resets the scene and sends a skill, which starts the policy. A profiler in the loop's thread records
the calls of this project's functions. A trace begins at the read that delivers the message, and it
ends at the call that commands the arm. Only a tick counts that both accepts the message and runs
the policy; its trace passes every leg in order.

The table shows the most frequent trace. A few traces differ: the reader may have read the first
frame before the tick, and the governor checks some braking trajectories in more detail.

Functions are distinct if their file or their qualified name differs. A change of file is a call
whose file differs from that of the call before. The changes of a leg leave out the border to the
leg before, so their sum is smaller than the total. Before Python 3.12 a comprehension is a call:
compare only results of the same Python version.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Literal

import tyro

import skill_proto
import skill_robots
import skill_runtime
from benchmarks.lib.report import print_table, write_json
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.client import SkillClient
from skill_runtime.policy import OnnxPolicy, PolicyFileError, load_manifest
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import ControlLoop
from skill_runtime.transport.router_reader import RouterReader
from skill_runtime.transport.sockets import Addresses

ANY_PORT = "tcp://127.0.0.1:*"

PACKAGES = (skill_runtime, skill_robots, skill_proto)
"""The profiler counts calls of functions in these packages."""


@dataclass(frozen=True, kw_only=True)
class Leg:
    """A part of the tick; it begins at the end of the leg before."""

    name: str
    ends: Literal["call", "return"]
    """``call``: the call of ``function`` is the first of the next leg. ``return``: the leg contains
    all calls that ``function`` makes."""
    function: CodeType


# The boundaries. A function that is moved or renamed changes here and in the imports only.
TICK = ControlLoop.tick.__code__
"""A trace lies within one call of this function."""
FRAME = RouterReader.read.__code__
"""A trace begins at the last call of this function before the command is accepted."""
LEGS = (
    Leg(name="frame -> command accepted", ends="return", function=Authority.accept.__code__),
    Leg(name="command accepted -> arm read", ends="call", function=MujocoArm.read.__code__),
    Leg(name="arm read -> policy called", ends="call", function=OnnxPolicy.step.__code__),
    Leg(name="policy", ends="return", function=OnnxPolicy.step.__code__),
    Leg(name="action -> joint goal", ends="return", function=PolicyAdapter.apply_action.__code__),
    Leg(name="joint goal -> set-point", ends="return", function=PolicyAdapter.step.__code__),
    Leg(name="set-point -> motor", ends="call", function=MujocoArm.command.__code__),
)
"""In the order of the tick. The last leg contains the call that ends it."""

SETTLE_S = 0.05
"""Time from the reset of the scene to the skill [s]."""
LONGEST_WAIT_S = 0.01
"""A random wait up to this length spreads the messages over the servo period [s]."""
VALID_FOR_S = 1.0
"""A skill outlasts every wait in this program [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Calls, files and changes of file in one tick."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; the policy takes a skill."""
    servo_rate: float = 200.0
    """Servo rate of the simulated arm [Hz]."""
    traces: int = 20
    """Number of traces."""
    timeout_s: float = 60.0
    """Longest time for all traces [s]."""
    json: Path | None = None
    """File of the result, as JSON, with each call of the most frequent trace."""


Trace = tuple[tuple[CodeType, ...], ...]
"""The calls of each leg."""


class TickTracer:
    """A profiler of one thread, for ``sys.setprofile``.

    Attributes:
        records: whether a tick that begins now is traced.
        traces: the complete traces so far.
        deepest: the highest number of legs that a tick has passed.
    """

    def __init__(self) -> None:
        self.records = False
        self.traces: list[Trace] = []
        self.deepest = 0
        self._roots = tuple(f"{_folder(package.__file__)}/" for package in PACKAGES)
        self._ours: dict[CodeType, bool] = {}
        self._in_tick = False
        self._legs: list[list[CodeType]] = []

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Records one event of the profiler."""
        code = frame.f_code
        if event == "call":
            self._call(code)
        elif event == "return":
            self._return(code)

    def _call(self, code: CodeType) -> None:
        if code is TICK:
            self._in_tick, self._legs = self.records, []
        if not self._in_tick:
            return
        if code is FRAME and len(self._legs) <= 1:
            self._legs = [[]]
        if not self._legs or not self._is_ours(code):
            return
        if self._ends("call", code):
            if len(self._legs) == len(LEGS):
                self._legs[-1].append(code)
                self.traces.append(tuple(map(tuple, self._legs)))
                self.deepest, self._in_tick = len(LEGS), False
                return
            self._next_leg()
        self._legs[-1].append(code)

    def _return(self, code: CodeType) -> None:
        if code is TICK:
            self._in_tick = False
        elif self._in_tick and self._ends("return", code):
            self._next_leg()

    def _ends(self, event: str, code: CodeType) -> bool:
        if not self._legs:
            return False
        leg = LEGS[len(self._legs) - 1]
        return leg.ends == event and leg.function is code

    def _next_leg(self) -> None:
        self.deepest = max(self.deepest, len(self._legs))
        self._legs.append([])

    def _is_ours(self, code: CodeType) -> bool:
        found = self._ours.get(code)
        if found is None:
            found = self._ours[code] = code.co_filename.startswith(self._roots)
        return found


def _folder(file: str | None) -> str:
    assert file is not None  # each package has an __init__.py
    return str(Path(file).parent)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The size of a sequence of calls."""

    calls: int
    functions: int
    files: int
    file_changes: int
    folders: int
    folder_changes: int


def count(calls: Sequence[CodeType]) -> Counts:
    """Counts the calls, and the functions, files and folders in them."""
    files = [code.co_filename for code in calls]
    folders = [_folder(file) for file in files]
    return Counts(
        calls=len(calls),
        functions=len({(code.co_filename, code.co_qualname) for code in calls}),
        files=len(set(files)),
        file_changes=_changes(files),
        folders=len(set(folders)),
        folder_changes=_changes(folders),
    )


def _changes(names: Sequence[str]) -> int:
    return sum(before != after for before, after in pairwise(names))


def collect(config: Config, tracer: TickTracer, client: SkillClient) -> list[Trace]:
    """Sends skills until there are enough traces."""
    ends = time.monotonic() + config.timeout_s
    while len(tracer.traces) < config.traces:
        send_skill(tracer, client)
        if time.monotonic() > ends:
            reached = LEGS[min(tracer.deepest, len(LEGS) - 1)].name
            raise SystemExit(
                f"{len(tracer.traces)} traces after {config.timeout_s:g} s; no "
                f"tick got farther than {reached!r}. Check the boundaries in LEGS, or give more "
                "time: --timeout-s"
            )
    return tracer.traces[: config.traces]


def send_skill(tracer: TickTracer, client: SkillClient) -> None:
    """Resets the scene, and records while one skill starts the policy."""
    skill = [1.0] + [0.0] * (client.server.manifest.skill.size - 1)
    client.reset(seed=0)
    time.sleep(SETTLE_S + random.uniform(0.0, LONGEST_WAIT_S))
    tracer.records = True
    client.skill(skill, valid_for_s=VALID_FOR_S)
    time.sleep(LONGEST_WAIT_S)  # the reply leaves before the arm is commanded
    tracer.records = False


def measure(config: Config) -> list[Trace]:
    """Runs the server under the profiler; its traces."""
    serve = ServeConfig(
        model=config.model,
        addresses=Addresses(commands=ANY_PORT, telemetry=ANY_PORT, stop=ANY_PORT),
        demo=False,
    )
    arm = MujocoArm(TabletopConfig(physics_step_s=1.0 / config.servo_rate))
    server = ArmServer(arm, serve)
    tracer = TickTracer()

    def run() -> None:
        sys.setprofile(tracer)
        server.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        with (
            SkillClient(server.addresses.commands, timeout_s=10) as client,
            client.acquire("benchmark"),
        ):
            return collect(config, tracer, client)
    finally:
        server.stop()
        thread.join()


def most_frequent(traces: Sequence[Trace]) -> tuple[Trace, int]:
    """The most frequent trace, and its number."""
    return Counter(traces).most_common(1)[0]


def flat(trace: Trace) -> list[CodeType]:
    """The calls of all legs."""
    return [code for leg in trace for code in leg]


def place(code: CodeType) -> str:
    """File and name of a function, as ``skill_robots/arm.py ArmSpec.dof``."""
    path = Path(code.co_filename)
    root = next(
        folder.parent
        for folder in (Path(_folder(package.__file__)) for package in PACKAGES)
        if path.is_relative_to(folder)
    )
    return f"{path.relative_to(root).as_posix()} {code.co_qualname}"


def print_traces(traces: Sequence[Trace]) -> None:
    """Prints the legs of the most frequent trace, and their total."""
    trace, alike = most_frequent(traces)
    parts = [(leg.name, count(calls)) for leg, calls in zip(LEGS, trace, strict=True)]
    parts.append(("total", count(flat(trace))))
    print_table(
        ["leg", "calls", "functions", "files", "file changes", "folders", "folder changes"],
        [[name, *(str(value) for value in asdict(counts).values())] for name, counts in parts],
    )
    print(f"{alike} of {len(traces)} traces are identical to this one")


def main(config: Config) -> None:
    """Measures, prints and writes."""
    try:
        manifest = load_manifest(config.model)
    except PolicyFileError as error:
        raise SystemExit(f"{error} Another file: --model FILE") from None
    if not manifest.skill.size:
        raise SystemExit(f"{config.model} takes no skill; name another")
    traces = measure(config)
    print_traces(traces)
    trace, alike = most_frequent(traces)
    write_json(
        config.json,
        {
            "model": str(config.model),
            "servo_hz": config.servo_rate,
            "traces": len(traces),
            "identical": alike,
            "calls_of_all": sorted(len(flat(each)) for each in traces),
            "total": asdict(count(flat(trace))),
            "legs": [
                {"leg": leg.name, **asdict(count(calls)), "trace": [place(code) for code in calls]}
                for leg, calls in zip(LEGS, trace, strict=True)
            ],
        },
    )


if __name__ == "__main__":
    main(tyro.cli(Config, prog="python -m benchmarks.serving.tick_trace", description=__doc__))
