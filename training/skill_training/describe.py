"""The manifest of a policy from skill discovery, and the parts that other recipes share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skill_proto.manifest import (
    ActionPart,
    Evaluation,
    GoalSpace,
    Plant,
    PolicyManifest,
    Range,
    Representation,
    SkillSpace,
)
from skill_robots.action import ActionConfig, ShaperConfig
from skill_robots.observation import FIELDS, manifest_fields
from skill_robots.panda.limits import PANDA
from skill_robots.tasks.rollouts import GOAL_RANGE_M
from skill_robots.tasks.tabletop import Tabletop, TabletopConfig
from skill_training.build import OBSERVATION, STOP_RADIUS_M, pushes_to_goals
from skill_training.recipe import RunFacts, Scalars
from skill_training.skill_config import SkillConfig

Array = NDArray[np.float64]

TITLES = {"csf": "contrastive successor features (CSF)", "metra": "METRA"}


def build_manifest(config: SkillConfig, facts: RunFacts) -> PolicyManifest:
    """The manifest of a run of CSF or METRA."""
    seen = config.algorithm.representation
    return PolicyManifest(
        name=f"{config.algorithm_name}_panda",
        algorithm=config.algorithm_name,
        description=(
            f"Pushes a 4 cm cube over a table; the skill names the direction. Trained with "
            f"{TITLES[config.algorithm_name]} without a reward."
        ),
        control_rate_hz=Tabletop.control_rate_hz,
        observation=manifest_fields(OBSERVATION),
        action=(push_action(),),
        skill=SkillSpace(kind="sphere", size=seen.size, hold_steps=config.task.episode_steps),
        goal=goal_space() if pushes_to_goals(config) else None,
        representation=Representation(
            inputs=tuple(f"{seen.field}.{component}" for component in seen.components),
            form=seen.form,
            size=seen.size,
            singular_value_ratio=facts.metrics.get("phi_singular_value_ratio"),
        ),
        plant=plant("tabletop", physics_step_s=config.task.physics_step_s),
        trained_on=trained_on(config.task),
        provenance=facts.provenance,
        evaluation=_evaluation(config, facts.metrics),
    )


def trained_on(task: TabletopConfig) -> dict[str, Range]:
    """What varied between episodes, and how far."""
    ranges = {
        "cube_mass": (task.mass, "kg"),
        "cube_table_friction": (task.friction, "1"),
        "joint_stiffness_scale": (task.stiffness_scale, "1"),
        "action_latency": (task.latency_s, "s"),
        "sensor_noise_scale": ((task.sensor_noise, task.sensor_noise), "1"),
    }
    return {
        name: Range(low=low, high=high, unit=unit) for name, ((low, high), unit) in ranges.items()
    }


def push_action() -> ActionPart:
    """What an action of 1 does to the hand."""
    return ActionPart(
        name="end_effector_displacement",
        size=Tabletop.action_size,
        scale=ActionConfig().displacement,
        unit="m",
        frame="world",
    )


def goal_space(*, stop_radius: float = STOP_RADIUS_M, reach: float = GOAL_RANGE_M) -> GoalSpace:
    """Goals for the cube's place on the table, up to ``reach`` from its middle either way [m]."""
    cube = FIELDS["cube_position"]
    return GoalSpace(
        field=cube.name,
        components=(0, 1),
        unit=cube.unit,
        frame=cube.frame,
        stop_radius=stop_radius,
        low=(-reach, -reach),
        high=(reach, reach),
    )


def plant(
    task: str,
    *,
    physics_step_s: float,
    stiffness: Array = PANDA.stiffness,
    damping: Array = PANDA.damping,
) -> Plant:
    """The arm and table of docs/plant.md, or an arm with other motors.

    Leash, workspace and share of the limits are those with which any of them is served.

    Args:
        task: Which world it is.
        physics_step_s: [s].
        stiffness: Of each joint [N m/rad].
        damping: Of each joint [N m s/rad].
    """
    action = ActionConfig()
    return Plant(
        robot=PANDA.name,
        task=task,
        physics_step_s=physics_step_s,
        joint_stiffness=tuple(stiffness.tolist()),
        joint_damping=tuple(damping.tolist()),
        setpoint_leash_m=action.leash,
        workspace_low_m=action.workspace_low,
        workspace_high_m=action.workspace_high,
        velocity_limit_share=ShaperConfig().limit_share,
    )


def _evaluation(config: SkillConfig, metrics: Scalars) -> Evaluation | None:
    if not metrics:
        return None
    command = f"skill-eval --model policy.onnx --skills {config.run.eval_skills}"
    if "goal_mean_distance_m" in metrics:
        command += f" --goals {config.run.final_eval_goals}"
    return Evaluation(command=command, metrics=dict(metrics))
