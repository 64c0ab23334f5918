"""Parts of manifests that several recipes share."""

from __future__ import annotations

from typing import Literal

from skill_proto.arrays import Array
from skill_proto.manifest import (
    GoalSpace,
    Range,
)
from skill_proto.plant import Plant
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.observation import FIELDS
from skill_robots.tasks.tabletop.goal_box import GOAL_HIGH_M, GOAL_LOW_M
from skill_robots.tasks.tabletop.tabletop import TabletopConfig

STOP_RADIUS_M = 0.02
"""Distance to the goal within which a policy stops: about the distance that a cube still slides."""


def trained_on(task: TabletopConfig) -> dict[str, Range]:
    """Returns the ranges of the quantities that vary between episodes."""
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


def goal_space(
    *,
    stop_radius: float = STOP_RADIUS_M,
    low: tuple[float, float] = GOAL_LOW_M,
    high: tuple[float, float] = GOAL_HIGH_M,
) -> GoalSpace:
    """Returns the space of goals for the cube's x and y, between ``low`` and ``high`` [m]."""
    cube = FIELDS["cube_position"]
    return GoalSpace(
        field=cube.name,
        components=(0, 1),
        unit=cube.unit,
        frame=cube.frame,
        stop_radius=stop_radius,
        low=low,
        high=high,
    )


def plant(
    task: str,
    *,
    physics_step_s: float,
    stiffness: Array = PANDA.stiffness,
    damping: Array = PANDA.damping,
    displacement_origin: Literal["setpoint", "measured"] = "setpoint",
) -> Plant:
    """Returns the plant of docs/plant.md, or a plant with other motors.

    Maximum set-point error, workspace and share of the velocity limits are those of serving.

    Args:
        task: Name of the task.
        physics_step_s: Physics step [s].
        stiffness: Stiffness of each joint [N m/rad].
        damping: Damping of each joint [N m s/rad].
        displacement_origin: Position to which an action's displacement is added.
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
        displacement_origin=displacement_origin,
    )
