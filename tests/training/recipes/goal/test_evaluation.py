"""Evaluation of goals: the rest share, and the names of the metrics."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch

from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_robots.tasks.tabletop.metrics import REST_STEPS, rest_share
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories
from skill_training.algorithms.context_sac import ContextSac
from skill_training.data.episodes import Episodes
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.goal import evaluation as goal_evaluation
from skill_training.recipes.goal.config import GoalConfig, GoalSacConfig
from skill_training.recipes.goal.evaluation import (
    CONTEXTS,
    NEVER,
    QUICK,
    distances_and_speeds,
    evaluate_goals,
    identification,
    nominal,
    rest_shares,
)
from skill_training.recipes.goal.recipe import build_algorithm
from skill_training.recipes.goal.world import GoalTaskConfig

PLACE = layout(PUSH_OBSERVATION)


@pytest.fixture
def algorithm() -> ContextSac:
    settings = GoalSacConfig(
        hidden=(16,), encoder=EncoderConfig(hidden=8), start_from=None, knowledge="inferred"
    )
    return build_algorithm(GoalConfig(algorithm=settings), torch.device("cpu"))


def _episodes(cube: np.ndarray, speed: np.ndarray, goal: np.ndarray) -> Episodes:
    """Episodes with cube positions ``(n, T + 1, 2)`` and these speeds."""
    n, steps = cube.shape[0], cube.shape[1] - 1
    observation = torch.randn(n, steps + 1, 28)
    place = PLACE["cube_position"].start
    observation[..., place : place + 2] = torch.tensor(cube)
    place = PLACE["cube_velocity"].start
    turn = np.random.default_rng(1).uniform(0, 7, speed.shape)
    observation[..., place] = torch.tensor(speed * np.cos(turn))
    observation[..., place + 1] = torch.tensor(speed * np.sin(turn))
    return Episodes(
        observation=observation,
        action=torch.zeros(n, steps, 3),
        goal=torch.tensor(goal).float()[:, None].expand(-1, steps, -1),
        truth=torch.zeros(n, steps + 1, 2),
        hidden=torch.zeros(n, 1),
        cell=torch.zeros(n, 1),
        task=torch.zeros(n, dtype=torch.int64),
        returns=torch.zeros(n),
        demonstrated=torch.zeros(n, steps, dtype=torch.bool),
    )


def test_distances_and_speeds_equal_those_of_skill_eval() -> None:
    random = np.random.default_rng(0)
    n, steps = 400, 60
    goal = random.uniform(-0.15, 0.15, (n, 2))
    cube = goal[:, None] + random.normal(0, 0.03, (n, steps + 1, 2))
    cube[:, 0] = goal + random.normal(0, 0.06, (n, 2))
    speed = random.uniform(0, 0.05, (n, steps + 1))
    theirs = GoalTrajectories(
        cube=cube,
        cube_speed=speed,
        end_effector=np.zeros((n, steps + 1, 3)),
        goals=goal,
        mass=np.ones(n),
        friction=np.ones(n),
    )
    distance, seen = distances_and_speeds(_episodes(cube, speed, goal))
    np.testing.assert_allclose(distance, theirs.distance, atol=1e-6)
    np.testing.assert_allclose(seen, theirs.cube_speed, atol=1e-6)
    for step in REST_STEPS:
        assert 0.05 < rest_share(distance, seen, step) < 0.95


def test_a_cube_at_rest_by_hand() -> None:
    goal = np.zeros((4, 2))
    cube, speed = np.zeros((4, 61, 2)), np.full((4, 61), 0.3)
    cube[:, 0] = [[0.1, 0], [0.1, 0], [0.1, 0], [0.03, 0]]  # the last goal is not far
    cube[0, 40], speed[0, 40] = (0.02, 0.02), 0.01  # at the goal and at rest
    cube[1, 40], speed[1, 40] = (0.02, 0.02), 0.03  # passes by
    cube[2, 40], speed[2, 40] = (0.03, 0.02), 0.01  # rests elsewhere
    speed[3, 40] = 0.0
    distance, seen = distances_and_speeds(_episodes(cube, speed, goal))
    assert rest_share(distance, seen, 40) == pytest.approx(1 / 3)
    assert math.isnan(rest_share(distance[3:], seen[3:], 40))  # no far goal


def test_without_a_far_goal_no_share_is_reported(
    algorithm: ContextSac, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = np.zeros((2, 61)), np.zeros((2, 61))
    monkeypatch.setattr(goal_evaluation, "distances_and_speeds", lambda _: near)
    assert rest_shares(algorithm, GoalTaskConfig(), (1.0, 1.0), (0.3, 0.3), goals=2) == {}


def test_release_fault_4_an_evaluation_is_not_longer_than_a_training_episode() -> None:
    task = GoalTaskConfig()
    assert nominal(task, task.mass, task.friction).episode_steps <= task.episode_steps


def test_conditions_are_nominal_and_constant(algorithm: ContextSac) -> None:
    task = nominal(GoalTaskConfig(), (4.8, 4.8), (0.06, 0.06))
    world = goal_evaluation.GoalWorld(task, 6, seed=0)
    world.reset()
    goal, truth = world.goal, world.truth
    np.testing.assert_allclose(np.exp(truth), [[4.8, 0.06]] * 6)
    for _ in range(task.episode_steps):
        world.step(np.zeros((6, 3)))
    np.testing.assert_array_equal(world.goal, goal)
    np.testing.assert_array_equal(world.truth, truth)
    np.testing.assert_allclose(world.observe()[:, 6:8], world.cube_position, atol=1e-9)


def test_release_fault_5_every_number_has_its_right_name(
    algorithm: ContextSac, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def shares(
        _: ContextSac, task: GoalTaskConfig, mass: object, friction: object, **how: object
    ) -> dict[str, float]:
        asked.append((mass, friction, how.get("use", "live")))
        return {"by_1600ms": float(len(asked)), "by_2400ms": -float(len(asked))}

    monkeypatch.setattr(goal_evaluation, "rest_shares", shares)
    monkeypatch.setattr(goal_evaluation, "identification", lambda *_, **__: {"r2": 0.5})
    task = GoalTaskConfig()
    metrics = evaluate_goals(algorithm, task, goals=4, full=True)
    assert metrics.pop("r2") == 0.5
    conditions = {"trained": (task.mass, task.friction), **CONTEXTS}
    expected = {}
    for number, (mass, friction, use) in enumerate(asked, start=1):
        (name,) = [key for key, value in conditions.items() if value == (mass, friction)]
        prefix = "" if use == "live" else f"{use}_"
        expected[f"{name}/{prefix}by_1600ms"] = float(number)
        expected[f"{name}/{prefix}by_2400ms"] = -float(number)
    assert metrics == expected
    assert len(asked) == 1 + 3 * len(CONTEXTS)
    quick = evaluate_goals(algorithm, task, goals=4, full=False)
    names = ("trained", *QUICK)
    assert {name.split("/")[0] for name in quick} == {*names, "r2"}


def test_times_are_in_milliseconds(algorithm: ContextSac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goal_evaluation, "rest_share", lambda _, __, step: step / 100)
    shares = rest_shares(algorithm, GoalTaskConfig(), (1.0, 1.0), (0.3, 0.3), goals=2)
    assert shares == {"by_1600ms": 0.4, "by_2400ms": 0.6}


@pytest.mark.parametrize("knowledge", ["told", "untold"])
def test_bounds_are_evaluated_without_context_metrics(knowledge: str) -> None:
    settings = GoalSacConfig(hidden=(16,), start_from=None, knowledge=knowledge)
    task = GoalTaskConfig(episode_steps=20)
    bound = build_algorithm(GoalConfig(algorithm=settings, task=task), torch.device("cpu"))
    metrics = evaluate_goals(bound, task, goals=2, full=False)
    assert set(metrics) == {
        f"{name}/by_{time}ms" for name, time in itertools.product(("trained", *QUICK), (1600, 2400))
    }


def test_an_evaluation_does_not_change_the_run_and_repeats(
    algorithm: ContextSac, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goal_evaluation, "QUICK", ("mu0.1",))
    task = GoalTaskConfig(episode_steps=20)
    before = {name: str(value) for name, value in algorithm.state_dict().items()}
    first = evaluate_goals(algorithm, task, goals=3, full=False)
    assert first == evaluate_goals(algorithm, task, goals=3, full=False)
    assert before == {name: str(value) for name, value in algorithm.state_dict().items()}


# Identification -----------------------------------------------------------------------------------


def test_sensor_noise_does_not_count_as_contact() -> None:
    task = GoalTaskConfig(
        sensor_noise=1.0, start="high", friction=(0.1, 0.1), context_change_share=0.0
    )
    world = goal_evaluation._ContactWorld(task, 6, seed=0)
    world.reset()
    velocity, seen = PLACE["cube_velocity"], 0.0
    for step in range(1, 9):
        if step == 5:
            world._table.push_cube(np.array([0.3, 0.0]))
        world.step(np.zeros((6, 3)))
        if step < 5:
            assert (world.first_contact == NEVER).all()
            seen = max(seen, np.abs(world.observe()[:, velocity]).max())
    assert seen > goal_evaluation.CONTACT_M_S  # the measured speed alone would count as contact
    assert world.first_contact.tolist() == [5] * 6


def test_estimates_are_evaluated_at_their_time_after_contact(
    algorithm: ContextSac, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_out = goal_evaluation.hold_out
    touched = np.array([NEVER, 0, 10, 30, 90])

    def rigged(policy: ContextSac, world: goal_evaluation._ContactWorld) -> object:
        held = held_out(policy, world)
        world.first_contact = touched
        # Estimates that equal their step.
        steps = np.arange(held.truth.shape[1], dtype=float)
        estimates = np.broadcast_to(steps[None, :, None], held.truth.shape)
        return dataclasses.replace(held, estimates=estimates)

    seen: list[list[float]] = []

    def log_r2(truth: np.ndarray, estimates: np.ndarray) -> list[float]:
        seen.append(estimates[:, 0].tolist())
        assert truth.shape == estimates.shape
        return [0.25, 0.75]

    monkeypatch.setattr(goal_evaluation, "hold_out", rigged)
    monkeypatch.setattr(goal_evaluation, "log_r2", log_r2)
    metrics = identification(algorithm, GoalTaskConfig(), episodes=5)
    assert seen == [[15, 25, 45], [25, 35, 55], [60, 70, 90]]
    assert metrics == {
        f"r2_{name}/after_{time}ms": value
        for time in (600, 1000, 2400)
        for name, value in (("mass", 0.25), ("friction", 0.75))
    }


def test_episodes_that_are_too_short_have_no_r2(algorithm: ContextSac) -> None:
    assert identification(algorithm, GoalTaskConfig(episode_steps=10), episodes=3) == {}
