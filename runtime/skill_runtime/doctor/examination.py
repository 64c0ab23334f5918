"""The examination: every measurement, one after the other, and what they say together.

Each loop is measured in a thread of its own, as skill-serve runs one, while the main thread keeps
a progress bar as skill-serve does its status line.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NoReturn, TypeVar

from tqdm import tqdm

from skill_runtime.doctor.advice import Findings, advise, who
from skill_runtime.doctor.loop_latency import Timer, measure_timer, ways
from skill_runtime.doctor.machine import read_machine
from skill_runtime.doctor.options import Arguments, model_to_time
from skill_runtime.doctor.report import Report
from skill_runtime.doctor.serving_cost import (
    SERVO_RATE_HZ,
    measure_ticks,
    open_server,
    time_inference,
    time_round_trips,
)
from skill_runtime.doctor.verdict import FRANKA, SERVO, judge
from skill_runtime.realtime.latency import Percentiles, spread
from skill_runtime.realtime.scheduling import SCHEDULING, configure_thread

MEASUREMENTS = 15
"""Four ways of waiting in two bare loops and in the served one; an inference; two ways to send."""

INFERENCE = "an inference of the policy"
TICK = "a whole tick at 200 Hz"
FIFO_TICK = "a whole tick, SCHED_FIFO"
ROUND_TRIP = "ZeroMQ there and back, back to back"
PACED_ROUND_TRIP = "ZeroMQ there and back, 200 a second"

NO_MODEL = "not measured: no policy file; --model FILE"
REFUSED = "not measured: SCHED_FIFO is refused"
SILENT = "not measured: the other process did not answer"

PROGRESS_S = 0.1
"""Time between two updates of the progress bar [s]."""

T = TypeVar("T")
Costs = dict[str, Percentiles | str]


class Meter:
    """Runs measurements one after the other, each in a new thread, under one progress bar."""

    def __init__(self, bar: tqdm[NoReturn]) -> None:
        self._bar = bar
        self._done_s = 0.0

    def run(self, name: str, seconds: float, work: Callable[[], T]) -> T:
        """What ``work`` returns, which is expected to take so long [s]."""
        self._bar.set_description_str(f"{name:<53}")
        with ThreadPoolExecutor(1) as thread:  # ends with what the system granted it
            running: Future[T] = thread.submit(work)
            spent = 0.0
            while wait([running], PROGRESS_S).not_done:
                spent = min(spent + PROGRESS_S, seconds)
                self._show(self._done_s + spent)
            self._done_s += seconds
            self._show(self._done_s)
            return running.result()

    def _show(self, done_s: float) -> None:
        self._bar.n = round(done_s, 1)
        self._bar.refresh()


def examine(arguments: Arguments) -> Report:
    """All measurements, and what they say.

    Raises:
        PolicyFileError, RateMismatchError, UnsupportedPolicyError, ArmError: the policy file
            cannot be served.
    """
    machine = read_machine()  # before anything of ours adds to the load
    total = round(MEASUREMENTS * arguments.seconds, 1)
    form = "{desc}{percentage:3.0f} %|{bar}| {remaining} left"
    with tqdm(total=total, disable=None, leave=False, bar_format=form) as bar:
        meter = Meter(bar)
        answers = meter.run(
            "asking for real time", 0.0, lambda: configure_thread(cpu=arguments.cpu, realtime=True)
        )
        fifo = any(answer.granted for answer in answers if answer.what == SCHEDULING)
        timers = _time_loops(arguments, meter, fifo=fifo)
        ticks, costs = _time_policy(arguments, meter, fifo=fifo)
        costs |= _time_messages(arguments, meter)
    tick = costs[TICK]
    user, superuser = who()
    # Without a policy file the verdict is on the machine alone.
    verdicts = [judge(SERVO, ticks or timers), judge(FRANKA, timers)]
    findings = Findings(
        machine=machine,
        answers=answers,
        verdicts=verdicts,
        tick_s=None if isinstance(tick, str) else 1e-6 * tick.p50_us,
        cpu=arguments.cpu,
        user=user,
        superuser=superuser,
    )
    return Report(
        seconds=arguments.seconds,
        machine=machine,
        answers=answers,
        timers=timers,
        ticks=ticks,
        costs=costs,
        verdicts=verdicts,
        advice=advise(findings),
    )


def _time_policy(arguments: Arguments, meter: Meter, *, fifo: bool) -> tuple[list[Timer], Costs]:
    """The served loop in every way there is, and what of it goes into the table."""
    model, seconds, cpu = model_to_time(arguments), arguments.seconds, arguments.cpu
    if model is None:
        return [], dict.fromkeys((INFERENCE, TICK, FIFO_TICK), NO_MODEL)
    server = open_server(model)
    try:
        inference = meter.run(INFERENCE, seconds, lambda: time_inference(model, seconds, cpu))
        ticks = [
            meter.run(
                f"{TICK}, {way.name}",
                seconds,
                lambda way=way: measure_ticks(server, way, seconds, cpu),
            )
            for way in ways(arguments.spin_us, fifo=fifo)
        ]
    finally:
        server.close()
    work = {timer.way.fifo: spread(timer.work_s) for timer in ticks if not timer.way.spin_us}
    return ticks, {
        INFERENCE: spread(inference),
        TICK: work[False],
        FIFO_TICK: work.get(True, REFUSED),
    }


def _time_messages(arguments: Arguments, meter: Meter) -> Costs:
    seconds, costs = arguments.seconds, Costs()
    for name, rate_hz in ((ROUND_TRIP, None), (PACED_ROUND_TRIP, SERVO_RATE_HZ)):
        times = meter.run(name, seconds, lambda rate_hz=rate_hz: time_round_trips(seconds, rate_hz))
        costs[name] = spread(times) if len(times) else SILENT
    return costs


def _time_loops(arguments: Arguments, meter: Meter, *, fifo: bool) -> list[Timer]:
    seconds, cpu = arguments.seconds, arguments.cpu
    return [
        meter.run(
            f"{rate_hz:g} Hz, {way.name}",
            seconds,
            lambda rate_hz=rate_hz, way=way: measure_timer(rate_hz, way, seconds, cpu),
        )
        for rate_hz in (SERVO_RATE_HZ, FRANKA.rate_hz)
        for way in ways(arguments.spin_us, fifo=fifo)
    ]
