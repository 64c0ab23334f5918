"""What to change, for machines made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skill_runtime.doctor.advice import Advice, Findings, advise
from skill_runtime.doctor.loop_latency import Timer, Way
from skill_runtime.doctor.machine import Machine
from skill_runtime.doctor.verdict import FRANKA, SERVO, Verdict, judge
from skill_runtime.realtime.scheduling import MEMORY, SCHEDULING, Grant

GRANTED = (Grant(SCHEDULING, True, "yes"), Grant(MEMORY, True, "yes"))
REFUSED = (Grant(SCHEDULING, False, "no"), Grant(MEMORY, False, "no"))
MakeMachine = Callable[..., Machine]


def verdicts(*, sleep_ms: float = 0.0, fifo_ms: float = 0.0) -> list[Verdict]:
    """Of loops whose first tick was so late."""
    found: list[Verdict] = []
    for demand in (SERVO, FRANKA):
        timers: list[Timer] = []
        for way, late_ms in ((Way(), sleep_ms), (Way(fifo=True), fifo_ms)):
            late_s = np.zeros(5000)
            late_s[0] = 1e-3 * late_ms
            timers.append(
                Timer(rate_hz=demand.rate_hz, way=way, late_s=late_s, work_s=np.zeros(5000))
            )
        found.append(judge(demand, timers))
    return found


def found(machine: Machine, **fields: object) -> list[Advice]:
    """Advice for a machine that holds everything, unless ``fields`` say otherwise."""
    findings: dict[str, object] = {
        "answers": GRANTED,
        "verdicts": verdicts(),
        "tick_s": 0.0005,
        "cpu": None,
        "user": "ada",
        "superuser": False,
    }
    return advise(Findings(machine=machine, **(findings | fields)))  # type: ignore[arg-type]


def test_a_machine_that_holds_everything_is_left_alone(make_machine: MakeMachine) -> None:
    assert found(make_machine()) == []


def test_the_flags_that_hold_are_named_once(make_machine: MakeMachine) -> None:
    advice = found(make_machine(), verdicts=verdicts(sleep_ms=60.0), cpu=3)
    assert [item.how for item in advice] == [("skill-serve --model FILE --realtime --cpu 3",)]
    assert SERVO.name in advice[0].what
    assert FRANKA.name in advice[0].what


def test_what_is_refused_is_granted_by_two_lines_of_a_file(make_machine: MakeMachine) -> None:
    (advice,) = found(make_machine(), answers=REFUSED)
    assert "/etc/security/limits.d/skill-serve.conf" in advice.what
    assert advice.how == ("ada - rtprio 80", "ada - memlock unlimited")
    (advice,) = found(make_machine(), answers=(GRANTED[0], REFUSED[1]))
    assert advice.how == ("ada - memlock unlimited",)


def test_a_container_is_granted_it_from_outside(make_machine: MakeMachine) -> None:
    (advice,) = found(make_machine(container=True), answers=REFUSED)
    assert advice.how == ("docker run --ulimit rtprio=80 --ulimit memlock=-1 ...",)


def test_a_processor_that_was_refused_is_nothing_to_grant(make_machine: MakeMachine) -> None:
    assert found(make_machine(), answers=(Grant("processor", False, "no"), *GRANTED)) == []


def test_a_slow_governor_is_named_with_the_command(make_machine: MakeMachine) -> None:
    (advice,) = found(make_machine(governors=("performance", "powersave")))
    assert "powersave" in advice.what
    assert "performance | sudo tee" in advice.how[0]


def test_other_programs_are_named_before_the_kernel(make_machine: MakeMachine) -> None:
    advice = found(make_machine(load=6.0, preempt_rt=False, announces_rt=False))
    assert ["load 6 on 8" in item.what for item in advice] == [True, False]
    assert "PREEMPT_RT" in advice[1].what


def test_a_kernel_that_libfranka_does_not_recognise(make_machine: MakeMachine) -> None:
    (advice,) = found(make_machine(announces_rt=False))
    assert "/sys/kernel/realtime" in advice.what


def test_a_virtual_machine_matters_only_where_it_does_not_hold(make_machine: MakeMachine) -> None:
    machine = make_machine(hypervisor="KVM", processors=(0, 1))
    assert found(machine) == []
    (advice,) = found(machine, verdicts=verdicts(sleep_ms=60.0, fifo_ms=60.0))
    assert "virtual machine" in advice.what


def test_a_processor_to_keep_free_is_the_last_of_many(make_machine: MakeMachine) -> None:
    failing = verdicts(sleep_ms=60.0, fifo_ms=60.0)
    (advice,) = found(make_machine(), verdicts=failing)
    assert "isolcpus=managed_irq,domain,7 " in advice.how[0]
    assert found(make_machine(processors=(0, 1)), verdicts=failing) == []


def test_a_processor_that_is_kept_free_is_to_be_used(make_machine: MakeMachine) -> None:
    machine = make_machine(isolated=(6, 7))
    (advice,) = found(machine)
    assert "skill-doctor --cpu 6" in advice.how
    assert found(machine, cpu=7) == []


def test_a_slow_clock_is_named(make_machine: MakeMachine) -> None:
    (advice,) = found(make_machine(clock_source="hpet"))
    assert "hpet" in advice.what


@pytest.mark.parametrize(("tick_s", "slow"), [(None, False), (0.002, False), (0.003, True)])
def test_a_tick_that_takes_most_of_its_period_comes_first(
    make_machine: MakeMachine, tick_s: float | None, slow: bool
) -> None:
    advice = found(make_machine(load=9.0), tick_s=tick_s)
    assert ("A tick takes" in advice[0].what) is slow
