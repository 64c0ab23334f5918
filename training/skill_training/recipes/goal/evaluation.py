"""Share of cubes that come to rest at their goal in time, by friction and mass."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from skill_proto.arrays import Array, Ids
from skill_robots.observation import PUSH_OBSERVATION, layout
from skill_robots.tasks.tabletop.metrics import REST_STEPS, defined, rest_share
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Interval
from skill_training.algorithms.context_sac import ContextSac
from skill_training.collection.episode_collector import ContextUse, run_episodes
from skill_training.data.episodes import Episodes
from skill_training.export.calibration import hold_out, log_r2
from skill_training.recipes.goal.config import EVALUATION_SEEDS
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld
from skill_training.recipes.recipe import Scalars

EVALUATION_SEED = EVALUATION_SEEDS[0]
"""Seed of starts and goals. No run trains on it."""

CONTEXTS: dict[str, tuple[Interval, Interval]] = {
    "mu0.06": ((0.8, 0.8), (0.06, 0.06)),
    "mu0.1": ((0.8, 0.8), (0.1, 0.1)),
    "mu0.2": ((0.8, 0.8), (0.2, 0.2)),
    "mu0.4": ((0.8, 0.8), (0.4, 0.4)),
    "mu0.8": ((0.8, 0.8), (0.8, 0.8)),
    "mu1.6": ((0.8, 0.8), (1.6, 1.6)),
    "4.8kg": ((4.8, 4.8), (0.4, 0.4)),
    "4.8kg_mu0.06": ((4.8, 4.8), (0.06, 0.06)),
}
"""Mass [kg] and friction of each condition of the final evaluation, by name."""

QUICK = ("mu0.06", "mu0.1", "mu0.4")
"""Conditions of an evaluation during training."""

AFTER_CONTACT_STEPS = (15, 25, 60)
"""Steps after the first contact at which estimates are evaluated: 0.6, 1 and 2.4 s."""

CONTACT_M_S = 0.02
"""Exact speed of a cube above which contact is certain."""

NEVER = 1 << 32
"""Step of the first contact if there was no contact, far beyond any episode."""


def time_key(step: int) -> str:
    """Returns the name of the share at rest at a control step: ``by_2400ms``."""
    return f"by_{step * CONTROL_PERIOD_S * 1000:.0f}ms"


def contact_key(delay: int) -> str:
    """Returns the name of an estimate ``delay`` steps after first contact: ``after_600ms``."""
    return f"after_{delay * CONTROL_PERIOD_S * 1000:.0f}ms"


def nominal(task: GoalTaskConfig, mass: Interval, friction: Interval) -> GoalTaskConfig:
    """Returns the task of ``skill-eval``: nominal arm, exact sensors, one goal and context."""
    return GoalTaskConfig(
        mass=mass,
        friction=friction,
        stiffness_scale=(1.0, 1.0),
        latency_s=(0.0, 0.0),
        sensor_noise=0.0,
        start="low",
        episode_steps=max(REST_STEPS),
        physics_step_s=task.physics_step_s,
        goal_change_share=0.0,
        context_change_share=0.0,
        scenes_per_task=1,
    )


def rest_shares(
    algorithm: ContextSac,
    task: GoalTaskConfig,
    mass: Interval,
    friction: Interval,
    *,
    goals: int,
    use: ContextUse = "live",
) -> Scalars:
    """Returns the share of far goals with the cube at rest there after 1.6 s and 2.4 s.

    Nothing if no goal is far (:func:`~skill_robots.tasks.tabletop.metrics.rest_share`).
    """
    world = GoalWorld(nominal(task, mass, friction), goals, seed=EVALUATION_SEED)
    world.reset()
    start = algorithm.encoder.initial_state(goals)
    episodes, _ = run_episodes(world, algorithm, start, deterministic=True, use=use)
    distance, speed = distances_and_speeds(episodes)
    return defined({time_key(step): rest_share(distance, speed, step) for step in REST_STEPS})


def distances_and_speeds(episodes: Episodes) -> tuple[Array, Array]:
    """Returns distance of the cube from the goal [m] and its speed [m/s], each ``(n, T + 1)``.

    They are those of the observation, which is exact in an evaluation. The goal is the first one.
    """
    place = layout(PUSH_OBSERVATION)
    cube = episodes.observation[:, :, place["cube_position"]][..., :2]
    velocity = episodes.observation[:, :, place["cube_velocity"]][..., :2]
    distance = torch.linalg.vector_norm(cube - episodes.goal[:, :1], dim=-1)
    return distance.cpu().numpy(), torch.linalg.vector_norm(velocity, dim=-1).cpu().numpy()


def evaluate_goals(
    algorithm: ContextSac, task: GoalTaskConfig, *, goals: int, full: bool
) -> Scalars:
    """Returns rest shares over the trained range and per condition, as ``condition/by_...``."""
    metrics: Scalars = {}
    conditions = {name: CONTEXTS[name] for name in (CONTEXTS if full else QUICK)}
    for name, (mass, friction) in {"trained": (task.mass, task.friction), **conditions}.items():
        shares = rest_shares(algorithm, task, mass, friction, goals=goals)
        metrics |= {f"{name}/{key}": value for key, value in shares.items()}
    if algorithm.config.knowledge == "inferred":
        metrics |= identification(algorithm, task, episodes=goals)
        if full:
            metrics |= _without_context(algorithm, task, goals)
    return metrics


def _without_context(algorithm: ContextSac, task: GoalTaskConfig, goals: int) -> Scalars:
    """Evaluates the policy with a zero context, and with the context of the first observation."""
    uses: tuple[ContextUse, ...] = ("zeroed", "frozen")
    return {
        f"{name}/{use}_{key}": value
        for use in uses
        for name, (mass, friction) in CONTEXTS.items()
        for key, value in rest_shares(algorithm, task, mass, friction, goals=goals, use=use).items()
    }


class _ContactWorld(GoalWorld):
    """Records the first contact of each cube, detected from its exact speed."""

    first_contact: Ids
    """``(n,)`` step of the first observation after contact, or :data:`NEVER`."""

    def reset(self) -> None:
        super().reset()
        self._steps = 0
        self.first_contact = np.full(self.n, NEVER)

    def step(self, action: Array) -> None:
        super().step(action)
        self._steps += 1
        moves = (self.cube_speed > CONTACT_M_S) & (self.first_contact == NEVER)
        self.first_contact[moves] = self._steps


def identification(algorithm: ContextSac, task: GoalTaskConfig, *, episodes: int) -> Scalars:
    """Returns R2 of log mass and log friction at times after first contact, with sensor noise.

    Without those that are undefined, as after a time that no episode lasts beyond the contact.
    """
    steady = dataclasses.replace(task, context_change_share=0.0, scenes_per_task=1)
    world = _ContactWorld(steady, episodes, seed=EVALUATION_SEED + 1)
    held = hold_out(algorithm, world)
    metrics: Scalars = {}
    for delay in AFTER_CONTACT_STEPS:
        at = world.first_contact + delay
        index = (at < held.truth.shape[1]).nonzero()[0]
        at = at[index]
        shares = log_r2(held.truth[index, at], held.estimates[index, at])
        after = contact_key(delay)
        metrics |= {f"r2_mass/{after}": shares[0], f"r2_friction/{after}": shares[1]}
    return defined(metrics)
