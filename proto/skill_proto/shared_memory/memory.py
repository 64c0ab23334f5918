"""Anonymous shared memory that a child process opens by its file descriptor."""

from __future__ import annotations

import mmap
import os
import tempfile


def create_memory(size: int) -> int:
    """Creates zeroed shared memory.

    The memory has no name in the file system, and ends with the last process that holds it.

    Args:
        size: Length [bytes].

    Returns:
        Its file descriptor.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("skill-serve")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def map_memory(descriptor: int) -> memoryview:
    """Returns the writable memory of a descriptor, which may be closed afterwards."""
    return memoryview(mmap.mmap(descriptor, os.fstat(descriptor).st_size))
