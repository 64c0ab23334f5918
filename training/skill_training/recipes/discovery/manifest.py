"""The manifest of a policy from CSF or METRA."""

from __future__ import annotations

from skill_proto.manifest import (
    Evaluation,
    PolicyManifest,
    Representation,
    SkillSpace,
)
from skill_robots.observation import manifest_fields
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.policy import OBSERVATION, pushes_to_goals
from skill_training.recipes.manifest_parts import goal_space, plant, push_action, trained_on
from skill_training.recipes.recipe import RunFacts, Scalars

TITLES = {"csf": "contrastive successor features (CSF)", "metra": "METRA"}

LEARNED = {
    "rotation": "up to a learned scale and rotation",
    "linear": "up to a learned linear map",
    "mlp": "mapped by a learned network",
}
"""The learned part of the representation, by its form."""


def build_manifest(config: SkillConfig, facts: RunFacts) -> PolicyManifest:
    """Returns the manifest of a run of CSF or METRA."""
    seen = config.algorithm.representation
    return PolicyManifest(
        name=f"{config.algorithm_name}_panda",
        algorithm=config.algorithm_name,
        description=description(config),
        control_rate_hz=Tabletop.control_rate_hz,
        observation=manifest_fields(OBSERVATION),
        action=(push_action(),),
        skill=SkillSpace(kind="sphere", size=seen.size, hold_steps=config.task.episode_steps),
        goal=goal_space() if pushes_to_goals(config) else None,
        representation=Representation(
            inputs=representation_inputs(config),
            form=seen.form,
            size=seen.size,
            singular_value_ratio=facts.metrics.get("phi_singular_value_ratio"),
        ),
        plant=plant(TABLETOP.name, physics_step_s=config.task.physics_step_s),
        trained_on=trained_on(config.task),
        provenance=facts.provenance,
        evaluation=_evaluation(config, facts.metrics),
    )


def representation_inputs(config: SkillConfig) -> tuple[str, ...]:
    """Returns the names of the observation entries that the representation sees, in order."""
    seen = config.algorithm.representation
    return tuple(f"{seen.field}.{component}" for component in seen.components)


def description(config: SkillConfig) -> str:
    """Returns the description of the policy, which names the given part of its skill space."""
    title = TITLES[config.algorithm_name]
    learned = LEARNED[config.algorithm.representation.form]
    if pushes_to_goals(config):
        return (
            "Pushes a 4 cm cube in the direction that the skill names; trained with "
            f"{title} on a given representation: the cube's x and y, {learned}."
        )
    inputs = ", ".join(representation_inputs(config))
    return (
        f"Moves {inputs} in the direction of its representation that the skill names; trained with "
        f"{title} on a given representation: {inputs}, {learned}."
    )


def _evaluation(config: SkillConfig, metrics: Scalars) -> Evaluation | None:
    if not metrics:
        return None
    command = f"skill-eval --model policy.onnx --skills {config.run.eval_skills}"
    if "goal_mean_distance_m" in metrics:
        command += f" --goals {config.run.final_eval_goals}"
    return Evaluation(command=command, metrics=dict(metrics))
