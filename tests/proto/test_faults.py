"""Which faults may end by themselves, and that none is made milder by another."""

from __future__ import annotations

from typing import get_args

import pytest

from skill_proto.faults import FAULTS, more_severe
from skill_proto.messages import FaultClass


def test_every_class_has_a_rule() -> None:
    assert set(FAULTS) == set(get_args(FaultClass))


@pytest.mark.parametrize("kind", ["contact", "arm", "policy", "internal"])
def test_what_touched_something_or_cannot_be_explained_needs_a_person(kind: FaultClass) -> None:
    assert not FAULTS[kind].recovers


@pytest.mark.parametrize("first", get_args(FaultClass))
@pytest.mark.parametrize("second", get_args(FaultClass))
def test_a_second_fault_never_makes_it_milder(first: FaultClass, second: FaultClass) -> None:
    both = more_severe(second, first)
    assert both == more_severe(first, second)
    assert both in (first, second)
    assert FAULTS[both].recovers == (FAULTS[first].recovers and FAULTS[second].recovers)
    assert more_severe("contact", first) == "contact"
