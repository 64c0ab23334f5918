"""Checks of settings that only together, or only with the plant, turn out impossible."""

from __future__ import annotations

import math

from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import RunSettings
from skill_training.errors import ConfigError

HIDDEN_QUANTITIES = 2
"""Log mass and log friction."""

LEAST_PER_TASK = {"ccm": 2, "satesac": 4, "saccm": 2}
"""Episodes of one task that a sampling needs before it draws anything."""


def check_tabletop(task: TabletopConfig) -> None:
    """Refuses a task that the tabletop cannot be.

    Raises:
        ConfigError: a range is empty or holds impossible values, or the times do not fit the
            control period.
    """
    for name in ("mass", "friction", "stiffness_scale"):
        check_range(name, getattr(task, name), positive=True)
    check_range("latency_s", task.latency_s, positive=False)
    _check_times(task)


def check_replay(run: RunSettings, *, episode_steps: int) -> None:
    """Refuses a replay that cannot hold one round of episodes.

    Raises:
        ConfigError: it is smaller.
    """
    per_round = run.n_envs * episode_steps
    if run.replay_capacity < per_round:
        raise ConfigError(
            f"--replay-capacity {run.replay_capacity} is less than one round of episodes "
            f"({run.n_envs} scenes x {episode_steps} steps = {per_round})"
        )


def check_contrastive(
    algorithm: ContextSacConfig, run: RunSettings, *, scenes_per_task: int, episode_steps: int
) -> None:
    """Refuses settings under which the encoder would quietly be trained on something else.

    Args:
        algorithm: What the encoder learns from.
        run: Scenes, and episodes kept.
        scenes_per_task: Episodes that a task has in one round.
        episode_steps: Steps of each.

    Raises:
        ConfigError: trajectories are never enough for a contrastive step, scenes do not divide into
            tasks, or something is asked of an encoder that is not there.
    """
    term, flag = algorithm.contrastive, f"--{algorithm.name}"
    if algorithm.supervised and algorithm.knowledge != "inferred":
        raise ConfigError(
            f"{flag}.supervised trains the encoder, and {flag}.knowledge {algorithm.knowledge} has "
            "none; leave one of them out"
        )
    if algorithm.knowledge == "told" and algorithm.encoder.size < HIDDEN_QUANTITIES:
        raise ConfigError(
            f"{flag}.encoder.size {algorithm.encoder.size} has no room for what {flag}.knowledge "
            f"told tells, mass and friction; give {HIDDEN_QUANTITIES} or more"
        )
    if run.n_envs % scenes_per_task:
        raise ConfigError(
            f"--n-envs {run.n_envs} is no multiple of --task.scenes-per-task {scenes_per_task}"
        )
    needed = LEAST_PER_TASK.get(term.sampling, 1)
    if scenes_per_task < needed:
        raise ConfigError(
            f"--task.scenes-per-task {scenes_per_task} leaves {term.sampling} nothing to contrast: "
            f"it needs {needed} episodes of a task"
        )
    held = min(term.pool, run.replay_capacity // episode_steps)
    if term.sampling != "tesac" and term.batch > held:
        raise ConfigError(
            f"{flag}.contrastive.batch {term.batch} is more than the {held} newest episodes it "
            f"draws from; lower it, or raise {flag}.contrastive.pool and --replay-capacity"
        )


def check_range(name: str, interval: tuple[float, float], *, positive: bool) -> None:
    """Refuses what is no range of a setting ``--task.<name>``.

    Raises:
        ConfigError: the lower bound is negative (or zero, where it must be ``positive``), above
            the upper one, or one of them is not finite.
    """
    low, high = interval
    above = low > 0 if positive else low >= 0
    if not (above and low <= high < math.inf):
        raise ConfigError(
            f"--task.{name.replace('_', '-')} {low} {high} is no range; give the lower bound, "
            f"{'above' if positive else 'at least'} 0, and then the upper"
        )


def _check_times(task: TabletopConfig) -> None:
    """Refuses what the tabletop would round: the manifest would say another plant than it had."""
    steps = CONTROL_PERIOD_S / task.physics_step_s
    if abs(steps - round(steps)) > 1e-6:
        raise ConfigError(
            f"--task.physics-step-s {task.physics_step_s:g} is no whole part of the control period "
            f"of {CONTROL_PERIOD_S:g} s; take 0.005, or another that divides it"
        )
    longest = CONTROL_PERIOD_S - task.physics_step_s
    if task.latency_s[1] > longest + 1e-9:
        raise ConfigError(
            f"--task.latency-s {task.latency_s[0]:g} {task.latency_s[1]:g} is too long: an action "
            f"takes effect within its own control step, {longest:g} s late at the most"
        )
