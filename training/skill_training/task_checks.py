"""Checks of settings that only together, or only with the plant, turn out impossible."""

from __future__ import annotations

import math

from skill_robots.tasks.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_training.config import RunSettings
from skill_training.errors import ConfigError


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
