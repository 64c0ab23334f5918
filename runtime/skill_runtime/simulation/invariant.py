"""InvariantError, in a file of its own because both judges raise it."""

from __future__ import annotations


class InvariantError(BaseException):
    """Something that must never be, was.

    Not an ``Exception``: the loop takes those for faults of its own and goes on.
    """
