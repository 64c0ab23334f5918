"""Fixtures of the algorithms' tests."""

from __future__ import annotations

import pytest
from tests.support.context_sac import STEPS, MakeEpisodes

from skill_training.data.episodes import EpisodeReplay


@pytest.fixture
def replay(make_episodes: MakeEpisodes) -> EpisodeReplay:
    """A replay of 40 episodes."""
    held = EpisodeReplay(40)
    held.add(make_episodes(40, steps=STEPS))
    return held
