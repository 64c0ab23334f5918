"""When a policy counts as outside of its training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pytest

from skill_proto.manifest import PolicyManifest
from skill_runtime.policy.outside_monitor import (
    LARGEST,
    OutsideMonitor,
    excursion_text,
    window_steps,
)

WINDOW = 4


def begins(monitor: OutsideMonitor, distances: Iterable[float | None]) -> list[int]:
    """Returns the indices of the distances with which an excursion begins."""
    return [index for index, distance in enumerate(distances) if monitor.update(distance)]


def test_an_excursion_begins_with_a_full_window_above_1() -> None:
    monitor = OutsideMonitor(WINDOW)
    assert begins(monitor, [1.5, 1.5, 1.5]) == []
    assert (monitor.outside, monitor.level) == (None, None)
    assert begins(monitor, [1.5, 1.5]) == [0]
    assert (monitor.outside, monitor.level) == (True, 1.5)


def test_single_far_steps_are_no_excursion() -> None:
    monitor = OutsideMonitor(WINDOW)
    assert begins(monitor, [0.5, 0.5, 0.5, 2.4] * 5) == []  # a mean of .975
    assert monitor.outside is False


def test_an_excursion_ends_below_its_beginning() -> None:
    monitor = OutsideMonitor(WINDOW)
    assert begins(monitor, [1.2] * 4) == [3]
    assert begins(monitor, [0.85] * 4) == []  # above .8 it lasts, and no second one begins
    assert monitor.outside is True
    assert begins(monitor, [0.6]) == []  # a mean of .7875
    assert monitor.outside is False
    assert begins(monitor, [0.9] * 4) == []
    assert begins(monitor, [1.4] * 4) == [0]  # a mean of 1.025


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_an_undefined_distance_starts_over(unknown: float | None) -> None:
    monitor = OutsideMonitor(WINDOW)
    assert begins(monitor, [2.0] * 4) == [3]
    assert begins(monitor, [unknown]) == []
    assert monitor.outside is None
    assert begins(monitor, [2.0] * 4) == [3]


def test_one_step_cannot_fill_the_window() -> None:
    monitor = OutsideMonitor(20)
    assert begins(monitor, [0.2] * 19 + [math.inf]) == []
    assert monitor.level == pytest.approx((19 * 0.2 + LARGEST) / 20)


@pytest.mark.parametrize(
    ("horizon", "rate_hz", "steps"),
    [
        (100, 25.0, 50),  # goal_panda: half of the horizon, 2 s
        (50, 25.0, 25),  # saccm_panda: 1 s
        (1000, 25.0, 50),  # at most 2 s
        (4, 25.0, 12),  # at least .5 s
        (1, 1.0, 1),  # and one step
    ],
)
def test_the_window_is_half_of_the_trained_horizon(
    make_manifest: Callable[..., PolicyManifest], horizon: int, rate_hz: float, steps: int
) -> None:
    states = [{"name": "memory", "shape": [2], "trained_horizon_steps": horizon}]
    manifest = make_manifest(recurrent=states, control_rate_hz=rate_hz)
    assert window_steps(manifest) == steps


def test_the_text_has_mean_and_threshold() -> None:
    assert excursion_text(1.456).endswith("mean context distance 1.46, above 1")
