"""The ranges outside of training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks.context.outside.conditions import Side, inside, outside

from skill_proto.manifest import PolicyManifest
from skill_runtime.console.flags import UsageError

TRAINED = Side(mass=(0.5, 2.0), friction=(0.1, 0.8), stiffness=(0.9, 1.2))


def test_inside_is_the_range_of_the_manifest(make_manifest: Callable[..., PolicyManifest]) -> None:
    assert inside(make_manifest()) == Side(mass=(0.4, 1.6), friction=(0.2, 0.8))
    with pytest.raises(UsageError, match="no range of cube_mass"):
        inside(make_manifest(trained_on={}))


def test_outside_is_two_to_four_times_beyond_an_end() -> None:
    sides = outside(TRAINED, largest_friction=10.0, stiffer=True, goals=1)
    assert sides["cube mass"]["below"].mass == (0.125, 0.25)
    assert sides["cube mass"]["above"].mass == (4.0, 8.0)
    assert sides["cube friction"]["below"].friction == (0.025, 0.05)
    assert sides["cube friction"]["above"].friction == (1.6, 3.2)
    assert sides["arm stiffness"]["below"].stiffness == pytest.approx((0.45, 0.6))
    assert sides["arm stiffness"]["above"].stiffness == pytest.approx((1.8, 2.4))
    assert [side.late_steps for side in sides["action latency"].values()] == [1, 2]
    assert list(sides["action latency"]) == ["+40 ms", "+80 ms"]


def test_one_quantity_is_outside_at_a_time() -> None:
    sides = outside(TRAINED, largest_friction=10.0, stiffer=True, goals=3)
    for ends in sides.values():
        for side in ends.values():
            names = Side.__dataclass_fields__
            assert sum(getattr(side, name) != getattr(TRAINED, name) for name in names) == 1


def test_a_side_that_cannot_be_simulated_is_left_out() -> None:
    sides = outside(TRAINED, largest_friction=1.0, stiffer=False, goals=1)
    assert list(sides["cube friction"]) == list(sides["arm stiffness"]) == ["below"]
    assert "goal after goal" not in sides
