"""What to change so that a machine holds its rates: the most useful first, each with how."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skill_runtime.doctor.machine import Machine
from skill_runtime.doctor.verdict import SERVO, Verdict
from skill_runtime.realtime.cpus import listed
from skill_runtime.realtime.scheduling import FIFO_PRIORITY, MEMORY, SCHEDULING, Grant

SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit")
"""Clock sources whose reading is a trip to a device, or coarse."""

CROWDED = 0.5
"""Load per processor from which other programs are in the way."""

SPARE = 4
"""Processors of a machine that can give one of them away."""

SLOW_TICK = 0.5
"""Share of the servo period that a tick may take and leave room for what comes in between."""

LIMITS_FILE = "/etc/security/limits.d/skill-serve.conf"
KERNEL_LINE = "GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub"


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One thing to change."""

    what: str
    how: tuple[str, ...] = ()
    """Commands, or lines of a file that is named before them."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that advice is drawn from."""

    machine: Machine
    answers: Sequence[Grant]
    """To the requests for SCHED_FIFO and locked memory."""
    verdicts: Sequence[Verdict]
    tick_s: float | None
    """What a tick of skill-serve takes half of the time [s]; None where it was not measured."""
    cpu: int | None
    """The processor that the loops were kept on."""
    user: str
    superuser: bool


def advise(findings: Findings) -> list[Advice]:
    """In the order of what helps most."""
    return [
        *_slow_tick(findings),
        *_flags(findings),
        *_crowd(findings),
        *_grants(findings),
        *_governor(findings),
        *_hypervisor(findings),
        *_isolation(findings),
        *_kernel(findings),
        *_clock(findings),
    ]


def who() -> tuple[str, bool]:
    """This user's name, and whether nothing is forbidden to them by limits.conf."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in some containers
        name = "YOUR_USER"
    return name, hasattr(os, "geteuid") and os.geteuid() == 0


def _slow_tick(findings: Findings) -> Iterator[Advice]:
    if findings.tick_s is not None and findings.tick_s > SLOW_TICK * SERVO.budget_s:
        yield Advice(
            what=f"A tick takes {1e3 * findings.tick_s:.2g} of {1e3 * SERVO.budget_s:g} ms: serve "
            "a smaller policy, or fewer ticks",
            how=("skill-serve --model FILE --servo-rate 100",),
        )


def _flags(findings: Findings) -> Iterator[Advice]:
    pin = "" if findings.cpu is None else f" --cpu {findings.cpu}"
    served: dict[str, list[str]] = {}
    for verdict in findings.verdicts:
        flags = verdict.best.way.flags
        if verdict.holds and flags:
            served.setdefault(f"skill-serve --model FILE {flags}{pin}", []).append(
                verdict.demand.name
            )
    for command, names in served.items():
        yield Advice(
            what=f"Serve with the flags that hold, for {' and '.join(names)}", how=(command,)
        )


def _crowd(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.load is not None and machine.load > CROWDED * len(machine.processors):
        yield Advice(
            what=f"Other programs want the processors (load {machine.load:g} on "
            f"{len(machine.processors)}): end them while an arm runs, and measure again",
            how=("ps -eo pid,user,pcpu,comm --sort=-pcpu | head",),
        )


def _grants(findings: Findings) -> Iterator[Advice]:
    names = {SCHEDULING: "rtprio", MEMORY: "memlock"}
    values = {"rtprio": str(FIFO_PRIORITY), "memlock": "unlimited"}
    refused = {
        answer.what: names[answer.what]
        for answer in findings.answers
        if answer.what in names and not answer.granted
    }
    if not refused:
        return
    what = f"Let skill-serve have {' and '.join(refused)}"
    if findings.machine.container or findings.superuser:
        values["memlock"] = "-1"
        options = " ".join(f"--ulimit {limit}={values[limit]}" for limit in refused.values())
        yield Advice(what=f"{what}: start the container with", how=(f"docker run {options} ...",))
        return
    yield Advice(
        what=f"{what}: in {LIMITS_FILE}, then log in again",
        how=tuple(f"{findings.user} - {limit} {values[limit]}" for limit in refused.values()),
    )


def _governor(findings: Findings) -> Iterator[Advice]:
    slow = [name for name in findings.machine.governors if name != "performance"]
    if slow:
        yield Advice(
            what=f"Keep the processors at full frequency (governor now: {', '.join(slow)})",
            how=(
                "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
            ),
        )


def _hypervisor(findings: Findings) -> Iterator[Advice]:
    if findings.machine.hypervisor and _fails(findings):
        yield Advice(
            what="This is a virtual machine: its host takes the processor away for milliseconds "
            "at a time, which nothing in it can prevent. Run on a machine of your own"
        )


def _isolation(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.isolated and findings.cpu not in machine.isolated:
        yield Advice(
            what=f"Processors {listed(machine.isolated)} are kept free: put the loop on one",
            how=(
                f"skill-doctor --cpu {machine.isolated[0]}",
                f"skill-serve --model FILE --realtime --cpu {machine.isolated[0]}",
            ),
        )
    elif not machine.isolated and len(machine.processors) >= SPARE and _fails(findings):
        last = machine.processors[-1]
        yield Advice(
            what=f"Keep processor {last} free for the loop: add to {KERNEL_LINE}, then sudo "
            f"update-grub, restart, and skill-serve --cpu {last}",
            how=(f"isolcpus=managed_irq,domain,{last} nohz_full={last} rcu_nocbs={last}",),
        )


def _kernel(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.preempt_rt:
        if not machine.announces_rt:
            yield Advice(
                what="The kernel is PREEMPT_RT but has no /sys/kernel/realtime, where libfranka "
                "looks: tell libfranka not to insist (RealtimeConfig::kIgnore)"
            )
        return
    where = "on the host" if machine.container else "then restart"
    yield Advice(
        what="A PREEMPT_RT kernel, without which libfranka does not start unless told to ignore "
        f"it; Ubuntu, then Debian, {where}:",
        how=("sudo pro enable realtime-kernel", "sudo apt install linux-image-rt-amd64"),
    )


def _clock(findings: Findings) -> Iterator[Advice]:
    clock = findings.machine.clock_source
    if clock in SLOW_CLOCKS:
        yield Advice(
            what=f"The clock {clock} is slow to read: add to {KERNEL_LINE}, then sudo update-grub "
            "and restart",
            how=("clocksource=tsc tsc=reliable",),
        )


def _fails(findings: Findings) -> bool:
    return not all(verdict.holds for verdict in findings.verdicts)
