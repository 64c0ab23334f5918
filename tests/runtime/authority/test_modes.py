"""The table of modes and events."""

from __future__ import annotations

from typing import get_args

import pytest

from skill_proto.messages import Mode
from skill_runtime.authority.modes import LATCHED, MODES, POLICY_MODES, TABLE, Event, next_mode

EVENTS: tuple[Event, ...] = get_args(Event)
FREE = [mode for mode in MODES if mode not in LATCHED]


def test_the_table_is_complete() -> None:
    assert set(MODES) == set(get_args(Mode)) == set(TABLE)
    for mode in MODES:
        assert set(TABLE[mode]) == set(EVENTS)
        assert {to for to in TABLE[mode].values() if to is not None} <= set(MODES)


@pytest.mark.parametrize("mode", sorted(LATCHED))
def test_only_clear_leaves_a_latched_mode_and_recovery_a_fault(mode: Mode) -> None:
    for event in EVENTS:
        after = next_mode(mode, event)
        if event == "clear" or (mode, event) == ("fault", "recover"):
            assert after == "hold"
        else:
            assert after is None or after in LATCHED


def test_a_stop_is_never_overwritten_by_a_fault() -> None:
    assert next_mode("stopped", "fault") == "stopped"
    assert next_mode("fault", "stop") == "stopped"


@pytest.mark.parametrize("mode", MODES)
def test_stop_stops_in_every_mode(mode: Mode) -> None:
    assert next_mode(mode, "stop") == "stopped"


@pytest.mark.parametrize("mode", FREE)
@pytest.mark.parametrize("event", ["expire", "lease_end", "reset", "acquire", "hold"])
def test_the_end_of_a_motion_holds(mode: Mode, event: Event) -> None:
    assert next_mode(mode, event) == "hold"


@pytest.mark.parametrize("mode", FREE)
def test_an_arm_that_is_not_latched_refuses_no_event(mode: Mode) -> None:
    assert None not in TABLE[mode].values()
    assert next_mode(mode, "clear") == next_mode(mode, "recover") == mode
    for event in ("skill", "goal", "servo"):
        assert next_mode(mode, event) == event


@pytest.mark.parametrize("mode", sorted(LATCHED))
@pytest.mark.parametrize("event", ["acquire", "hold", "skill", "goal", "servo", "reset"])
def test_a_latched_arm_refuses_every_command(mode: Mode, event: Event) -> None:
    assert next_mode(mode, event) is None


def test_the_policy_runs_in_two_modes() -> None:
    assert {"skill", "goal"} == POLICY_MODES
