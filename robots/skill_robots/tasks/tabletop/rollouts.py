"""Runs a policy on the tabletop, many scenes at a time, and records the trajectories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.objects import CUBE_SIZE
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.engines.physics import GripperWidth
from skill_robots.tasks.tabletop.setpoint_audit import AuditFactory, SetpointAudit
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories

MAX_SCENES = 256
"""Number of scenes stepped together; further scenes run in later batches."""

MAX_BULLET_SCENES = 32
"""The same on PyBullet, where each scene has the memory of a separate physics server."""

GOAL_STEPS = 150
"""Control steps for each goal: 6 s at 25 Hz."""

GOAL_RANGE_M = 0.15
"""Goals are drawn from +- this around the table's origin, in x and y, in training and evaluation
[m]. The box that a policy declares is smaller: ``goal_box.GOAL_HIGH_M``."""


StepHook = Callable[[Tabletop], None]
"""Called after each control step of a batch, e.g. to count or to show progress."""


def evaluation_skills(
    kind: Literal["sphere", "one_hot", "none"], size: int, count: int, seed: int
) -> Array:
    """Returns ``(count, size)`` skills that cover the space.

    Skills on the circle (a sphere of size 2) are evenly spaced from a random offset. Skills on
    larger spheres are drawn uniformly. One-hot skills repeat in order.
    """
    generator = np.random.default_rng([seed, 1])
    if kind == "one_hot":
        return np.eye(size)[np.arange(count) % size]
    if size == 0:
        return np.zeros((count, 0))
    if size == 2:
        angle = 2 * np.pi * (np.arange(count) + generator.uniform()) / count
        return np.column_stack([np.cos(angle), np.sin(angle)])
    skills = generator.standard_normal((count, size))
    return skills / np.linalg.norm(skills, axis=-1, keepdims=True)


def evaluation_goals(count: int, seed: int, half_range: float = GOAL_RANGE_M) -> Array:
    """Draws ``(count, 2)`` goals, uniform in the square of +- ``half_range`` [m]."""
    return np.random.default_rng([seed, 2]).uniform(-half_range, half_range, (count, 2))


def skill_rollouts(
    policy: Policy,
    config: TabletopConfig,
    *,
    skills: Array,
    episodes: int,
    seed: int,
    observation_names: Sequence[str] = PUSH_OBSERVATION,
    threads: int = 1,
    on_step: StepHook | None = None,
    make_audit: AuditFactory = SetpointAudit,
    engine: Engine = "mujoco",
) -> Trajectories:
    """Runs each skill in ``episodes`` episodes with random starts and contexts.

    Args:
        policy: the policy to run.
        config: the task; an episode lasts ``config.episode_steps``.
        skills: ``(k, Z)``; the same in each set of episodes.
        episodes: number of sets.
        seed: seed of starts and contexts.
        observation_names: the fields that the policy observes, in order.
        threads: physics threads.
        on_step: called after each control step of each batch of scenes.
        make_audit: makes the audit of the set-points of a batch.
        engine: the physics engine.

    Raises:
        EngineMissingError: the engine is not installed.
    """
    k = len(skills)
    run = _run(
        policy,
        config,
        _Commands(count=episodes * k, skill=_tiled(skills, episodes), goal=None),
        steps=config.episode_steps,
        seed=seed,
        observation_names=observation_names,
        threads=threads,
        on_step=on_step,
        make_audit=make_audit,
        engine=engine,
    )
    shape = (episodes, k)
    return Trajectories(
        cube=run.cube.reshape(*shape, *run.cube.shape[1:]),
        end_effector=run.end_effector.reshape(*shape, *run.end_effector.shape[1:]),
        skills=np.array(skills, dtype=np.float64),
        mass=run.mass.reshape(shape),
        friction=run.friction.reshape(shape),
        height=run.height.reshape(*shape, -1) if config.gripper else None,
        governor_interventions=run.interventions,
    )


def goal_rollouts(
    policy: Policy,
    config: TabletopConfig,
    *,
    goals: Array,
    seed: int,
    steps: int = GOAL_STEPS,
    observation_names: Sequence[str] = PUSH_OBSERVATION,
    threads: int = 1,
    on_step: StepHook | None = None,
    make_audit: AuditFactory = SetpointAudit,
    engine: Engine = "mujoco",
) -> GoalTrajectories:
    """Runs the policy towards each of ``goals`` ``(n, 2)`` [m], from random starts and contexts.

    The other arguments are those of :func:`skill_rollouts`.
    """
    run = _run(
        policy,
        config,
        _Commands(count=len(goals), skill=None, goal=goals),
        steps=steps,
        seed=seed,
        observation_names=observation_names,
        threads=threads,
        on_step=on_step,
        make_audit=make_audit,
        engine=engine,
    )
    return GoalTrajectories(
        cube=run.cube,
        cube_speed=run.cube_speed,
        end_effector=run.end_effector,
        goals=np.array(goals, dtype=np.float64),
        mass=run.mass,
        friction=run.friction,
        governor_interventions=run.interventions,
    )


def _tiled(skills: Array, episodes: int) -> Array | None:
    """Returns one row per scene, or None if the policy takes no skill."""
    return np.tile(skills, (episodes, 1)) if skills.shape[1] else None


@dataclass(frozen=True, kw_only=True)
class _Commands:
    count: int
    skill: Array | None
    goal: Array | None

    def chunks(self, size: int) -> Iterator[_Commands]:
        for start in range(0, self.count, size):
            part = slice(start, min(start + size, self.count))
            yield _Commands(
                count=part.stop - part.start,
                skill=None if self.skill is None else self.skill[part],
                goal=None if self.goal is None else self.goal[part],
            )


@dataclass(frozen=True, kw_only=True)
class _Run:
    cube: Array
    cube_speed: Array
    height: Array
    end_effector: Array
    mass: Array
    friction: Array
    interventions: int


class _AuditedTabletop(Tabletop):
    """A tabletop whose set-points are audited at every servo period."""

    def __init__(
        self,
        config: TabletopConfig,
        n: int,
        *,
        seed: int,
        threads: int,
        make_audit: AuditFactory,
        engine: Engine,
    ) -> None:
        super().__init__(config, n, seed=seed, threads=threads, engine=engine)
        self.audit = make_audit(PANDA, self.actions, config.physics_step_s, self.setpoint.position)

    def physics_step(
        self, position: Array, velocity: Array, gripper_width: GripperWidth = None
    ) -> None:
        self.audit.check(position, velocity)
        super().physics_step(position, velocity, gripper_width)


def _run(
    policy: Policy,
    config: TabletopConfig,
    commands: _Commands,
    *,
    steps: int,
    seed: int,
    observation_names: Sequence[str],
    threads: int,
    on_step: StepHook | None,
    make_audit: AuditFactory,
    engine: Engine,
) -> _Run:
    names = tuple(observation_names)
    size = MAX_SCENES if engine == "mujoco" else MAX_BULLET_SCENES
    parts: list[_Run] = []
    for index, chunk in enumerate(commands.chunks(size)):
        # Each chunk has its own seed: equal seeds would repeat the starts of the first chunk.
        chunk_seed = int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
        scene = _AuditedTabletop(
            config,
            chunk.count,
            seed=chunk_seed,
            threads=threads,
            make_audit=make_audit,
            engine=engine,
        )
        parts.append(_run_chunk(policy, scene, chunk, steps, names, on_step))
        scene.physics.close()
    return _Run(
        cube=np.concatenate([part.cube for part in parts]),
        cube_speed=np.concatenate([part.cube_speed for part in parts]),
        height=np.concatenate([part.height for part in parts]),
        end_effector=np.concatenate([part.end_effector for part in parts]),
        mass=np.concatenate([part.mass for part in parts]),
        friction=np.concatenate([part.friction for part in parts]),
        interventions=sum(part.interventions for part in parts),
    )


def _run_chunk(
    policy: Policy,
    scene: _AuditedTabletop,
    commands: _Commands,
    steps: int,
    names: tuple[str, ...],
    on_step: StepHook | None,
) -> _Run:
    cube = np.empty((scene.n, steps + 1, 3))
    speed = np.empty((scene.n, steps + 1))
    hand = np.empty((scene.n, steps + 1, 3))
    cube[:, 0] = scene.cube_position
    speed[:, 0] = scene.cube_speed
    hand[:, 0] = scene.end_effector_position
    policy.reset(scene.n)
    for step in range(1, steps + 1):
        observation = scene.observe(names)
        scene.step(policy.act(observation, skill=commands.skill, goal=commands.goal))
        cube[:, step] = scene.cube_position
        speed[:, step] = scene.cube_speed
        hand[:, step] = scene.end_effector_position
        if on_step is not None:
            on_step(scene)
    return _Run(
        cube=cube[:, :, :2],
        cube_speed=speed,
        height=cube[:, :, 2] - CUBE_SIZE / 2,
        end_effector=hand,
        mass=scene.mass.copy(),
        friction=scene.friction.copy(),
        interventions=scene.audit.total,
    )
