"""Counts of one run of the service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """Counts of one run of the service."""

    answered: int = 0
    late: int = 0
    """Answers after the deadline of their request."""
    refused: int = 0
    inferences: int = 0
