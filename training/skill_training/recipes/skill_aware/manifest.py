"""Manifest and card texts of a policy of the skill-aware benchmark."""

from __future__ import annotations

import numpy as np

from skill_proto.manifest import (
    ActionPart,
    Context,
    PolicyManifest,
    Range,
    RecurrentState,
    SkillSpace,
)
from skill_robots.observation import manifest_fields
from skill_robots.tasks.skill_aware.benchmark import SPLITS, SUCCESS_RADIUS_M, TRAIN, cell_name
from skill_robots.tasks.skill_aware.mujoco_model import MOTOR_DAMPING, MOTOR_RATE, PHYSICS_STEP_S
from skill_robots.tasks.skill_aware.scenes import (
    AREA_M,
    CONTROL_RATE_HZ,
    DISPLACEMENT_M,
    GRIPPER_WIDTH_STEP_M,
    OBSERVATION,
    cube_table_friction,
)
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_training.algorithms.context_sac_config import encoder_note
from skill_training.recipes.manifest_parts import goal_space, plant
from skill_training.recipes.recipe import RunFacts
from skill_training.recipes.skill_aware.config import BenchmarkConfig
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig, unseen_cells

TITLES = {
    "tesac": "TESAC (no contrastive term)",
    "ccm": "CCM (InfoNCE over tasks)",
    "satesac": "SaTESAC (SaNCE within a task)",
    "saccm": "SaCCM (SaNCE over tasks)",
}

LIMITS = """\
- Simulation only, on panda-gym's robot: its arm responds without delay and with more force than a
  Panda's joint impedance, and its solver lets heavy bodies sink into each other by millimetres.
- Friction is the benchmark's label, the table's Bullet coefficient; the effective cube-table
  coefficient is half of it.
- This arm can neither lift nor push heavy cubes on rough tables; docs/results.md gives the
  success by cell.
"""


def manifest(
    config: BenchmarkConfig,
    facts: RunFacts,
    context: Context,
    recurrent: tuple[RecurrentState, ...],
) -> PolicyManifest:
    """Returns the manifest of a run of any method."""
    name = config.algorithm_name
    return PolicyManifest(
        name=f"{name}_panda",
        algorithm=name,
        description=(
            "Brings a cube to a goal on the table by picking, pushing or tumbling it, depending on "
            f"its mass and the table's friction. Trained with {TITLES[name]}{_imitation(config)}."
        ),
        control_rate_hz=CONTROL_RATE_HZ,
        observation=manifest_fields(OBSERVATION),
        action=_actions(),
        skill=SkillSpace(kind="none", size=0),
        goal=goal_space(
            stop_radius=SUCCESS_RADIUS_M, low=(-AREA_M, -AREA_M), high=(AREA_M, AREA_M)
        ),
        recurrent=recurrent,
        context=context,
        plant=plant(
            SKILL_AWARE.name,
            physics_step_s=PHYSICS_STEP_S,
            stiffness=MOTOR_RATE * MOTOR_DAMPING,
            damping=MOTOR_DAMPING,
            displacement_origin="measured",
        ),
        trained_on=_trained_on(config.task),
        provenance=facts.provenance,
        evaluation=facts.evaluation,
    )


def _imitation(config: BenchmarkConfig) -> str:
    """Returns the part of the description that names the demonstrator."""
    settings = config.algorithm
    if not (settings.demonstrations or settings.dagger) or not settings.imitation_weight:
        return ""
    imitated = "a script" if settings.demonstrator is None else "a skill policy"
    return f" and imitation of {imitated}"


def _actions() -> tuple[ActionPart, ...]:
    return (
        ActionPart(
            name="end_effector_displacement",
            size=3,
            scale=DISPLACEMENT_M,
            unit="m",
            frame="world",
        ),
        ActionPart(
            name="gripper_width_displacement",
            size=1,
            scale=GRIPPER_WIDTH_STEP_M,
            unit="m",
            frame="none",
        ),
    )


def _trained_on(task: SkillAwareTaskConfig) -> dict[str, Range]:
    if task.contexts == "cells":
        cells = [(cell.mass, cell.friction) for cell in TRAIN]
        mass, friction = [(min(values), max(values)) for values in zip(*cells, strict=True)]
    else:
        mass, friction = task.mass, task.friction
    effective = cube_table_friction(np.array(friction)).tolist()
    return {
        "cube_mass": Range(low=mass[0], high=mass[1], unit="kg"),
        "cube_table_friction": Range(low=effective[0], high=effective[1], unit="1"),
    }


def metric_texts(config: BenchmarkConfig) -> dict[str, str]:
    """Returns a description of each metric of the final evaluation, by name."""
    engine = {"mujoco": "the MuJoCo twin", "bullet": "PyBullet"}[config.task.engine]
    texts = {
        f"success.{split}": f"success over the {len(cells)} cells of the {split} split, {engine}"
        for split, cells in SPLITS.items()
    }
    texts |= {
        f"at_end.{split}": f"cube at the goal after the last step, {split} split"
        for split in SPLITS
    }
    unseen = [cell_name(cell) for cell in unseen_cells(config.task)]
    texts["success.seen"] = "success over the cells of training"
    texts["success.unseen"] = (
        "success over the cells outside of training (friction label,mass in kg: "
        f"{'; '.join(unseen)})"
    )
    return texts


def _end_text(end_speed: float | None) -> str:
    """Returns the card's text on the end of an episode."""
    if end_speed is None:
        return "until the cube is within 5 cm of the goal; there the policy stops"
    return (
        "unless the cube is within 5 cm of the goal, where the episode ends and the policy stops "
        f"once the cube is slower than {end_speed:g} m/s"
    )


def training_data(config: BenchmarkConfig) -> str:
    """Returns the card's text on contexts, reward, demonstrations and encoder."""
    settings, task = config.algorithm, config.task
    contexts = (
        "the six training cells of the benchmark"
        if task.contexts == "cells"
        else (
            f"frictions {task.friction[0]:g} to {task.friction[1]:g} and masses "
            f"{task.mass[0]:g} to {task.mass[1]:g} kg, log-uniform, without the box of frictions "
            f"{task.held_out_friction[0]:g} to {task.held_out_friction[1]:g} and masses "
            f"{task.held_out_mass[0]:g} to {task.held_out_mass[1]:g} kg"
        )
    )
    script = "skill_robots.tasks.skill_aware.scripted.policies.Switch"
    demonstrator = (
        f"a scripted controller that does not know the context (`{script}`)"
        if settings.demonstrator is None
        else f"the zero-shot goals of a skill policy, `{settings.demonstrator}`, without a script"
    )
    demonstrations = (
        f"{settings.demonstrations} demonstrations of {demonstrator}, "
        f"{settings.demonstration_share:.0%} of the episodes of a batch, "
        f"imitated with weight {settings.imitation_weight:g}"
        f"{' if the critic prefers them' if settings.imitation_filter else ''}"
        if settings.demonstrations
        else "No demonstrations"
    )
    if settings.dagger:
        demonstrations += (
            "; the demonstrator labels every step of the policy's own episodes with the action "
            "that it would take, which is imitated likewise (DAgger)"
        )
    near = (
        f"{task.near_share:.0%} of the episodes start with the hand at the cube. "
        if task.near_share
        else ""
    )
    return (
        f"Physics: {task.engine}. Contexts, also of demonstrations: {contexts}. Reward: minus the "
        "cube's distance from the goal, minus 0.3 of the end effector's distance from the cube, "
        "minus a constant per step (distances count up to 40 cm), "
        f"{_end_text(task.end_speed)}. {near}{demonstrations}; "
        f"{settings.hindsight_share:.0%} of the goals are hindsight goals; entropy coefficient "
        f"at least {settings.entropy_floor:g}. {encoder_note(settings)}\n"
    )
