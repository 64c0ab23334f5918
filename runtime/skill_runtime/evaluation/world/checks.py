"""Compares policy, command line and world before anything runs."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart, GoalSpace, ObservationField, PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.rollouts import evaluation_skills
from skill_robots.worlds.world import WorldSpec
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions

SKILLS, GOALS = 48, 128
"""Defaults: the number of skills in the papers, and that of goals in training's evaluation."""

ROUNDED = 1e-6
"""Relative difference of two numbers that are the same but for rounding."""


def check_world(manifest: PolicyManifest, spec: WorldSpec) -> None:
    """Checks that the policy fits the world.

    Raises:
        UnsupportedPolicyError: observation or action differ in names, sizes, units or frames, or
            the action in its scale or offset; the text names both.
    """
    for kind, trained, here in (
        ("observation", manifest.observation, spec.observation),
        ("action", manifest.action, spec.action),
    ):
        theirs = [(part.name, part.size) for part in trained]
        ours = [(part.name, part.size) for part in here]
        if theirs != ours:
            raise UnsupportedPolicyError(
                f"{manifest.name} has the {kind} {theirs}, but {spec.title} has {ours}; was it "
                "trained in another version of this world?"
            )
        for one, other in zip(trained, here, strict=True):
            _check_units(manifest.name, one, other, spec.title)
    for one, other in zip(manifest.action, spec.action, strict=True):
        _check_range(manifest.name, one, other, spec.title)


def _check_units(
    policy: str,
    trained: ObservationField | ActionPart,
    here: ObservationField | ActionPart,
    world: str,
) -> None:
    if (trained.unit, trained.frame) != (here.unit, here.frame):
        raise UnsupportedPolicyError(
            f"{policy} has {trained.name} in {trained.unit!r} and the frame {trained.frame!r}, but "
            f"{world} has it in {here.unit!r} and {here.frame!r}; correct the manifest, or train "
            "in this version of the world"
        )


def _check_range(policy: str, trained: ActionPart, here: ActionPart, world: str) -> None:
    for name in ("scale", "offset"):
        theirs, ours = getattr(trained, name), getattr(here, name)
        if not np.allclose(theirs, ours, rtol=ROUNDED, atol=1e-12):
            raise UnsupportedPolicyError(
                f"{policy} was trained with the {name} {_numbers(theirs)} of {trained.name}, but "
                f"{world} has {_numbers(ours)}, so that its actions would mean something else; "
                "restore the bounds that the action had in training, or train a new policy"
            )


def world_remarks(manifest: PolicyManifest, spec: WorldSpec) -> list[str]:
    """Lists the differences of the world from that of training that do not rule the policy out."""
    found: list[str] = []
    if not np.isclose(manifest.control_rate_hz, spec.control_rate_hz, rtol=ROUNDED):
        found.append(
            f"acts at {manifest.control_rate_hz:g} Hz, {spec.title} at {spec.control_rate_hz:g} Hz"
        )
    if manifest.world is not None and manifest.world.episode_steps != spec.episode_steps:
        found.append(
            f"trained in episodes of {manifest.world.episode_steps} control steps, these have "
            f"{spec.episode_steps}"
        )
    return found


def check_picture(arguments: EvaluationOptions, spec: WorldSpec) -> None:
    """Checks that there are paths to draw, if a picture is wanted.

    Raises:
        UsageError: the world has no coordinates.
    """
    if arguments.plot is not None and spec.coordinates is None:
        raise UsageError(
            f"--plot: {spec.title} has no coordinates to draw; add --coordinates ENTRY ..., or "
            "leave --plot out"
        )


def set_of_skills(arguments: EvaluationOptions, manifest: PolicyManifest | None) -> Array:
    """Returns the skills ``(n, Z)`` to run; Z is 0 for a baseline.

    Raises:
        UsageError: an option is for policies with skills, and this one takes goals alone.
    """
    count = SKILLS if arguments.skills is None else arguments.skills
    if manifest is None:
        return np.zeros((count, 0))
    space = manifest.skill
    if takes_goals_alone(manifest):
        given = [
            f"--{name}"
            for name in ("skills", "plot", "video")
            if getattr(arguments, name) is not None
        ]
        if given:
            raise UsageError(
                f"{', '.join(given)}: {manifest.name} takes goals, no skills; leave "
                f"{'it' if len(given) == 1 else 'them'} out"
            )
        return np.zeros((0, 0))
    return evaluation_skills(space.kind, space.size, count, arguments.seed)


def goal_count(
    arguments: EvaluationOptions, manifest: PolicyManifest | None, spec: WorldSpec
) -> int:
    """Returns the number of goals to run.

    Raises:
        UsageError: the policy takes no goals, or others than the world's, or takes goals alone and
            gets no goal.
    """
    if manifest is None or manifest.goal is None:
        if arguments.goals:
            name = "the baseline" if manifest is None else manifest.name
            raise UsageError(f"--goals: {name} takes no goals; leave it out")
        return 0
    count = GOALS if arguments.goals is None else arguments.goals
    if not count and takes_goals_alone(manifest):
        raise UsageError(
            f"--goals 0: {manifest.name} takes goals, no skills, so that nothing would be scored; "
            "leave it out, or give a number of goals"
        )
    if count:
        _check_goals(manifest, manifest.goal, spec)
    return count


def takes_goals_alone(manifest: PolicyManifest) -> bool:
    """Returns whether the policy takes goals and no skills."""
    return manifest.skill.kind == "none" and manifest.goal is not None


def goal_radius(manifest: PolicyManifest, spec: WorldSpec) -> float:
    """Returns the distance at which a goal counts as reached.

    A policy that takes goals alone was trained to stay within the radius of its file. That of a
    policy with skills is only where it stops; it counts in a world that declares no radius.
    """
    assert manifest.goal is not None
    ours = 0.0 if spec.coordinates is None else spec.coordinates.goal_radius
    return ours if ours > 0.0 and not takes_goals_alone(manifest) else manifest.goal.stop_radius


def _check_goals(manifest: PolicyManifest, goal: GoalSpace, spec: WorldSpec) -> None:
    """Refuses to score goals for other entries than the coordinates of the world."""
    names = tuple(f"{goal.field}.{component}" for component in goal.components)
    or_none = "" if takes_goals_alone(manifest) else ", or add --goals 0"
    if spec.coordinates is None:
        raise UsageError(
            f"{spec.title} has no coordinates here, and {manifest.name} takes goals for "
            f"{', '.join(names)}; add --coordinates {' '.join(names)} if it is an environment of "
            f"Gymnasium{or_none}"
        )
    if spec.coordinates.names != names:
        raise UsageError(
            f"the coordinates of the score are {', '.join(spec.coordinates.names)}, but "
            f"{manifest.name} takes goals for {', '.join(names)}; leave --coordinates "
            f"out{or_none}"
        )
    if goal.unit != spec.coordinates.unit:
        raise UnsupportedPolicyError(
            f"{manifest.name} takes goals in {goal.unit!r}, but {', '.join(names)} of {spec.title} "
            f"is in {spec.coordinates.unit!r}; correct the manifest{or_none}"
        )


def _numbers(values: float | tuple[float, ...]) -> str:
    if isinstance(values, tuple):
        return f"({', '.join(f'{value:g}' for value in values)})"
    return f"{values:g}"
