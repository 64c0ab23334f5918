"""The Python calls of one tick, from the record of a skill command to the motor command.

    python -m benchmarks.serving.tick_trace --json tick_trace.json

The controller is that of skill-serve with the simulated arm, without the demo. This program writes
the records of the other processes, and calls each tick on a clock of its own. It resets the scene
and sends a skill, which starts the policy. A profiler records the calls of this project's
functions. A trace begins at the read that finds the record, and it ends at the call that commands
the arm. Only a tick counts that both accepts the command and runs the policy; its trace passes
every leg in order.

The table shows the most frequent trace; the governor may check a braking trajectory in more detail.

Functions are distinct if their file or their qualified name differs. A change of file is a call
whose file differs from that of the call before. The changes of a leg leave out the border to the
leg before, so their sum is smaller than the total. Before Python 3.12 a comprehension is a call:
compare only results of the same Python version.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Literal, Self

import skill_proto
import skill_robots
import skill_runtime
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from skill_proto.messages import Acquire, Error, Granted, Inbound, Message, Renew, Reset, Skill
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.channel.channel import Channel
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy, PolicyFileError, load_manifest
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.command_reader import CommandReader
from skill_runtime.server.control_loop import ControlLoop, Signals

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
RECORD = CommandReader.read.__code__
"""A trace begins at the last call of this function before the command is accepted."""
LEGS = (
    Leg(name="record -> command accepted", ends="return", function=Authority.accept.__code__),
    Leg(name="command accepted -> arm read", ends="call", function=MujocoArm.read.__code__),
    Leg(name="arm read -> policy called", ends="call", function=OnnxPolicy.step.__code__),
    Leg(name="policy", ends="return", function=OnnxPolicy.step.__code__),
    Leg(name="action -> joint goal", ends="return", function=PolicyAdapter.apply_action.__code__),
    Leg(name="joint goal -> set-point", ends="return", function=PolicyAdapter.step.__code__),
    Leg(name="set-point -> motor", ends="call", function=MujocoArm.command.__code__),
)
"""In the order of the tick. The last leg contains the call that ends it."""

SETTLE_TICKS = 20
"""Ticks from the reset of the scene to the skill."""
TTL_S = 60.0
VALID_FOR_S = 1.0
"""A skill outlasts the ticks up to the next reset [s]."""
TRIES = 5
"""Largest number of skills for each trace."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Calls, files and changes of file in one tick."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file; the policy takes a skill."""
    servo_rate: PositiveFloat = 200.0
    """Servo rate of the simulated arm [Hz]."""
    traces: PositiveInt = 20
    """Number of traces."""
    json: Path | None = None
    """File of the result, as JSON, with each call of the most frequent trace."""


Trace = tuple[tuple[CodeType, ...], ...]
"""The calls of each leg."""


class TickTracer:
    """A profiler for ``sys.setprofile``.

    Attributes:
        traces: the complete traces so far.
        deepest: the highest number of legs that a tick has passed.
    """

    def __init__(self) -> None:
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
            self._in_tick, self._legs = True, []
        if not self._in_tick:
            return
        if code is RECORD and len(self._legs) <= 1:
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


class Controller:
    """The controller of a server, its clock, and the side of gateway and stop listener.

    Args:
        config: Model and servo rate.
    """

    def __init__(self, config: Config) -> None:
        self._period_s = 1.0 / config.servo_rate
        self._clock = ManualClock(1.0)
        self._channel = Channel.in_process()
        serve = ServeConfig(model=config.model, demo=False)
        arm = MujocoArm(TabletopConfig(physics_step_s=self._period_s))
        signals = Signals(wait=lambda _: False)
        self._server = ArmServer(arm, serve, self._channel, signals, self._clock)
        self._seq, self._lease = 0, ""

    def __enter__(self) -> Self:
        granted = self._ask(Acquire(holder="benchmark", ttl_s=TTL_S))
        assert isinstance(granted, Granted), granted
        self._lease = granted.lease
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def send_skill(self, seed: int, tracer: TickTracer) -> None:
        """Resets the scene, and traces the tick that executes a skill."""
        self._ask(Reset(lease=self._lease, seq=self._next(), reference_time=self._now, seed=seed))
        self._ask(Renew(lease=self._lease))
        for _ in range(SETTLE_TICKS):
            self._tick()
        size = self._server.controller.manifest.skill.size
        message = Skill(
            lease=self._lease,
            seq=self._next(),
            reference_time=self._now,
            valid_for_s=VALID_FOR_S,
            skill=(1.0, *(0.0,) * (size - 1)),
        )
        self._ask(message, tracer)

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    @property
    def _now(self) -> float:
        return self._clock.now()

    def _ask(self, message: Inbound, tracer: TickTracer | None = None) -> Message:
        """Executes a message in a tick, and returns the reply."""
        self._channel.commands.put(COMMANDS.encode(message, 0))
        self._tick(tracer)
        record = self._channel.replies.get()
        assert record is not None  # the controller replies in the same tick
        _, reply = REPLIES.decode(record)
        if isinstance(reply, Error):
            raise SystemExit(f"the controller refused {type(message).__name__}: {reply.message}")
        return reply

    def _tick(self, tracer: TickTracer | None = None) -> None:
        self._clock.time_s += self._period_s
        self._channel.stops.beat(int(1e9 * self._now), os.getpid())
        if tracer is not None:
            sys.setprofile(tracer)
        try:
            self._server.loop.tick(self._now)
        finally:
            sys.setprofile(None)


def measure(config: Config) -> list[Trace]:
    """Sends skills until there are enough traces."""
    tracer = TickTracer()
    with Controller(config) as controller:
        for seed in range(TRIES * config.traces):
            controller.send_skill(seed, tracer)
            if len(tracer.traces) == config.traces:
                return tracer.traces
    reached = LEGS[min(tracer.deepest, len(LEGS) - 1)].name
    raise SystemExit(
        f"{len(tracer.traces)} traces after {TRIES * config.traces} skills; no tick got farther "
        f"than {reached!r}. Check the boundaries in LEGS"
    )


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
        raise UsageError(f"{error} Another file: --model FILE") from None
    if not manifest.skill.size:
        raise UsageError(f"{config.model} takes no skill; name another")
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
    run_program(main, Config, prog="python -m benchmarks.serving.tick_trace", description=__doc__)
