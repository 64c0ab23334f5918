"""A skill-serve process that a client commands ten times a second, and its figures."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.endurance.counts import Ticks, late_after_us
from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.failures.rig import ADDRESS, free_port
from benchmarks.serving.json_client import Fields, JsonClient, NoReplyError
from benchmarks.serving.processes import Memory, Role, find_processes, measure_memory
from skill_proto.messages import Telemetry
from skill_proto.ports import TELEMETRY_PORT_OFFSET
from skill_runtime.authority.modes import POLICY_MODES

START_S = 60.0
"""Longest time to the first action [s]."""

END_S = 10.0
"""Longest time for a server to end; then it is killed [s]."""

PERIOD_S = 0.1
"""Time between two commands [s]."""

VALID_FOR_S = 1.0
TTL_S = 20.0

RENEW_EVERY = 100
"""Round trips between two renewals of the lease."""

TIMEOUT_S = 10.0
"""Longest wait for a reply [s]."""

SETTLE_S = 2.0
"""Time of motion before the first tick that counts [s]."""

PAUSE_S = (0.002, 0.007)
"""Range of the time between two round trips [s]. It is random over a period of 200 Hz: after a
fixed pause, the round trips would settle at one phase of the ticks."""


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

    Raises:
        NoReplyError: A call of the client failed; so does every method.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        client: JsonClient,
        rate_hz: float,
        first_action_s: float,
    ) -> None:
        self.first_action_s = first_action_s
        self._process = process
        self._client = client
        self._rate_hz = rate_hz
        self._kind, self._vector = choose_command(client.ask("hello")["manifest"])

    def command(self) -> None:
        """Sends one command."""
        fields = {self._kind: self._vector, "valid_for_s": VALID_FOR_S}
        self._client.command(self._kind, **fields)

    def _watch(self, seconds: float) -> Telemetry:
        """Commands the arm for some time and returns the state at its end."""
        self._client.renew()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.command()
            time.sleep(PERIOD_S)
        state = self._client.newest_state(TIMEOUT_S)
        if state is None:
            raise NoReplyError(f"no telemetry for {TIMEOUT_S:g} s")
        return state

    def measure_ticks(self, seconds: float) -> TickFigures:
        """Commands the arm and reads the timing in telemetry once a second."""
        self._client.acquire("benchmark", TTL_S)
        first = self._watch(SETTLE_S)
        states = [self._watch(1.0) for _ in range(max(1, round(seconds)))]
        self._client.release()
        last, timings = states[-1], [state.timing for state in states]
        if last.mode not in POLICY_MODES:
            raise NoReplyError(f"the arm does not run the policy: {last.last_event}")
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
        self._client.acquire("benchmark", TTL_S)
        commands: list[float] = []
        hellos: list[float] = []
        for number in range(count):
            if number % RENEW_EVERY == 0:
                self._client.renew()
            commands.append(_timed(self.command))
            hellos.append(_timed(lambda: self._client.ask("hello")))
        self._client.release()
        return median(commands), median(hellos)

    def memory(self) -> dict[Role, Memory]:
        """Returns the memory of each process."""
        processes = find_processes(self._process.pid)
        return {role: measure_memory([process]) for role, process in processes.items()}


def choose_command(manifest: Fields) -> tuple[str, list[float]]:
    """Returns a command that the policy takes: a skill along the first axis, or else a goal.

    Args:
        manifest: The manifest in the reply to ``hello``.
    """
    size: int = manifest["skill"]["size"]
    if size:
        return "skill", [1.0] + [0.0] * (size - 1)
    return "goal", manifest["goal"]["high"]


def _timed(call: Callable[[], object]) -> float:
    """Returns the duration of a call [us]."""
    time.sleep(random.uniform(*PAUSE_S))
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
        model: Policy file, which takes a skill or a goal.
        rate_hz: Servo rate [Hz].
        options: More options of skill-serve.

    Raises:
        NeverHappenedError: The server does not start, or cannot be commanded.
    """
    port = free_port()
    words = ["--model", str(model), "--servo-rate", f"{rate_hz:g}", "--port", str(port), *options]
    began = time.monotonic()
    process = subprocess.Popen([*command, *words], stdout=subprocess.DEVNULL)
    addresses = [f"tcp://{ADDRESS}:{port + offset}" for offset in (0, TELEMETRY_PORT_OFFSET)]
    try:
        with JsonClient(*addresses, timeout_s=TIMEOUT_S) as client:
            _wait_for_action(client, process)
            yield CommandedServer(process, client, rate_hz, time.monotonic() - began)
    except NoReplyError as error:
        raise NeverHappenedError(f"{' '.join(command)}: {error}") from None
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_action(client: JsonClient, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise NoReplyError(f"it ended with exit code {process.returncode}")
        state = client.newest_state(0.2)
        if state is not None and state.mode in POLICY_MODES and state.action is not None:
            return
    raise NoReplyError(f"the arm did not move within {START_S:g} s")
