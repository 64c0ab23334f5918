"""A skill-serve process that a client commands ten times a second, and its figures."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.endurance.counts import Ticks, late_after_us
from benchmarks.serving.failures.rig import ADDRESS, NeverHappenedError, free_port
from benchmarks.serving.processes import Memory, Role, find_processes, measure_memory
from skill_proto.messages import Telemetry
from skill_runtime.authority.modes import POLICY_MODES
from skill_runtime.client import ClientError, SkillClient

START_S = 60.0
"""Longest time to the first action [s]."""

END_S = 10.0
"""Longest time for a server to end; then it is killed [s]."""

PERIOD_S = 0.1
"""Time between two commands [s]."""

VALID_FOR_S = 1.0
TTL_S = 5.0

SETTLE_S = 2.0
"""Time of motion before the first tick that counts [s]."""

PAUSE_S = 0.004
"""Time between two round trips [s]."""


@dataclass(frozen=True, kw_only=True)
class TickFigures:
    """Some seconds of a loop; percentiles of each second, medians over the seconds [us]."""

    ticks: int
    late: int | None
    """Ticks later than :func:`late_after_us`; None if the loop does not count them."""
    overruns: int
    """Skipped ticks: the tick before began a whole period late."""
    execution_p50: float
    execution_p99: float
    wakeup_p50: float
    wakeup_p99: float


class CommandedServer:
    """The server and its client; made by :func:`serve`.

    Args:
        process: skill-serve.
        client: The client.
        rate_hz: Servo rate [Hz].
        first_action_s: Time from the start of the program to the first action in telemetry [s].
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        client: SkillClient,
        rate_hz: float,
        first_action_s: float,
    ) -> None:
        self.first_action_s = first_action_s
        self._process = process
        self._client = client
        self._rate_hz = rate_hz

    def command(self) -> None:
        """Sends a skill along the first axis, or a goal if the policy takes no skill."""
        manifest = self._client.server.manifest
        if manifest.skill.size:
            skill = [1.0] + [0.0] * (manifest.skill.size - 1)
            self._client.skill(skill, valid_for_s=VALID_FOR_S)
        else:
            assert manifest.goal is not None  # check_model
            self._client.goal(manifest.goal.high, valid_for_s=VALID_FOR_S)

    def _watch(self, seconds: float) -> Telemetry:
        """Commands the arm for some time and returns the state at its end."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.command()
            time.sleep(PERIOD_S)
        return self._client.state()

    def measure_ticks(self, seconds: float) -> TickFigures:
        """Commands the arm and reads the timing in telemetry once a second.

        Raises:
            NeverHappenedError: The arm does not run the policy.
        """
        with self._client.acquire("benchmark", ttl_s=TTL_S):
            first = self._watch(SETTLE_S)
            states = [self._watch(1.0) for _ in range(max(1, round(seconds)))]
        last = states[-1]
        if last.mode not in POLICY_MODES:
            raise NeverHappenedError(f"the arm did not run the policy: {last.last_event}")
        timings = [state.timing for state in states]
        late = None
        if late_after_us(self._rate_hz) in last.timing.wakeup_latency_le_us:
            late = Ticks.of(last, self._rate_hz).since(Ticks.of(first, self._rate_hz)).late
        return TickFigures(
            ticks=last.tick - first.tick,
            late=late,
            overruns=last.timing.overruns - first.timing.overruns,
            execution_p50=median(timing.execution_time_p50_us for timing in timings),
            execution_p99=median(timing.execution_time_p99_us for timing in timings),
            wakeup_p50=median(timing.wakeup_latency_p50_us for timing in timings),
            wakeup_p99=median(timing.wakeup_latency_p99_us for timing in timings),
        )

    def round_trips(self, count: int) -> tuple[float, float]:
        """Returns the median duration of a command, and of a ``hello``, in turns [us]."""
        with self._client.acquire("benchmark", ttl_s=TTL_S):
            pairs = [(_timed(self.command), _timed(self._client.hello)) for _ in range(count)]
        commands, hellos = zip(*pairs, strict=True)
        return median(commands), median(hellos)

    def memory(self) -> dict[Role, Memory]:
        """Returns the memory of each process."""
        processes = find_processes(self._process.pid)
        return {role: measure_memory([process]) for role, process in processes.items()}


def _timed(call: Callable[[], object]) -> float:
    """Returns the duration of a call [us]."""
    time.sleep(PAUSE_S)
    start = time.perf_counter()
    call()
    return 1e6 * (time.perf_counter() - start)


@contextmanager
def serve(
    command: Sequence[str], model: Path, rate_hz: float, options: Sequence[str] = ()
) -> Generator[CommandedServer]:
    """Runs a server until the end of the block; its demo causes the first action.

    Args:
        command: Command of skill-serve.
        model: Policy file.
        rate_hz: Servo rate [Hz].
        options: More options of skill-serve.

    Raises:
        NeverHappenedError: The server does not start, or cannot be commanded.
    """
    port = free_port()
    words = ["--model", str(model), "--servo-rate", f"{rate_hz:g}", "--port", str(port), *options]
    began = time.monotonic()
    process = subprocess.Popen([*command, *words], stdout=subprocess.DEVNULL)
    try:
        with SkillClient(f"tcp://{ADDRESS}:{port}", timeout_s=START_S) as client:
            _wait_for_action(client)
            first_action_s = time.monotonic() - began
            yield CommandedServer(process, client, rate_hz, first_action_s)
    except (ClientError, OSError) as error:
        raise NeverHappenedError(f"{' '.join(command)}: {error}") from None
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_action(client: SkillClient) -> None:
    for state in client.telemetry():
        if state.mode in POLICY_MODES and state.action is not None:
            return
