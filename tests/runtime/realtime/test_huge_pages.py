"""The variables with which a process asks for huge pages."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from skill_runtime.realtime.huge_pages import huge_pages

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_an_environment_without_a_choice_gets_both_variables() -> None:
    found = huge_pages({"PATH": "/bin"})
    assert found["PYTHONMALLOC"] == "malloc"
    assert found["GLIBC_TUNABLES"].startswith("glibc.malloc.hugetlb=1:")


def test_other_tunables_stay() -> None:
    found = huge_pages({"GLIBC_TUNABLES": "glibc.malloc.check=3"})
    assert found["GLIBC_TUNABLES"].startswith("glibc.malloc.check=3:glibc.malloc.hugetlb=1:")


def test_a_choice_of_the_user_stays() -> None:
    given = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0", "PYTHONMALLOC": "debug"}
    found = huge_pages(given)
    assert "glibc.malloc.hugetlb=0" in found["GLIBC_TUNABLES"]
    assert "glibc.malloc.hugetlb=1" not in found["GLIBC_TUNABLES"]
    assert "PYTHONMALLOC" not in found
    assert huge_pages({"PYTHONMALLOC": ""})["PYTHONMALLOC"] == "malloc"


@pytest.mark.skipif(
    not ENABLED.exists() or "[never]" in ENABLED.read_text(),
    reason="this kernel has no transparent huge pages",
)
def test_a_process_gets_huge_pages() -> None:
    """The memory of 100,000 Python objects lies in huge pages."""
    code = "objects = [object() for _ in range(100_000)]; print(len(objects)); input()"
    with psutil.Popen(
        [sys.executable, "-c", code],
        stdin=-1,
        stdout=-1,
        env=huge_pages({}),
    ) as child:
        child.stdout.readline()
        rollup = Path(f"/proc/{child.pid}/smaps_rollup").read_text()
        child.kill()
    sizes = dict(line.split(":") for line in rollup.splitlines()[1:])
    assert int(sizes["AnonHugePages"].split()[0]) > 0
