"""The manifest of a policy from skill discovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from skill_proto.manifest import (
    Evaluation,
    GoalSpace,
    PolicyManifest,
    Range,
    Representation,
    SkillSpace,
)
from skill_proto.plant import Plant, SimulatedWorld
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.worlds.registry import is_given_by_name
from skill_robots.worlds.world import WorldSpec
from skill_training.nets.inputs import NetworkInputs
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.inputs import UNACTUATED, world_statistics
from skill_training.recipes.discovery.lifting import gripper_remark
from skill_training.recipes.discovery.policy import Goals, find_goals
from skill_training.recipes.manifest_parts import (
    coordinate_goals,
    goal_space,
    hidden_ranges,
    plain_name,
    plant,
    trained_on,
)
from skill_training.recipes.recipe import RunFacts, Scalars

TITLES = {
    "csf": "contrastive successor features (CSF)",
    "metra": "METRA",
    "misl": "mutual information skill learning (MISL)",
    "lsd": "LSD",
    "csd": "CSD",
    "diayn": "DIAYN",
    "dads": "DADS",
    "cic": "CIC",
}

LEARNED = {
    "rotation": "up to a learned scale and rotation",
    "linear": "up to a learned linear map",
    "mlp": "mapped by a learned network",
}
"""The learned part of the representation, by its form."""


MEASURED = (("*",), (UNACTUATED,))
"""Inputs of the representation that nobody chose by name."""


def build_manifest(
    config: SkillConfig, facts: RunFacts, inputs: NetworkInputs, spec: WorldSpec
) -> PolicyManifest:
    """Returns the manifest of a run of skill discovery."""
    seen = config.algorithm.representation
    goals = find_goals(config, inputs, spec)
    return PolicyManifest(
        name=policy_name(config),
        algorithm=config.algorithm_name,
        description=description(config, inputs, spec) + gripper_remark(config),
        control_rate_hz=spec.control_rate_hz,
        observation=spec.observation,
        action=spec.action,
        skill=SkillSpace(
            kind=config.algorithm.skills, size=seen.size, hold_steps=spec.episode_steps
        ),
        goal=None if goals is None else _goal_space(config, goals, spec),
        representation=Representation(
            inputs=seen.inputs if seen.sees_pixels else representation_inputs(inputs, spec),
            form="convolution" if seen.sees_pixels else seen.form,
            size=seen.size,
            singular_value_ratio=facts.metrics.get("phi_singular_value_ratio"),
            action_r2=action_r2(config, spec),
        ),
        plant=_plant(config),
        world=_world(config, spec),
        trained_on=_trained_on(config, spec),
        provenance=facts.provenance,
        evaluation=_evaluation(config, facts.metrics),
    )


def action_r2(config: SkillConfig, spec: WorldSpec) -> dict[str, float]:
    """Returns the R2 by which the inputs of the representation were selected; {} without test."""
    if config.algorithm.representation.inputs != (UNACTUATED,):
        return {}
    measured = world_statistics(config.task, config.run.seed).action_r2
    return {name: round(r2, 3) for name, r2 in zip(spec.entries, measured, strict=True)}


def policy_name(config: SkillConfig) -> str:
    """Returns the name of the policy, such as 'csf_panda' or 'csf_ant'."""
    if isinstance(config.task, TabletopConfig):
        return f"{config.algorithm_name}_panda" + ("_gripper" if config.task.gripper else "")
    return f"{config.algorithm_name}_{plain_name(config.world)}"[:128]


def representation_inputs(inputs: NetworkInputs, spec: WorldSpec) -> tuple[str, ...]:
    """Returns the names of the observation entries that the representation sees, in order."""
    return tuple(spec.entries[place] for place in inputs.seen)


def sees_the_cube_alone(config: SkillConfig) -> bool:
    """Returns whether the representation's inputs are the cube's x and y, chosen by hand."""
    chosen = ("cube_position.0", "cube_position.1")
    return isinstance(config.task, TabletopConfig) and (
        config.algorithm.representation.inputs == chosen
    )


def description(config: SkillConfig, inputs: NetworkInputs, spec: WorldSpec) -> str:
    """Returns the description of the policy, which names the given part of its skill space."""
    title = TITLES[config.algorithm_name]
    representation = config.algorithm.representation
    learned = LEARNED[representation.form]
    if representation.sees_pixels:
        return (
            f"Skills of {spec.title}, trained with {title} on frames of a camera. The policy sees "
            "the observation; the representation of frames is not in the file, which therefore "
            "takes skills and no goals."
        )
    if sees_the_cube_alone(config):
        return (
            "Pushes a 4 cm cube in the direction that the skill names; trained with "
            f"{title} on a given representation: the cube's x and y, {learned}."
        )
    if representation.inputs == ("*",):
        return (
            f"Skills of {spec.title}, trained with {title} on the whole observation, {learned}. "
            "Nobody named the quantities that the skills move."
        )
    names = ", ".join(_fields_or_entries(representation_inputs(inputs, spec), spec))
    if representation.inputs == (UNACTUATED,):
        return (
            f"Skills of {spec.title}, trained with {title} on the entries that its actions do not "
            f"drive directly, which a test with random actions selected ({names}), {learned}."
        )
    return (
        f"Moves {names} in the direction of its representation that the skill names; trained with "
        f"{title} on a given representation: {names}, {learned}."
    )


def _fields_or_entries(entries: Sequence[str], spec: WorldSpec) -> list[str]:
    """Returns the names of entries, those of whole fields as the name of the field."""
    left, names = set(entries), list[str]()
    for field in spec.observation:
        own = [f"{field.name}.{place}" for place in range(field.size)]
        if left.issuperset(own) and len(own) > 1:
            names.append(field.name)
        else:
            names += [entry for entry in own if entry in left]
    return names


def _goal_space(config: SkillConfig, goals: Goals, spec: WorldSpec) -> GoalSpace:
    if isinstance(config.task, TabletopConfig):
        return goal_space()
    coordinates = spec.coordinates
    assert coordinates is not None
    return coordinate_goals(
        spec,
        stop_radius=goals.stop_radius,
        low=coordinates.goal_low,
        high=coordinates.goal_high,
    )


def _plant(config: SkillConfig) -> Plant | None:
    if not isinstance(config.task, TabletopConfig):
        return None
    return plant(TABLETOP.name, physics_step_s=config.task.physics_step_s)


def _world(config: SkillConfig, spec: WorldSpec) -> SimulatedWorld | None:
    if isinstance(config.task, TabletopConfig):
        return None
    settings: dict[str, Any] = asdict(config.task)
    return SimulatedWorld(name=config.world, episode_steps=spec.episode_steps, settings=settings)


def _trained_on(config: SkillConfig, spec: WorldSpec) -> dict[str, Range]:
    if isinstance(config.task, TabletopConfig):
        return trained_on(config.task)
    return hidden_ranges(spec)


def _evaluation(config: SkillConfig, metrics: Scalars) -> Evaluation | None:
    if not metrics:
        return None
    command = f"skill-eval --model policy.onnx --skills {config.run.eval_skills}"
    if any(name.startswith("goal_") for name in metrics):
        command += f" --goals {config.run.final_eval_goals}"
    if not is_given_by_name(config.world):
        command += f" --world {config.world}"
    return Evaluation(command=command, metrics=dict(metrics))
