"""The error of a policy's caller."""

from __future__ import annotations


class PolicyError(ValueError):
    """An argument does not fit the policy, or the policy returned a number that is not finite."""
