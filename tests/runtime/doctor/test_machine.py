"""Facts of the kernel, read from generated folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from skill_runtime.doctor.machine import read_limits, read_machine

BARE = {
    "proc/sys/kernel/osrelease": "6.12.1-rt5\n",
    "proc/version": "Linux version 6.12.1-rt5 (x@y) #1 SMP PREEMPT_RT today\n",
    "proc/loadavg": "1.25 0.50 0.10 2/300 999\n",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc\n\nprocessor\t: 1\nflags\t\t: fpu tsc\n",
    "sys/kernel/realtime": "1\n",
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/cpu/isolated": "2-3\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_real_time_machine(tmp_path: Path) -> None:
    machine = read_machine(write(tmp_path, BARE))
    assert machine.kernel == "6.12.1-rt5"
    assert machine.preempt_rt
    assert machine.announces_rt
    assert machine.processors == (0, 1, 2, 3)
    assert machine.isolated == (2, 3)
    assert machine.frequency_governors == ("performance", "powersave")
    assert machine.hypervisor == ""
    assert not machine.container
    assert machine.clock_source == "hpet"
    assert machine.load == 1.25


def test_a_real_time_kernel_may_not_announce_it(tmp_path: Path) -> None:
    files = {name: text for name, text in BARE.items() if name != "sys/kernel/realtime"}
    machine = read_machine(write(tmp_path, files))
    assert machine.preempt_rt
    assert not machine.announces_rt


def test_an_ordinary_kernel_is_not_real_time(tmp_path: Path) -> None:
    version = "Linux version 6.8.0 (x@y) #1 SMP PREEMPT_DYNAMIC today\n"
    machine = read_machine(write(tmp_path, {"proc/version": version, "sys/kernel/realtime": "0\n"}))
    assert not machine.preempt_rt


def test_a_virtual_machine_is_detected_by_its_processor_flags(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nflags\t\t: fpu hypervisor tsc\n"
    root = write(tmp_path, {"proc/cpuinfo": cpuinfo})
    assert read_machine(root).hypervisor == "hypervisor unknown"
    write(tmp_path, {"sys/class/dmi/id/sys_vendor": "QEMU\n"})
    assert read_machine(root).hypervisor == "QEMU"


def test_a_virtual_machine_without_such_flags_is_named_by_its_firmware(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/device-tree/hypervisor/compatible": "linux,kvm\0"})
    assert read_machine(root).hypervisor == "linux,kvm"


def test_a_vendor_alone_is_no_hypervisor(tmp_path: Path) -> None:
    assert read_machine(write(tmp_path, {"sys/class/dmi/id/sys_vendor": "ASUS"})).hypervisor == ""


def test_a_container_leaves_a_file(tmp_path: Path) -> None:
    assert read_machine(write(tmp_path, {".dockerenv": ""})).container


def test_missing_facts_are_empty(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert (machine.kernel, machine.clock_source, machine.load) == ("", "", None)
    assert machine.frequency_governors == ()
    assert len(machine.processors) >= 1


def test_the_limits_of_this_process_are_numbers_or_none() -> None:
    limits = read_limits()
    assert limits.rtprio is None or limits.rtprio >= 0
    assert limits.memlock_bytes is None or limits.memlock_bytes >= 0
