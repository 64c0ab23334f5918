"""Recurrent replay: the newest episodes, and separate demonstrations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from skill_training.data.episodes import EpisodeReplay, Episodes, concatenate

MakeEpisodes = Callable[..., Episodes]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _same(left: Episodes, right: Episodes) -> None:
    for name, value in left.as_dict().items():
        torch.testing.assert_close(value, right.as_dict()[name], rtol=0, atol=0)


def test_release_fault_1_the_previous_action_is_the_same_episodes_one_step_before(
    make_episodes: MakeEpisodes,
) -> None:
    episodes = make_episodes(5, steps=7)
    previous = episodes.previous_action
    assert previous.shape == (5, 8, 3)
    for b in range(5):
        assert not previous[b, 0].any()
        for t in range(1, 8):
            assert torch.equal(previous[b, t], episodes.action[b, t - 1])
            assert previous[b, t, :2].tolist() == [b, t - 1]


def test_the_newest_episodes_are_kept(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(10)
    for first in range(0, 24, 4):
        replay.add(make_episodes(4, first=first))
        assert len(replay) == min(first + 4, 10)
    places, task, scores = replay.newest(100)
    numbers = list(range(23, 13, -1))
    assert scores.tolist() == pytest.approx([number / 10 for number in numbers])  # of ten steps
    assert task.tolist() == [number // 4 for number in range(23, 13, -1)]
    assert replay.at(places).observation[:, 0, 6].tolist() == numbers
    assert replay.newest(3)[2].tolist() == pytest.approx([2.3, 2.2, 2.1])


def test_an_episode_is_scored_by_the_steps_that_count(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(10)
    replay.add(replace(make_episodes(4, first=1), length=torch.tensor([10, 1, 2, 5])))
    # Returns 1 to 4, newest first.
    assert replay.newest(4)[2].tolist() == pytest.approx([4 / 5, 3 / 2, 2 / 1, 1 / 10])


def test_release_fault_2_an_uninitialised_slot_is_never_seen(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(50)
    assert [len(part) for part in replay.newest(5)] == [0, 0, 0]
    replay.add(make_episodes(3, first=7))
    assert sorted(replay.newest(50)[2].tolist()) == pytest.approx([0.7, 0.8, 0.9])
    drawn = replay.sample(200, _generator())
    assert set(drawn.returns.tolist()) == {7, 8, 9}
    assert torch.equal(drawn.observation[:, 0, 6], drawn.returns)


def test_demonstrations_are_never_overwritten(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(4)
    replay.keep_demonstrations(make_episodes(2, first=100))
    for first in range(0, 12, 4):
        replay.add(make_episodes(4, first=first))
    drawn = replay.sample(30, _generator(), demonstrated=10)
    assert len(drawn) == 30
    assert int((drawn.returns >= 100).sum()) == 10
    assert set(drawn.returns.tolist()) == {8, 9, 10, 11, 100, 101}
    assert len(replay) == 4
    assert max(replay.newest(100)[2].tolist()) < 10.0


def test_before_the_first_round_only_demonstrations_are_drawn(
    make_episodes: MakeEpisodes,
) -> None:
    replay = EpisodeReplay(4)
    with pytest.raises(ValueError, match="cannot sample 2 episodes from this replay: it is empty"):
        replay.sample(2, _generator())
    replay.keep_demonstrations(make_episodes(2, first=100))
    assert set(replay.sample(20, _generator()).returns.tolist()) == {100, 101}


def test_missing_demonstrations_are_named(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(4)
    replay.add(make_episodes(4))
    with pytest.raises(ValueError, match="sample 3 episodes from this replay: it has no demonstr"):
        replay.sample(8, _generator(), demonstrated=3)


def test_state_continues_exactly(make_episodes: MakeEpisodes) -> None:
    first, second = EpisodeReplay(10), EpisodeReplay(10)
    first.keep_demonstrations(make_episodes(2, first=100))
    first.add(make_episodes(7))
    second.load_state_dict(first.state_dict())
    for replay in (first, second):
        replay.add(make_episodes(6, first=7))
    _same(
        first.sample(20, _generator(), demonstrated=5),
        second.sample(20, _generator(), demonstrated=5),
    )
    assert torch.equal(first.newest(10)[2], second.newest(10)[2])


def test_an_empty_state_can_be_restored(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(10)
    replay.load_state_dict(EpisodeReplay(10).state_dict())
    assert len(replay) == 0
    replay.add(make_episodes(2))
    assert len(replay) == 2


def test_a_state_is_a_copy(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(4)
    replay.add(make_episodes(4))
    state = replay.state_dict()
    replay.add(make_episodes(4, first=50))
    assert state["store"]["returns"].tolist() == [0, 1, 2, 3]


def test_episodes_that_do_not_fit_are_refused(make_episodes: MakeEpisodes) -> None:
    with pytest.raises(ValueError, match="positive capacity"):
        EpisodeReplay(0)
    replay = EpisodeReplay(4)
    with pytest.raises(ValueError, match="5 episodes do not fit a replay of 4"):
        replay.add(make_episodes(5))
    replay.add(make_episodes(2, steps=10))
    with pytest.raises(ValueError, match=r"the replay holds \(11, 8\)"):
        replay.add(make_episodes(2, steps=9))
    with pytest.raises(ValueError, match="has capacity 4, this one 5"):
        EpisodeReplay(5).load_state_dict(replay.state_dict())


def test_concatenate_and_take(make_episodes: MakeEpisodes) -> None:
    whole = concatenate(make_episodes(3), make_episodes(2, first=3, seed=1))
    assert len(whole) == 5
    assert whole.returns.tolist() == [0, 1, 2, 3, 4]
    _same(whole.take(torch.tensor([3, 4])), make_episodes(2, first=3, seed=1))


# Windows of longer episodes -----------------------------------------------------------------------


def test_a_window_begins_with_the_action_before_it(make_episodes: MakeEpisodes) -> None:
    before = torch.rand(4, 3)
    window = replace(make_episodes(4), before=before)
    assert torch.equal(window.previous_action[:, 0], before)
    assert torch.equal(window.previous_action[:, 1:], window.action)
    assert window.encoder_inputs[1].shape == (4, 11, 3)


def test_windows_pass_through_replay_and_its_state(make_episodes: MakeEpisodes) -> None:
    replay = EpisodeReplay(8)
    window = replace(
        make_episodes(6),
        before=torch.rand(6, 3),
        reward=torch.rand(6, 10),
        length=torch.arange(1, 7),
        terminal=torch.arange(6) % 2 == 0,
    )
    replay.add(window)
    other = EpisodeReplay(8)
    other.load_state_dict(replay.state_dict())
    for held in (replay, other):
        _same(held.at(torch.arange(6)), window)
    both = concatenate(window, other.at(torch.tensor([0])))
    assert both.counted.tolist() == [1, 2, 3, 4, 5, 6, 1]
    assert make_episodes(2).counted.tolist() == [10, 10]
    starts = replay.starts(torch.tensor([2, 0]))
    assert torch.equal(starts[:, :8], window.observation[[2, 0], 0])
    assert torch.equal(starts[:, 8:], window.goal[[2, 0], 0])
