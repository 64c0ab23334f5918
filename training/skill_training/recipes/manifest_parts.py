"""manifest_parts."""

from __future__ import annotations

from skill_proto.arrays import Array
from skill_proto.manifest import (
    ActionPart,
    GoalSpace,
    Plant,
    Range,
)
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.observation import FIELDS
from skill_robots.tasks.tabletop.rollouts import GOAL_RANGE_M
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_training.recipes.discovery.policy import STOP_RADIUS_M


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
        max_setpoint_error_m=action.max_setpoint_error,
        workspace_low_m=action.workspace_low,
        workspace_high_m=action.workspace_high,
        velocity_limit_share=ShaperConfig().limit_share,
    )
