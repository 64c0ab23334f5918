"""Recoverable faults, and the severity of two faults."""

from __future__ import annotations

from typing import get_args

import pytest

from skill_proto.faults import FAULTS, more_severe
from skill_proto.messages import FaultClass


def test_every_class_has_a_rule() -> None:
    assert set(FAULTS) == set(get_args(FaultClass))


@pytest.mark.parametrize("kind", ["contact", "arm", "policy", "internal"])
def test_these_classes_need_a_clear(kind: FaultClass) -> None:
    assert not FAULTS[kind].recovers


@pytest.mark.parametrize("first", get_args(FaultClass))
@pytest.mark.parametrize("second", get_args(FaultClass))
def test_a_second_fault_never_reduces_the_severity(first: FaultClass, second: FaultClass) -> None:
    both = more_severe(second, first)
    assert both == more_severe(first, second)
    assert both in (first, second)
    assert FAULTS[both].recovers == (FAULTS[first].recovers and FAULTS[second].recovers)
    assert more_severe("contact", first) == "contact"
