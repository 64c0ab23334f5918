"""Recommends changes with which a machine holds its rates, the most useful first."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skill_runtime.doctor.machine import Machine
from skill_runtime.doctor.verdict import SERVO, Verdict
from skill_runtime.realtime.cpus import format_cpus
from skill_runtime.realtime.scheduling import FIFO_PRIORITY, LOCKED_MEMORY, SCHEDULING, Grant

SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit")
"""Clock sources that are coarse, or whose reading needs a device access."""

MAX_LOAD_PER_CPU = 0.5
"""A higher load per processor means that other programs delay the loop."""

MIN_CPUS_TO_ISOLATE_ONE = 4
"""A machine with fewer processors cannot reserve one for the loop."""

MAX_TICK_SHARE = 0.5
"""Share of the servo period that a tick may take; the rest is a margin for interruptions."""

LIMITS_FILE = "/etc/security/limits.d/skill-serve.conf"
KERNEL_LINE = "GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub"


@dataclass(frozen=True, kw_only=True)
class Advice:
    """One recommended change."""

    change: str
    lines: tuple[str, ...] = ()
    """Commands, or lines for the file that ``change`` names."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The measurements and facts that advice is based on."""

    machine: Machine
    grants: Sequence[Grant]
    """Replies to the requests for SCHED_FIFO and locked memory."""
    verdicts: Sequence[Verdict]
    tick_s: float | None
    """Median execution time of a tick of skill-serve [s]; None if it was not measured."""
    cpu: int | None
    """The processor that the loops were pinned to."""
    user: str
    is_root: bool


def advise(findings: Findings) -> list[Advice]:
    """Returns the recommended changes, the most useful first."""
    return [
        *_slow_tick(findings),
        *_serve_flags(findings),
        *_cpu_load(findings),
        *_refused_grants(findings),
        *_frequency_governor(findings),
        *_hypervisor(findings),
        *_isolation(findings),
        *_kernel(findings),
        *_clock(findings),
    ]


def current_user() -> tuple[str, bool]:
    """Returns the user's name, and whether the user is root, to whom limits.conf does not apply."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # some containers have a user id without a name
        name = "YOUR_USER"
    return name, hasattr(os, "geteuid") and os.geteuid() == 0


def _slow_tick(findings: Findings) -> Iterator[Advice]:
    if findings.tick_s is not None and findings.tick_s > MAX_TICK_SHARE * SERVO.budget_s:
        yield Advice(
            change=f"A tick takes {1e3 * findings.tick_s:.2g} of {1e3 * SERVO.budget_s:g} ms: "
            "serve a smaller policy, or lower the servo rate",
            lines=("skill-serve --model FILE --servo-rate 100",),
        )


def _serve_flags(findings: Findings) -> Iterator[Advice]:
    pin = "" if findings.cpu is None else f" --cpu {findings.cpu}"
    served: dict[str, list[str]] = {}
    for verdict in findings.verdicts:
        flags = verdict.best.strategy.flags
        if verdict.holds and flags:
            served.setdefault(f"skill-serve --model FILE {flags}{pin}", []).append(
                verdict.requirement.name
            )
    for command, names in served.items():
        yield Advice(
            change=f"Serve with the flags that hold, for {' and '.join(names)}", lines=(command,)
        )


def _cpu_load(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.load is not None and machine.load > MAX_LOAD_PER_CPU * len(machine.processors):
        yield Advice(
            change=f"Other programs use the processors (load {machine.load:g} on "
            f"{len(machine.processors)}): end them while an arm runs, and measure again",
            lines=("ps -eo pid,user,pcpu,comm --sort=-pcpu | head",),
        )


def _refused_grants(findings: Findings) -> Iterator[Advice]:
    names = {SCHEDULING: "rtprio", LOCKED_MEMORY: "memlock"}
    values = {"rtprio": str(FIFO_PRIORITY), "memlock": "unlimited"}
    refused = {
        grant.request: names[grant.request]
        for grant in findings.grants
        if grant.request in names and not grant.granted
    }
    if not refused:
        return
    change = f"Grant skill-serve {' and '.join(refused)}"
    if findings.machine.container or findings.is_root:
        values["memlock"] = "-1"
        options = " ".join(f"--ulimit {limit}={values[limit]}" for limit in refused.values())
        yield Advice(
            change=f"{change}: start the container with", lines=(f"docker run {options} ...",)
        )
        return
    yield Advice(
        change=f"{change}: in {LIMITS_FILE}, then log in again",
        lines=tuple(f"{findings.user} - {limit} {values[limit]}" for limit in refused.values()),
    )


def _frequency_governor(findings: Findings) -> Iterator[Advice]:
    slow = [name for name in findings.machine.frequency_governors if name != "performance"]
    if slow:
        yield Advice(
            change=f"Keep the processors at full frequency (governor now: {', '.join(slow)})",
            lines=(
                "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
            ),
        )


def _hypervisor(findings: Findings) -> Iterator[Advice]:
    if findings.machine.hypervisor and _fails(findings):
        yield Advice(
            change="This is a virtual machine: its host takes the processor away for milliseconds "
            "at a time, and no setting of the guest prevents this. Run on real hardware"
        )


def _isolation(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.isolated and findings.cpu not in machine.isolated:
        yield Advice(
            change=f"Processors {format_cpus(machine.isolated)} are isolated: pin the loop to one",
            lines=(
                f"skill-doctor --cpu {machine.isolated[0]}",
                f"skill-serve --model FILE --realtime --cpu {machine.isolated[0]}",
            ),
        )
    elif (
        not machine.isolated
        and len(machine.processors) >= MIN_CPUS_TO_ISOLATE_ONE
        and _fails(findings)
    ):
        last = machine.processors[-1]
        yield Advice(
            change=f"Reserve processor {last} for the loop: add to {KERNEL_LINE}, then sudo "
            f"update-grub, restart, and skill-serve --cpu {last}",
            lines=(f"isolcpus=managed_irq,domain,{last} nohz_full={last} rcu_nocbs={last}",),
        )


def _kernel(findings: Findings) -> Iterator[Advice]:
    machine = findings.machine
    if machine.preempt_rt:
        if not machine.announces_rt:
            yield Advice(
                change="The kernel is PREEMPT_RT but lacks /sys/kernel/realtime, which libfranka "
                "checks: disable the check in libfranka (RealtimeConfig::kIgnore)"
            )
        return
    where = "on the host" if machine.container else "then restart"
    yield Advice(
        change="Install a PREEMPT_RT kernel, which libfranka requires unless "
        f"RealtimeConfig::kIgnore is set; Ubuntu, then Debian, {where}:",
        lines=("sudo pro enable realtime-kernel", "sudo apt install linux-image-rt-amd64"),
    )


def _clock(findings: Findings) -> Iterator[Advice]:
    clock = findings.machine.clock_source
    if clock in SLOW_CLOCKS:
        yield Advice(
            change=f"The clock {clock} is slow to read: add to {KERNEL_LINE}, then sudo "
            "update-grub and restart",
            lines=("clocksource=tsc tsc=reliable",),
        )


def _fails(findings: Findings) -> bool:
    """Whether a requirement does not hold."""
    return not all(verdict.holds for verdict in findings.verdicts)
