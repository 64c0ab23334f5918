"""Recommended changes, for machines with given facts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skill_runtime.doctor.advice import Advice, Findings, advise
from skill_runtime.doctor.loop_latency import LoopMeasurement, WaitStrategy
from skill_runtime.doctor.machine import Machine
from skill_runtime.doctor.verdict import FRANKA, SERVO, Verdict, judge
from skill_runtime.realtime.scheduling import LOCKED_MEMORY, SCHEDULING, Grant

GRANTED = (Grant(SCHEDULING, True, "yes"), Grant(LOCKED_MEMORY, True, "yes"))
REFUSED = (Grant(SCHEDULING, False, "no"), Grant(LOCKED_MEMORY, False, "no"))
MakeMachine = Callable[..., Machine]


def verdicts(*, sleep_ms: float = 0.0, fifo_ms: float = 0.0) -> list[Verdict]:
    """Verdicts on loops whose first tick has the given latency."""
    judged: list[Verdict] = []
    for requirement in (SERVO, FRANKA):
        loops: list[LoopMeasurement] = []
        for strategy, late_ms in (
            (WaitStrategy(), sleep_ms),
            (WaitStrategy(fifo=True), fifo_ms),
        ):
            latency_s = np.zeros(5000)
            latency_s[0] = 1e-3 * late_ms
            loops.append(
                LoopMeasurement(
                    rate_hz=requirement.rate_hz,
                    strategy=strategy,
                    wakeup_latency_s=latency_s,
                    execution_time_s=np.zeros(5000),
                )
            )
        judged.append(judge(requirement, loops))
    return judged


def advice_for(machine: Machine, **fields: object) -> list[Advice]:
    """Advice for a machine that meets every requirement, with ``fields`` replaced."""
    findings: dict[str, object] = {
        "grants": GRANTED,
        "verdicts": verdicts(),
        "tick_s": 0.0005,
        "cpu": None,
        "user": "ada",
        "is_root": False,
    }
    return advise(Findings(machine=machine, **(findings | fields)))  # type: ignore[arg-type]


def test_a_machine_that_meets_every_requirement_needs_no_change(make_machine: MakeMachine) -> None:
    assert advice_for(make_machine()) == []


def test_the_flags_that_hold_are_named_once(make_machine: MakeMachine) -> None:
    advice = advice_for(make_machine(), verdicts=verdicts(sleep_ms=60.0), cpu=3)
    assert [item.lines for item in advice] == [("skill-serve --model FILE --realtime --cpu 3",)]
    assert SERVO.name in advice[0].change
    assert FRANKA.name in advice[0].change


def test_refused_requests_are_granted_by_lines_of_a_file(make_machine: MakeMachine) -> None:
    (advice,) = advice_for(make_machine(), grants=REFUSED)
    assert "/etc/security/limits.d/skill-serve.conf" in advice.change
    assert advice.lines == ("ada - rtprio 80", "ada - memlock unlimited")
    (advice,) = advice_for(make_machine(), grants=(GRANTED[0], REFUSED[1]))
    assert advice.lines == ("ada - memlock unlimited",)


def test_a_container_is_granted_them_by_its_options(make_machine: MakeMachine) -> None:
    (advice,) = advice_for(make_machine(container=True), grants=REFUSED)
    assert advice.lines == ("docker run --ulimit rtprio=80 --ulimit memlock=-1 ...",)


def test_a_refused_processor_needs_no_limit(make_machine: MakeMachine) -> None:
    assert advice_for(make_machine(), grants=(Grant("processor", False, "no"), *GRANTED)) == []


def test_a_slow_governor_is_named_with_the_command(make_machine: MakeMachine) -> None:
    (advice,) = advice_for(make_machine(frequency_governors=("performance", "powersave")))
    assert "powersave" in advice.change
    assert "performance | sudo tee" in advice.lines[0]


def test_other_programs_are_named_before_the_kernel(make_machine: MakeMachine) -> None:
    advice = advice_for(make_machine(load=6.0, preempt_rt=False, announces_rt=False))
    assert ["load 6 on 8" in item.change for item in advice] == [True, False]
    assert "PREEMPT_RT" in advice[1].change


def test_a_kernel_that_libfranka_does_not_recognise(make_machine: MakeMachine) -> None:
    (advice,) = advice_for(make_machine(announces_rt=False))
    assert "/sys/kernel/realtime" in advice.change


def test_a_virtual_machine_matters_only_if_a_requirement_fails(make_machine: MakeMachine) -> None:
    machine = make_machine(hypervisor="KVM", processors=(0, 1))
    assert advice_for(machine) == []
    (advice,) = advice_for(machine, verdicts=verdicts(sleep_ms=60.0, fifo_ms=60.0))
    assert "virtual machine" in advice.change


def test_the_last_of_many_processors_is_reserved(make_machine: MakeMachine) -> None:
    failing = verdicts(sleep_ms=60.0, fifo_ms=60.0)
    (advice,) = advice_for(make_machine(), verdicts=failing)
    assert "isolcpus=managed_irq,domain,7 " in advice.lines[0]
    assert advice_for(make_machine(processors=(0, 1)), verdicts=failing) == []


def test_an_isolated_processor_is_recommended(make_machine: MakeMachine) -> None:
    machine = make_machine(isolated=(6, 7))
    (advice,) = advice_for(machine)
    assert "skill-doctor --cpu 6" in advice.lines
    assert advice_for(machine, cpu=7) == []


def test_a_slow_clock_is_named(make_machine: MakeMachine) -> None:
    (advice,) = advice_for(make_machine(clock_source="hpet"))
    assert "hpet" in advice.change


@pytest.mark.parametrize(("tick_s", "slow"), [(None, False), (0.002, False), (0.003, True)])
def test_a_tick_that_takes_most_of_its_period_comes_first(
    make_machine: MakeMachine, tick_s: float | None, slow: bool
) -> None:
    advice = advice_for(make_machine(load=9.0), tick_s=tick_s)
    assert ("A tick takes" in advice[0].change) is slow
