"""Memory of a new process in huge pages.

A tick after a pause takes longer than one right after another, mostly because other programs have
displaced the controller's addresses from the translation lookaside buffer. In pages of 2 MiB
instead of 4 KiB the same memory needs far fewer entries. ``benchmarks.serving.revisions`` measures
the difference.

The C library chooses the pages when a process starts, so the choice is made in its environment:
``glibc.malloc.hugetlb`` (GNU C Library manual, "Memory Allocation Tunables", since 2.35) asks for
transparent huge pages. Python's own allocator does not use the C library's, which must be chosen
too. Other systems, and kernels without transparent huge pages, ignore both variables.
"""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "GLIBC_TUNABLES"
ALLOCATOR = "PYTHONMALLOC"

TUNABLES = {
    "glibc.malloc.hugetlb": 1,
    # Memory that is freed is kept, and large blocks come from it too. A huge page that is given
    # back is cleared again before its next use, which made the start slower by half a second.
    "glibc.malloc.trim_threshold": 2**30,
    "glibc.malloc.mmap_threshold": 2**25,
}


def huge_pages(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables to add to an environment; choices of the user stay."""
    given = environment.get(VARIABLE, "")
    tunables = [f"{name}={value}" for name, value in TUNABLES.items() if name not in given]
    found = {VARIABLE: ":".join([*filter(None, [given]), *tunables])}
    if not environment.get(ALLOCATOR):
        found[ALLOCATOR] = "malloc"
    return found
