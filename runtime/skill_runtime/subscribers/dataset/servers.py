"""The servers of a recording whose steps fit in one dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skill_proto.messages import PolicyStep, Telemetry, Welcome

SAME = ("manifest", "robot", "joint_names", "policy_rate_hz", "servo_period_s")
"""Fields of the server's description that are equal for all servers of one dataset."""

Received = Telemetry | PolicyStep


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The messages of servers with the same arm and manifest."""

    welcome: Welcome
    """Description of the first of these servers."""
    messages: tuple[Received, ...]
    left_out: tuple[str, ...]
    """A line for each server whose policy steps are not among the messages."""


def select(messages: Sequence[Received], welcomes: Mapping[str, Welcome]) -> Selection:
    """Returns the messages of the servers that are like that of the first policy step.

    Args:
        messages: Telemetry and policy steps in the order of their arrival.
        welcomes: Descriptions of the servers by instance, at least one.
    """
    steps = Counter(item.instance for item in messages if isinstance(item, PolicyStep))
    first = next((instance for instance in steps if instance in welcomes), next(iter(welcomes)))
    kept = {
        instance
        for instance, welcome in welcomes.items()
        if all(getattr(welcome, name) == getattr(welcomes[first], name) for name in SAME)
    }
    left_out = [
        f"{count} policy steps {_reason(welcomes.get(instance))} were left out"
        for instance, count in steps.items()
        if instance not in kept
    ]
    return Selection(
        welcome=welcomes[first],
        messages=tuple(item for item in messages if item.instance in kept),
        left_out=tuple(left_out),
    )


def _reason(welcome: Welcome | None) -> str:
    if welcome is None:
        return "of a server that the recording does not describe"
    return f"of {welcome.policy_file or welcome.manifest.name}, whose manifest or arm differs,"
