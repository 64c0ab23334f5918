"""Films some episodes of a policy: skills, then goals, each from a start of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop
from skill_robots.worlds.camera.camera import make_camera
from skill_robots.worlds.camera.offscreen import Frame
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_robots.worlds.world import World
from skill_runtime.evaluation.film.camera import TabletopCamera
from skill_runtime.evaluation.film.film import Film, frame_time
from skill_runtime.evaluation.tabletop import (
    EvaluationSettings,
    set_of_skills,
    tabletop_config,
    takes_goals,
    takes_skills,
)

T = TypeVar("T")

FILMED_SKILLS, FILMED_GOALS = 6, 4
"""Episodes in a film of the tabletop, and skills in that of another world."""

MAX_FRAMES = 250
"""Frames of an episode, which is cut after them: 20 s. They are all in memory, and in the file."""

WORLD_SIZE = 360
"""Height and width of a frame of a world [pixel]."""

Episode = tuple[Array | None, Array | None, int]
"""Skill ``(1, Z)``, goal ``(1, G)``, and the number of control steps."""


def film_tabletop(
    policy: Policy,
    manifest: PolicyManifest | None,
    settings: EvaluationSettings,
    path: Path,
    *,
    size: tuple[int, int] = (480, 360),
) -> None:
    """Films skills and goals on the tabletop, and writes the file.

    Args:
        policy: The policy.
        manifest: Its manifest; None for a baseline.
        settings: Skills, goals, contexts and engine of the evaluation; the starts are others.
        path: The file.
        size: Width and height of a frame [pixel].

    Raises:
        WorldError: There is no OpenGL that renders in memory.
        OutputError: The file cannot be written.
        ValueError: There is no episode to film, or the format is unknown.
    """
    config = tabletop_config(manifest, settings)
    names = PUSH_OBSERVATION if manifest is None else manifest.observation_names
    episodes: list[Episode] = []
    if takes_skills(manifest) and settings.skills:
        skills = chosen(set_of_skills(manifest, settings), FILMED_SKILLS)
        episodes += [(row, None, config.episode_steps) for row in np.split(skills, len(skills))]
    if takes_goals(manifest) and settings.goals:
        goals = evaluation_goals(min(settings.goals, FILMED_GOALS), settings.seed)
        episodes += [(None, row, GOAL_STEPS) for row in np.split(goals, len(goals))]
    scene = Tabletop(config, 1, seed=settings.seed, engine=settings.engine)
    steps_per_frame, frame_ms = frame_time(1.0 / CONTROL_PERIOD_S)
    film = Film(frame_ms)
    name = "" if manifest is None else manifest.name
    with closing(TabletopCamera(*size)) as camera:
        for skill, goal, steps in _shown(episodes):
            scene.reset()
            policy.reset(1)
            render = partial(camera.frame, scene, goal=None if goal is None else goal[0])
            text = f"{_caption(skill, goal)}   mass {scene.mass[0]:.2f} kg, friction "
            text += f"{scene.friction[0]:.2f}"

            def step(skill: Array | None = skill, goal: Array | None = goal) -> None:
                scene.step(policy.act(scene.observe(names), skill=skill, goal=goal))

            _film(film, step, render, (steps, steps_per_frame), (name, text))
    film.save(path)


def check_tabletop_camera() -> None:
    """Checks that the tabletop can be filmed here, before the work that precedes the film.

    Raises:
        WorldError: There is no OpenGL that renders in memory.
    """
    TabletopCamera().close()


def film_world(policy: Policy, config: WorldConfig, skills: Array, seed: int, path: Path) -> None:
    """Films skills in a world without an arm, and writes the file.

    Args:
        policy: The policy.
        config: The world.
        skills: ``(n, Z)``, of which some are filmed.
        seed: Seed of the starts.
        path: The file.

    Raises:
        WorldError: The world has no camera, or there is no OpenGL that renders in memory.
        OutputError: The file cannot be written.
        ValueError: There is no episode to film, or the format is unknown.
    """
    with (
        closing(make_world(config, 1, seed=seed)) as world,
        closing(make_camera(world, size=WORLD_SIZE)) as camera,
    ):
        spec = world.spec
        steps_per_frame, frame_ms = frame_time(spec.control_rate_hz)
        film = Film(frame_ms)
        skills = chosen(skills, FILMED_SKILLS)
        for row in _shown(np.split(skills, len(skills))):
            observation = world.reset()
            policy.reset(1)

            def step(row: Array = row) -> None:
                nonlocal observation
                observation = world.step(policy.act(observation, skill=row)).observation

            def render() -> Frame:
                return camera.frames()[0]

            lengths = spec.episode_steps, steps_per_frame
            _film(film, step, render, lengths, (spec.title, _caption(row, None)))
    film.save(path)


def check_world_camera(world: World) -> None:
    """Checks that a world can be filmed here, before the work that precedes the film.

    Raises:
        WorldError: The world has no camera, or there is no OpenGL that renders in memory.
    """
    make_camera(world, size=WORLD_SIZE).close()


def chosen(rows: Array, count: int) -> Array:
    """Returns up to ``count`` of the rows, evenly spaced in their order."""
    return rows[np.linspace(0, len(rows), min(count, len(rows)), endpoint=False).astype(int)]


def _shown(items: list[T]) -> Iterator[T]:
    return iter(tqdm(items, unit="episode", desc="filming", disable=None, leave=False))


def _film(
    film: Film,
    step: Callable[[], None],
    render: Callable[[], Frame],
    lengths: tuple[int, int],
    texts: tuple[str, str],
) -> None:
    """Films one episode; ``lengths`` are its control steps and those of a frame."""
    steps, steps_per_frame = lengths
    for number in range(min(steps, MAX_FRAMES * steps_per_frame)):
        step()
        if number % steps_per_frame == 0:
            film.add(render(), *texts)


def _caption(skill: Array | None, goal: Array | None) -> str:
    if goal is not None:
        return f"goal {_numbers(goal[0])} m"
    return "" if skill is None or not skill.size else f"skill {_numbers(skill[0])}"


def _numbers(row: Array) -> str:
    return " ".join(f"{value:.2f}" for value in row)
