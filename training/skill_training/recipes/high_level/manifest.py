"""The manifest of a hierarchical policy."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from skill_proto.manifest import GoalSpace, PolicyManifest, RecurrentState, SkillSpace
from skill_proto.plant import SimulatedWorld
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.downstream.goals import goal_range
from skill_robots.worlds.registry import WorldConfig
from skill_robots.worlds.world import WorldSpec
from skill_training.errors import NothingToShipError
from skill_training.export.high_level_graph import STATES
from skill_training.recipes.high_level.config import HighConfig
from skill_training.recipes.high_level.low_level import LowLevel
from skill_training.recipes.manifest_parts import coordinate_goals, plain_name, trained_on
from skill_training.recipes.recipe import RunFacts


def build_manifest(
    config: HighConfig, facts: RunFacts, low_level: LowLevel, world: WorldConfig, spec: WorldSpec
) -> PolicyManifest:
    """Returns the manifest of a policy that pursues goals.

    Args:
        config: The run.
        facts: Its provenance and evaluation.
        low_level: The skills.
        world: The world of the skills.
        spec: The description of that world.

    Raises:
        NothingToShipError: the task's entries are not in the observation of the world.
    """
    skills = low_level.manifest
    sizes = (low_level.skill_size, 1)
    return PolicyManifest(
        name=policy_name(config),
        algorithm=config.algorithm_name,
        description=(
            f"Reaches goals in {spec.title}: every {config.algorithm.hold_steps} control steps a "
            f"high level picks a skill of {skills.name}, which stays frozen."
        ),
        control_rate_hz=skills.control_rate_hz,
        observation=skills.observation,
        action=skills.action,
        skill=SkillSpace(kind="none", size=0),
        goal=goal_space(config, spec),
        recurrent=tuple(
            RecurrentState(
                name=name,
                shape=(size,),
                trained_horizon_steps=config.task.episode_steps,
                beyond_horizon="carry",
            )
            for name, size in zip(STATES, sizes, strict=True)
        ),
        plant=skills.plant,
        world=_world(config, low_level, world),
        trained_on=trained_on(world) if isinstance(world, TabletopConfig) else {},
        provenance=facts.provenance,
        evaluation=facts.evaluation,
    )


def policy_name(config: HighConfig) -> str:
    """Returns the name of the policy, such as 'high_ant_multi_goal'."""
    return f"{config.algorithm_name}_{plain_name(config.task.name)}"[:128]


def goal_space(config: HighConfig, spec: WorldSpec) -> GoalSpace:
    """Returns the goals that the policy takes: all that training may have drawn.

    Raises:
        NothingToShipError: the coordinates lie in several fields, or the task has no goals.
    """
    task, coordinates = config.task, spec.coordinates
    if not isinstance(task, GoalsConfig) or coordinates is None:
        raise NothingToShipError(
            f"the entries of the task {task.name!r} are not observed in its world, so that no "
            "program could give them to the policy. Its scores are in metrics.jsonl"
        )
    names = {entry.rpartition(".")[0] for entry in coordinates.names}
    if len(names) > 1:
        raise NothingToShipError(
            f"the coordinates of {spec.title} lie in the fields {', '.join(sorted(names))}, and a "
            "policy file takes goals for one field. The scores are in metrics.jsonl"
        )
    (low, high), radius = goal_range(task, spec)
    far = task.goals if task.half_range is not None else 1
    return coordinate_goals(
        spec,
        stop_radius=radius,
        low=tuple((far * low).tolist()),
        high=tuple((far * high).tolist()),
    )


def _world(config: HighConfig, low_level: LowLevel, world: WorldConfig) -> SimulatedWorld | None:
    trained = low_level.manifest.world
    if trained is None:
        return None
    settings: dict[str, Any] = TypeAdapter(type(world)).dump_python(world, mode="json")
    return SimulatedWorld(
        name=trained.name, episode_steps=config.task.episode_steps, settings=settings
    )
