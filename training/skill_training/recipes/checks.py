"""Checks of settings that are impossible in combination, or with the plant."""

from __future__ import annotations

import math

from skill_proto.bounds import FRICTION, MASS_KG
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import RunSettings
from skill_training.errors import ConfigError

HIDDEN_QUANTITIES = 2
"""Number of hidden quantities: log mass and log friction."""

BOUNDS = {"mass": MASS_KG, "friction": FRICTION, "stiffness_scale": (0.01, 100.0)}
"""Bounds of the tabletop's ranges: for mass and friction those of serving and scoring."""

MIN_PER_TASK = {"ccm": 2, "satesac": 4, "saccm": 2, "cross": 4}
"""Minimum number of episodes of one task for which a sampling draws trajectories."""


def check_tabletop(task: TabletopConfig) -> None:
    """Refuses a task that the tabletop cannot simulate.

    Raises:
        ConfigError: a range is empty or holds impossible values, the times do not fit the control
            period, or a start needs the gripper.
    """
    for name, bounds in BOUNDS.items():
        check_range(name, getattr(task, name), positive=True)
        check_bounds(name, getattr(task, name), bounds)
    check_range("latency_s", task.latency_s, positive=False)
    if task.held_share > 0.0 and not task.gripper:
        raise ConfigError(
            f"--task.held-share {task.held_share:g} starts with the cube between the fingers "
            "and needs --task.gripper; give both"
        )
    _check_times(task)


def check_own_world(algorithm: str, world: str | None, preset: str | None) -> None:
    """Refuses ``--world`` and ``--preset`` for an algorithm that has one world and no presets.

    Raises:
        ConfigError: a world or a preset is given.
    """
    check_no_preset(algorithm, preset)
    if world is not None:
        raise ConfigError(
            f"skill-train {algorithm} trains on the Panda alone and takes no --world, got {world!r}"
        )


def check_no_preset(algorithm: str, preset: str | None) -> None:
    """Refuses ``--preset`` for an algorithm that has none.

    Raises:
        ConfigError: a preset is given.
    """
    if preset is not None:
        raise ConfigError(f"skill-train {algorithm} has no presets, got --preset {preset}")


def check_replay(run: RunSettings, *, episode_steps: int, unit: str = "steps") -> None:
    """Refuses a replay that cannot hold one round of episodes.

    Args:
        run: Number of scenes and capacity of the replay.
        episode_steps: Length of an episode.
        unit: What one entry of the replay is, for the message.

    Raises:
        ConfigError: the replay is smaller than one round.
    """
    per_round = run.n_envs * episode_steps
    if run.replay_capacity < per_round:
        raise ConfigError(
            f"--replay-capacity {run.replay_capacity} is less than one round of episodes "
            f"({run.n_envs} scenes x {episode_steps} {unit} = {per_round})"
        )


def check_gradient_steps(run: RunSettings, *, episode_steps: int) -> None:
    """Refuses a run whose policy would stay untrained.

    Args:
        run: Length, scenes and updates of the run.
        episode_steps: Length of an episode.

    Raises:
        ConfigError: the run ends before its first gradient step.
    """
    per_round = run.n_envs * episode_steps
    collected = -(-run.env_steps // per_round) * per_round
    needed = run.warmup_steps + run.env_steps_per_update
    if collected < needed:
        raise ConfigError(
            f"--env-steps {run.env_steps} leaves no gradient step: the first one is due after "
            f"--warmup-steps {run.warmup_steps} and --env-steps-per-update "
            f"{run.env_steps_per_update}; give --env-steps {needed} or more, or lower the other two"
        )


def check_contrastive(
    algorithm: ContextSacConfig, run: RunSettings, *, scenes_per_task: int, episode_steps: int
) -> None:
    """Refuses settings with which the configured training of the encoder would not take place.

    Args:
        algorithm: Settings of encoder and contrastive term.
        run: Number of scenes and capacity of the replay.
        scenes_per_task: Number of episodes of a task in one round.
        episode_steps: Length of an episode.

    Raises:
        ConfigError: there are never enough trajectories for a contrastive step, scenes do not
            divide into tasks, or settings of an encoder are given without an encoder.
    """
    term, flag = algorithm.contrastive, f"--{algorithm.name}"
    if algorithm.supervised and algorithm.knowledge != "inferred":
        raise ConfigError(
            f"{flag}.supervised trains the encoder, but {flag}.knowledge {algorithm.knowledge} has "
            "no encoder; leave out one of the two flags"
        )
    if algorithm.knowledge == "told" and algorithm.encoder.size < HIDDEN_QUANTITIES:
        raise ConfigError(
            f"{flag}.encoder.size {algorithm.encoder.size} is too small for mass and friction, "
            f"which {flag}.knowledge told puts into the context; give {HIDDEN_QUANTITIES} or more"
        )
    if algorithm.forward_model_weight > 0.0:
        raise ConfigError(
            f"{flag}.forward-model-weight: skill-train {algorithm.name} has no forward model; use "
            "skill-train context --objective forward-model"
        )
    if run.n_envs % scenes_per_task:
        raise ConfigError(
            f"--n-envs {run.n_envs} is not a multiple of --task.scenes-per-task {scenes_per_task}"
        )
    needed = MIN_PER_TASK.get(term.sampling, 1)
    if scenes_per_task < needed:
        raise ConfigError(
            f"--task.scenes-per-task {scenes_per_task} is too small for {term.sampling}, which "
            f"contrasts {needed} or more episodes of a task"
        )
    held = min(term.pool, run.replay_capacity // episode_steps)
    if term.sampling != "tesac" and term.batch > held:
        raise ConfigError(
            f"{flag}.contrastive.batch {term.batch} is more than the {held} newest episodes from "
            f"which it is drawn; lower it, or raise {flag}.contrastive.pool and --replay-capacity"
        )


def check_range(name: str, interval: tuple[float, float], *, positive: bool) -> None:
    """Refuses an invalid range of a setting ``--task.<name>``.

    Raises:
        ConfigError: the lower bound is negative (or zero if it must be ``positive``) or above the
            upper bound, or a bound is not finite.
    """
    low, high = interval
    above = low > 0 if positive else low >= 0
    if not (above and low <= high < math.inf):
        raise ConfigError(
            f"--task.{name.replace('_', '-')} {low} {high} is not a range; give a lower bound "
            f"{'above' if positive else 'of at least'} 0, then an upper bound that is not below it"
        )


def check_bounds(name: str, interval: tuple[float, float], bounds: tuple[float, float]) -> None:
    """Refuses a range of a setting ``--task.<name>`` beyond the bounds of the simulation.

    Raises:
        ConfigError: it is.
    """
    (low, high), (least, largest) = interval, bounds
    if low < least or high > largest:
        raise ConfigError(
            f"--task.{name.replace('_', '-')} {low:g} {high:g} is beyond {least:g} to {largest:g}, "
            "which can be simulated and served"
        )


def _check_times(task: TabletopConfig) -> None:
    """Refuses times that the tabletop would round, since the manifest would state a wrong plant."""
    steps = CONTROL_PERIOD_S / task.physics_step_s
    if abs(steps - round(steps)) > 1e-6:
        raise ConfigError(
            f"--task.physics-step-s {task.physics_step_s:g} does not divide the control period "
            f"of {CONTROL_PERIOD_S:g} s; give 0.005, or another value that divides it"
        )
    longest = CONTROL_PERIOD_S - task.physics_step_s
    if task.latency_s[1] > longest + 1e-9:
        raise ConfigError(
            f"--task.latency-s {task.latency_s[0]:g} {task.latency_s[1]:g} is too long: an action "
            f"takes effect within its control step, at most {longest:g} s late"
        )
