"""Runs all measurements of skill-doctor, one after the other, and returns the report.

Each loop is measured in its own thread, while the main thread shows a progress bar. skill-serve
divides the work in the same way: its main thread shows the status line.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NoReturn, TypeVar

from tqdm import tqdm

from skill_runtime.doctor.advice import Findings, advise, current_user
from skill_runtime.doctor.loop_latency import LoopMeasurement, measure_loop, wait_strategies
from skill_runtime.doctor.machine import read_machine
from skill_runtime.doctor.options import DoctorOptions, model_to_time
from skill_runtime.doctor.report import Report
from skill_runtime.doctor.serving_cost import (
    SERVO_RATE_HZ,
    measure_ticks,
    open_server,
    time_inference,
    time_round_trips,
)
from skill_runtime.doctor.verdict import FRANKA, SERVO, judge
from skill_runtime.realtime.latency import Percentiles, compute_percentiles
from skill_runtime.realtime.scheduling import SCHEDULING, configure_thread

MEASUREMENTS = 15
"""Four wait strategies for two empty loops and the served one, one inference, two round trips."""

INFERENCE = "an inference of the policy"
TICK = "a whole tick at 200 Hz"
FIFO_TICK = "a whole tick, SCHED_FIFO"
ROUND_TRIP = "ZeroMQ round trip, back to back"
PACED_ROUND_TRIP = "ZeroMQ round trip, 200 a second"

REFUSED = "not measured: SCHED_FIFO is refused"
NO_REPLY = "not measured: the other process did not reply"

PROGRESS_S = 0.1
"""Time between two updates of the progress bar [s]."""

T = TypeVar("T")
Costs = dict[str, Percentiles | str]


class MeasurementRunner:
    """Runs measurements one after the other, each in a new thread, with one progress bar."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar
        self._done_s = 0.0

    def run(self, name: str, seconds: float, work: Callable[[], T]) -> T:
        """Returns the result of ``work``, which is expected to take ``seconds`` [s]."""
        self._bar.set_description_str(f"{name:<53}")
        with ThreadPoolExecutor(1) as thread:  # the grants of the system end with the thread
            running: Future[T] = thread.submit(work)
            spent = 0.0
            while wait([running], PROGRESS_S).not_done:
                spent = min(spent + PROGRESS_S, seconds)
                self._update_bar(self._done_s + spent)
            self._done_s += seconds
            self._update_bar(self._done_s)
            return running.result()

    def _update_bar(self, done_s: float) -> None:
        self._bar.n = round(done_s, 1)
        self._bar.refresh()


def examine(arguments: DoctorOptions) -> Report:
    """Runs all measurements and returns the report.

    Raises:
        PolicyFileError, RateMismatchError, UnsupportedPolicyError, ArmError: The policy file
            cannot be served.
    """
    machine = read_machine()  # first, because the measurements add to the load
    # Refuses a policy that cannot be served before the measurements, which take a minute.
    open_server(model_to_time(arguments)).close()
    total = round(MEASUREMENTS * arguments.seconds, 1)
    form = "{desc}{percentage:3.0f} %|{bar}| {remaining} left"
    with tqdm(total=total, disable=None, leave=False, bar_format=form) as bar:
        runner = MeasurementRunner(bar)
        grants = runner.run(
            "requesting real time", 0.0, lambda: configure_thread(cpu=arguments.cpu, realtime=True)
        )
        fifo = any(grant.granted for grant in grants if grant.request == SCHEDULING)
        empty_loops = _measure_empty_loops(arguments, runner, fifo=fifo)
        served_loops, costs = _measure_policy(arguments, runner, fifo=fifo)
        costs |= _measure_messages(arguments, runner)
    tick = costs[TICK]
    user, is_root = current_user()
    # Without a policy file the verdict covers the machine only.
    verdicts = [judge(SERVO, served_loops or empty_loops), judge(FRANKA, empty_loops)]
    findings = Findings(
        machine=machine,
        grants=grants,
        verdicts=verdicts,
        tick_s=None if isinstance(tick, str) else 1e-6 * tick.p50_us,
        cpu=arguments.cpu,
        user=user,
        is_root=is_root,
    )
    return Report(
        seconds=arguments.seconds,
        machine=machine,
        grants=grants,
        empty_loops=empty_loops,
        served_loops=served_loops,
        costs=costs,
        verdicts=verdicts,
        advice=advise(findings),
    )


def _measure_policy(
    arguments: DoctorOptions, runner: MeasurementRunner, *, fifo: bool
) -> tuple[list[LoopMeasurement], Costs]:
    """Returns the served loop with each wait strategy, and the costs of inference and tick."""
    model, seconds, cpu = model_to_time(arguments), arguments.seconds, arguments.cpu
    server = open_server(model)
    try:
        inference = runner.run(INFERENCE, seconds, lambda: time_inference(model, seconds, cpu))
        loops = [
            runner.run(
                f"{TICK}, {strategy.name}",
                seconds,
                lambda strategy=strategy: measure_ticks(server, strategy, seconds, cpu),
            )
            for strategy in wait_strategies(arguments.spin_us, fifo=fifo)
        ]
    finally:
        server.close()
    ticks = {
        loop.strategy.fifo: compute_percentiles(loop.execution_time_s)
        for loop in loops
        if not loop.strategy.spin_us
    }
    return loops, {
        INFERENCE: compute_percentiles(inference),
        TICK: ticks[False],
        FIFO_TICK: ticks.get(True, REFUSED),
    }


def _measure_messages(arguments: DoctorOptions, runner: MeasurementRunner) -> Costs:
    seconds, costs = arguments.seconds, Costs()
    for name, rate_hz in ((ROUND_TRIP, None), (PACED_ROUND_TRIP, SERVO_RATE_HZ)):
        times = runner.run(
            name, seconds, lambda rate_hz=rate_hz: time_round_trips(seconds, rate_hz)
        )
        costs[name] = compute_percentiles(times) if len(times) else NO_REPLY
    return costs


def _measure_empty_loops(
    arguments: DoctorOptions, runner: MeasurementRunner, *, fifo: bool
) -> list[LoopMeasurement]:
    seconds, cpu = arguments.seconds, arguments.cpu
    return [
        runner.run(
            f"{rate_hz:g} Hz, {strategy.name}",
            seconds,
            lambda rate_hz=rate_hz, strategy=strategy: measure_loop(
                rate_hz, strategy, seconds, cpu
            ),
        )
        for rate_hz in (SERVO_RATE_HZ, FRANKA.rate_hz)
        for strategy in wait_strategies(arguments.spin_us, fifo=fifo)
    ]
