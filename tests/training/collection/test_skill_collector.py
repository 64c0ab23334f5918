"""Collection in a world whose episodes may end early."""

from __future__ import annotations

from typing import Any, cast

import torch
from tests.robots.worlds.environments import Point

from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.collection.skill_collector import SkillCollector
from skill_training.data.replay import Batch, ReplayBuffer
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig

STEPS = 30


def collected(*, terminals: bool, **settings: object) -> tuple[Batch, SkillCollector]:
    more = cast("dict[str, Any]", settings)
    config = GymnasiumConfig(environment="point", episode_steps=STEPS, terminals=terminals, **more)
    world = GymnasiumWorld(Point, config, 3, seed=1)
    phi = RepresentationConfig(inputs=("*",), form="linear")
    inputs = NetworkInputs(scale=(1.0, 1.0), seen=(0, 1), seen_scale=(1.0, 1.0))
    algorithm = Csf(CsfConfig(hidden=(8,), representation=phi), inputs=inputs, action_size=1)
    sizes = {"observation_size": 2, "action_size": 1, "skill_size": 2}
    replay = ReplayBuffer(200, **sizes, terminals=terminals)
    collector = SkillCollector(
        world, algorithm, replay, terminals=terminals, warmup_steps=1000, seed=0
    )
    collector.collect_round()
    rows = replay.sample(2000, torch.Generator().manual_seed(0))
    return rows, collector


def test_a_scene_that_ends_starts_anew_within_the_round() -> None:
    batch, collector = collected(terminals=True)
    assert collector.env_steps == 3 * STEPS
    before, after = batch.observation[:, 0], batch.next_observation[:, 0]
    assert batch.terminal is not None
    # Every transition is within one episode: the point moves by half of the scaled action.
    torch.testing.assert_close(after - before, 0.5 * (1 + 3 * batch.action[:, 0]))
    assert (before <= 1.0).all()
    torch.testing.assert_close(batch.terminal, (after > 1.0).float())
    assert 0 < batch.terminal.mean() < 1


def test_the_cells_that_scenes_visit_are_counted_exactly() -> None:
    """All places of the transitions, with a cell of .5 from 0 on."""
    batch, collector = collected(terminals=True, coordinates=("position",), cell=0.5)
    places = torch.cat((batch.observation[:, 0], batch.next_observation[:, 0]))
    assert collector.cumulative_cells == len(torch.unique(torch.floor(places / 0.5)))
    assert collected(terminals=True)[1].cumulative_cells is None


def test_without_terminals_none_is_stored() -> None:
    assert collected(terminals=False)[0].terminal is None
