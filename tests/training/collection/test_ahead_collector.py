"""Collection in a process of its own, one round ahead."""

from __future__ import annotations

import copy
import math
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
import torch

from skill_robots.worlds.registry import make_world
from skill_training.collection.ahead_collector import AheadCollector, RoundRecorder
from skill_training.errors import TrainingError
from skill_training.nets.finite import NotFiniteError
from skill_training.recipes.discovery.config import (
    SkillConfig,
    SkillRunSettings,
    default_skill_config,
)
from skill_training.recipes.discovery.recipe import SkillLearner

CPU = torch.device("cpu")


def config(*, overlap: bool) -> SkillConfig:
    whole = default_skill_config("csf", "half_cheetah")
    run = SkillRunSettings(
        n_envs=3, env_steps=240, warmup_steps=60, eval_skills=4, final_eval_goals=2, overlap=overlap
    )
    return replace(whole, run=run, task=replace(whole.task, episode_steps=20))


@dataclass
class Round:
    """What a learner stores in one round."""

    rows: torch.Tensor
    env_steps: int
    cells: float


@pytest.fixture
def learner_of() -> Iterator[Callable[..., SkillLearner]]:
    """Makes learners whose processes end with the test."""
    made: list[SkillLearner] = []

    def make(*, overlap: bool = True) -> SkillLearner:
        made.append(SkillLearner(config(overlap=overlap), CPU))
        return made[-1]

    yield make
    for learner in made:
        learner.close()


def rounds(learner: SkillLearner, count: int, *, learn: bool) -> list[Round]:
    found: list[Round] = []
    for _ in range(count):
        counts = learner.collect_round()
        state = learner.state_dict()["replay"]
        cells = counts["cumulative_cells"]
        found.append(Round(rows=state["rows"][-60:], env_steps=learner.env_steps, cells=cells))
        if learn:
            learner.update()
    return found


def test_the_warm_up_is_that_without_it(learner_of: Callable[..., SkillLearner]) -> None:
    """Random actions and starts come from the same seeds in both cases."""
    (here,) = rounds(learner_of(overlap=False), 1, learn=False)
    (there,) = rounds(learner_of(), 1, learn=False)
    assert torch.equal(here.rows, there.rows)
    assert here.env_steps == there.env_steps == 60
    assert here.cells == there.cells > 0


def test_a_round_is_collected_with_the_actor_before_the_last_steps(
    learner_of: Callable[..., SkillLearner],
) -> None:
    """Two learners that differ only in their third round of steps collect the same third round."""
    learners = [learner_of() for _ in range(2)]
    third = [rounds(learner, 2, learn=True)[-1] for learner in learners]
    learners[1].update()
    third = [rounds(learner, 1, learn=False)[0] for learner in learners]
    assert torch.equal(third[0].rows, third[1].rows)
    fourth = [rounds(learner, 1, learn=False)[0] for learner in learners]
    assert not torch.equal(fourth[0].rows, fourth[1].rows)


def test_steps_that_are_taken_meanwhile_do_not_reach_the_round_ahead(
    learner_of: Callable[..., SkillLearner],
) -> None:
    """The process has a copy of the weights, and not the memory that gradient steps change."""
    one, other = learner_of(), learner_of()
    for learner in (one, other):
        rounds(learner, 2, learn=False)
        learner.collect_round()
    with torch.no_grad():
        for weight in other.algorithm.actor.parameters():
            weight.fill_(math.inf)  # at once, while the process collects
    for learner in (one, other):
        learner.collect_round()
    fourth = [learner._replay.state_dict()["rows"][-60:] for learner in (one, other)]
    assert torch.equal(fourth[0], fourth[1])


def test_ctrl_c_does_not_end_the_process(learner_of: Callable[..., SkillLearner]) -> None:
    """It reaches all processes of a terminal, and the learner saves a checkpoint then."""
    learner = learner_of()
    collector = learner._collector
    assert isinstance(collector, AheadCollector)
    pid = collector._process.pid
    assert pid is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)  # it may still import
    rounds(learner, 1, learn=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert learner.state_dict()["collector"]["env_steps"] == 60


def test_a_restored_learner_goes_on_exactly(learner_of: Callable[..., SkillLearner]) -> None:
    first = learner_of()
    rounds(first, 2, learn=True)
    state = copy.deepcopy(first.state_dict())
    second = learner_of()
    second.load_state_dict(state)
    for one, other in zip(rounds(first, 3, learn=True), rounds(second, 3, learn=True), strict=True):
        assert torch.equal(one.rows, other.rows)
        assert (one.env_steps, one.cells) == (other.env_steps, other.cells)


def test_a_network_that_is_not_finite_is_named(learner_of: Callable[..., SkillLearner]) -> None:
    learner = learner_of()
    rounds(learner, 2, learn=False)  # the warm-up ends
    with torch.no_grad():
        next(learner.algorithm.actor.parameters()).fill_(math.nan)
    with pytest.raises(NotFiniteError):
        rounds(learner, 3, learn=False)


def test_a_process_that_was_killed_is_reported(learner_of: Callable[..., SkillLearner]) -> None:
    learner = learner_of()
    rounds(learner, 1, learn=False)
    collector = learner._collector
    assert isinstance(collector, AheadCollector)
    collector.close()
    with pytest.raises(TrainingError, match=r"process of the scenes has ended \(exit code -9\)"):
        rounds(learner, 3, learn=False)


def test_the_recorder_keeps_the_order() -> None:
    recorder = RoundRecorder()
    recorder.add([[1.0]], [[2.0]], None)
    recorder.add([[3.0]], [[4.0]], None)
    first, second = recorder.take()
    assert (first.tolist(), second.tolist()) == ([[1.0], [3.0]], [[2.0], [4.0]])


def test_a_world_of_one_scene_describes_the_others() -> None:
    made = config(overlap=True)
    assert make_world(made.task, 1).spec == make_world(made.task, 3).spec
