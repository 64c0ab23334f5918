"""Contexts of the benchmark's scenes: the six cells, or a range without a box."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from skill_robots.tasks.skill_aware.benchmark import EPISODE_STEPS, EXTREME, MODERATE, TRAIN, Cell
from skill_robots.tasks.skill_aware.scenes import AREA_M, FRICTIONS, Starts
from skill_training.errors import ConfigError
from skill_training.recipes.skill_aware.config import METHODS, BenchmarkConfig
from skill_training.recipes.skill_aware.world import (
    SkillAwareTaskConfig,
    SkillAwareWorld,
    log_truth,
    unseen_cells,
)

MakeWorld = Callable[..., SkillAwareWorld]


@pytest.fixture
def make_world() -> Iterator[MakeWorld]:
    worlds: list[SkillAwareWorld] = []

    def build(n: int = 8, *, seed: int = 0, **settings: object) -> SkillAwareWorld:
        config = SkillAwareTaskConfig(**{"engine": "mujoco", **settings})
        worlds.append(SkillAwareWorld(config, n, seed=seed))
        return worlds[-1]

    yield build
    for world in worlds:
        world.close()


def _met(world: SkillAwareWorld, rounds: int) -> np.ndarray:
    """Frictions and masses of these rounds, ``(rounds * n, 2)``."""
    met = []
    for _ in range(rounds):
        world.reset()
        met.append(np.stack(world.context, axis=1))
    return np.concatenate(met)


def test_cells_are_the_six_published_ones(make_world: MakeWorld) -> None:
    world = make_world(16)
    met = {Cell(friction, mass) for friction, mass in _met(world, 12).tolist()}
    assert met == set(TRAIN)
    assert len(met) == 6


def test_the_task_of_a_cell_is_its_number(make_world: MakeWorld) -> None:
    world = make_world(16)
    for _ in range(3):
        world.reset()
        friction, mass = world.context
        cells = [Cell(f, m) for f, m in zip(friction.tolist(), mass.tolist(), strict=True)]
        assert [TRAIN[number] for number in world.task] == cells


def test_a_held_out_context_is_never_drawn(make_world: MakeWorld) -> None:
    met = _met(make_world(64, contexts="range", scenes_per_task=1), 40)
    friction, mass = met.T
    assert not ((friction >= 3) & (friction <= 8) & (mass >= 7) & (mass <= 14)).any()
    # The rest of the range is drawn, also beside the box in one of the two quantities.
    assert ((friction >= 3) & (friction <= 8)).any()
    assert ((mass >= 7) & (mass <= 14)).any()
    for column, (low, high) in zip(met.T, ((0.1, 20.0), (1.0, 20.0)), strict=True):
        assert column.min() >= low
        assert column.max() <= high
        assert column.min() < 1.2 * low
        assert column.max() > 0.8 * high


HEAVY = {Cell(friction, 30.0) for friction in FRICTIONS}
"""Every cell with a mass beyond the default range."""
SATURATED = {Cell(30.0, 1.0), Cell(30.0, 5.0), Cell(30.0, 10.0)}
"""Cells with label 30 and a mass inside the default range.

Label 30 has the effective friction 7 of every label from 14 on in the MuJoCo twin, and Bullet's
limit of every label from 20 on.
"""


@pytest.mark.parametrize("engine", ["mujoco", "bullet"])
def test_the_default_range_draws_the_friction_of_label_30(engine: str) -> None:
    task = SkillAwareTaskConfig(contexts="range", engine=engine)
    assert task.friction == (0.1, 20.0)
    assert task.mass == (1.0, 20.0)
    assert set(unseen_cells(task)) == {*HEAVY, Cell(5.0, 10.0)}
    assert len(unseen_cells(task)) == 6


@pytest.mark.parametrize(
    ("engine", "highest", "drawn"),
    [
        ("mujoco", 13.9, False),  # effective friction up to 6.95, below the limit of 7
        ("mujoco", 14.0, True),
        ("mujoco", 19.0, True),
        ("bullet", 19.0, False),
        ("bullet", 20.0, True),
    ],
)
def test_label_30_is_unseen_only_below_the_saturation_of_the_engine(
    engine: str, highest: float, drawn: bool
) -> None:
    task = SkillAwareTaskConfig(contexts="range", engine=engine, friction=(0.1, highest))
    expected = HEAVY | {Cell(5.0, 10.0)} | (set() if drawn else SATURATED)
    assert set(unseen_cells(task)) == expected


@pytest.mark.parametrize(
    ("held_out_friction", "expected"),
    [
        # Labels 14 to 20 are all held out, so training never draws friction 7 at 10 kg.
        ((9.0, 20.0), {Cell(10.0, 10.0), Cell(30.0, 10.0)}),
        # Labels 15 to 20 remain, with friction 7.
        ((9.0, 15.0), {Cell(10.0, 10.0)}),
    ],
)
def test_a_held_out_box_hides_label_30_only_with_every_equal_label(
    held_out_friction: tuple[float, float], expected: set[Cell]
) -> None:
    task = SkillAwareTaskConfig(
        contexts="range", engine="mujoco", held_out_friction=held_out_friction
    )
    assert set(unseen_cells(task)) == HEAVY | expected


def test_with_the_published_cells_every_other_cell_is_unseen() -> None:
    """The training labels end at 10, an effective friction of 5; label 30 has at least 6."""
    unseen = unseen_cells(SkillAwareTaskConfig(contexts="cells"))
    assert set(unseen) == {*MODERATE, *EXTREME}
    assert len(unseen) == 14


def test_scenes_of_a_task_share_a_context(make_world: MakeWorld) -> None:
    world, seen = make_world(8, contexts="range", scenes_per_task=4), set[int]()
    for _ in range(4):
        world.reset()
        friction, mass = world.context
        for values in (friction, mass, world.task):
            assert len(np.unique(values[:4])) == len(np.unique(values[4:])) == 1
            assert values[0] != values[4]
        assert not seen & {*world.task.tolist()}
        seen |= {*world.task.tolist()}


def test_a_last_group_may_be_smaller(make_world: MakeWorld) -> None:
    world = make_world(6, contexts="range", scenes_per_task=4)
    world.reset()
    assert world.task.tolist() == [2, 2, 2, 2, 3, 3]


def test_the_truth_uses_the_effective_friction(make_world: MakeWorld) -> None:
    world = make_world()
    world.reset()
    label, mass = world.context
    # The label is twice the effective coefficient.
    np.testing.assert_allclose(np.exp(world.truth), np.stack([mass, label / 2], axis=1))
    # Beyond what Bullet's solver bears, the label changes nothing, and there is nothing to know.
    beyond = np.exp(log_truth(np.array([14.0, 20.0]), np.array([1.0, 2.0])))
    np.testing.assert_allclose(beyond, [[1.0, 7.0], [2.0, 7.0]])


def test_the_physics_gets_the_drawn_contexts(make_world: MakeWorld) -> None:
    world = make_world(16)
    given: list[tuple[np.ndarray, np.ndarray]] = []
    begin = world._scenes.reset

    def watched(starts: Starts, friction: np.ndarray, mass: np.ndarray) -> None:
        given.append((friction, mass))
        begin(starts, friction, mass)

    world._scenes.reset = watched
    world.reset()
    np.testing.assert_array_equal(given[0], world.context)
    assert np.abs(world.goal).max() <= AREA_M


def test_a_world_continues_exactly_from_its_state(make_world: MakeWorld) -> None:
    first, second = make_world(contexts="range"), make_world(seed=5, contexts="range")
    _met(first, 3)
    second.load_state_dict(first.state_dict())
    for world in (first, second):
        world.reset()
        world.step(np.full((8, 4), 0.3))
    np.testing.assert_array_equal(first.observe(), second.observe())
    np.testing.assert_array_equal(first.goal, second.goal)
    np.testing.assert_array_equal(first.truth, second.truth)
    np.testing.assert_array_equal(first.task, second.task)


def test_release_fault_4_training_episodes_are_as_long_as_the_evaluations() -> None:
    for name, kind in METHODS.items():
        config = BenchmarkConfig(algorithm=kind())
        assert config.task.episode_steps == EPISODE_STEPS, name


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"friction": (4.0, 5.0), "mass": (8.0, 9.0)}, "lie within the held-out box"),
        ({"friction": (2.0, 1.0)}, "--task.friction 2.0 1.0 is not a range"),
        ({"held_out_mass": (-1.0, 1.0)}, "--task.held-out-mass -1.0 1.0 is not a range"),
    ],
)
def test_impossible_ranges_are_refused(settings: dict[str, object], words: str) -> None:
    task = SkillAwareTaskConfig(contexts="range", **settings)
    with pytest.raises(ConfigError, match=words):
        BenchmarkConfig(algorithm=METHODS["ccm"](), task=task)
