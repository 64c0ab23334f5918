"""Episodes of a recording."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_proto.messages import PolicyStep, Telemetry
from skill_runtime.subscribers.dataset.episodes import episodes
from skill_runtime.subscribers.recording.reader import Recording

TICKS_PER_STEP = 8.0
MOTION_PER_TICK_M = 0.005
"""More than the end effector moves in one period of 5 ms: 1 m/s."""


@pytest.fixture(scope="module")
def messages(recording_file: Path) -> list[object]:
    return [message.parse() for message in Recording([recording_file]).messages()]


def steps_of(messages: list[object]) -> list[PolicyStep]:
    return [message for message in messages if isinstance(message, PolicyStep)]


def test_each_skill_between_two_resets_is_an_episode(messages: list[object]) -> None:
    found = list(episodes(messages, TICKS_PER_STEP))
    assert [episode[0].step.skill for episode in found] == [(1, 0), (0, 1), (1, 0)]
    assert [episode[0].step.state_age == 0 for episode in found] == [True, False, True]


def test_a_frame_has_the_nearest_state(messages: list[object]) -> None:
    states = [message for message in messages if isinstance(message, Telemetry)]
    for episode in episodes(messages, TICKS_PER_STEP):
        for frame in episode:
            distance = abs(frame.state.tick - frame.step.tick)
            assert distance == min(abs(state.tick - frame.step.tick) for state in states)
            # The observation begins with the position of the end effector.
            assert frame.state.end_effector_position == pytest.approx(
                frame.step.observation[:3], abs=1e-5 + distance * MOTION_PER_TICK_M
            )


def test_a_lost_step_a_pause_and_another_server_end_an_episode(messages: list[object]) -> None:
    steps, first = steps_of(messages), next(m for m in messages if isinstance(m, Telemetry))

    def lengths(changed: list[PolicyStep]) -> list[int]:
        last = first.model_copy(update={"tick": 10**6})
        return [len(item) for item in episodes([first, *changed, last], TICKS_PER_STEP)]

    ten = steps[:10]
    assert lengths(ten) == [10]
    assert lengths(ten[:4] + ten[5:]) == [4, 5]
    later = [step.model_copy(update={"tick": step.tick + 5}) for step in ten[6:]]
    assert lengths(ten[:6] + later) == [6, 4]
    other = [step.model_copy(update={"instance": "other"}) for step in ten[3:]]
    assert lengths(ten[:3] + other) == [3, 7]
    assert lengths(ten[:1]) == []


def test_every_fifth_step(messages: list[object]) -> None:
    every, fifth = list(episodes(messages, 8.0)), list(episodes(messages, 8.0, 5))
    assert [frame.step.step for frame in fifth[0]] == [frame.step.step for frame in every[0]][::5]
