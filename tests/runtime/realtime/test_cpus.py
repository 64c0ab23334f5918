"""Lists of processors as Linux writes them, and the --cpu flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_runtime.console.flags import UsageError, check_cpu
from skill_runtime.realtime.cpus import (
    cpus_beside,
    format_cpus,
    is_virtual_machine,
    isolated_cpus,
    loop_cpus,
    online_cpus,
    parse_cpus,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0\n", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7\n", [0, 1, 4, 6, 7]), ("\n", []), ("", [])],
)
def test_lists_are_read_and_written(text: str, numbers: list[int]) -> None:
    assert parse_cpus(text) == numbers
    assert format_cpus(numbers) == text.strip()


def test_lists_are_read_from_the_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "sys/devices/system/cpu"
    folder.mkdir(parents=True)
    (folder / "online").write_text("0-2,5\n")
    (folder / "isolated").write_text("\n")
    assert online_cpus(tmp_path) == [0, 1, 2, 5]
    assert isolated_cpus(tmp_path) == []
    (folder / "isolated").write_text("(null)\n")
    assert isolated_cpus(tmp_path) == []


def test_without_the_kernels_list_there_is_at_least_one(tmp_path: Path) -> None:
    assert online_cpus(tmp_path)[0] == 0


@pytest.mark.parametrize(
    ("cpu", "allowed", "beside"),
    [
        (None, [0, 1], {0}),
        (None, [0, 1, 2], {0}),
        (None, [0, 1, 4, 5], {0, 1}),
        (0, [0, 1], {1}),
        (5, [0, 1], {0, 1}),
        (None, [3], {3}),
    ],
)
def test_other_programs_leave_processors_to_the_control_loop(
    cpu: int | None, allowed: list[int], beside: set[int]
) -> None:
    assert cpus_beside(cpu, allowed) == beside


def test_the_control_loop_has_the_upper_half() -> None:
    assert loop_cpus(None, [0, 1, 4, 5]) == {4, 5}
    assert loop_cpus(None, [0, 1, 2]) == {1, 2}
    assert loop_cpus(None, [3]) == {3}
    assert loop_cpus(2, [0, 1]) == {2}


def test_a_processor_that_does_not_exist_is_refused() -> None:
    check_cpu(None)
    check_cpu(online_cpus()[-1])
    with pytest.raises(UsageError, match=rf"--cpu takes .*{format_cpus(online_cpus())}, got 9999"):
        check_cpu(9999)


@pytest.mark.parametrize(
    ("text", "virtual"),
    [("flags\t\t: fpu hypervisor sse\n", True), ("flags\t\t: fpu sse\n", False), (None, False)],
)
def test_a_virtual_machine_is_known_by_a_flag_of_its_processors(
    tmp_path: Path, text: str | None, *, virtual: bool
) -> None:
    if text is not None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\n{text}")
    assert is_virtual_machine(tmp_path) == virtual
