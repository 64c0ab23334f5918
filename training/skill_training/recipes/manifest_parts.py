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
from skill_robots.worlds.world import WorldSpec

STOP_RADIUS_M = 0.02
"""Distance to the goal within which a policy stops: about the distance that a cube still slides."""


QUANTITIES = {
    "cube_mass": ("mass", "kg"),
    "cube_table_friction": ("friction", "1"),
    "joint_stiffness_scale": ("stiffness_scale", "1"),
    "action_latency": ("latency_s", "s"),
    "sensor_noise_scale": ("sensor_noise", "1"),
}
"""Setting of the tabletop and unit of each quantity in a manifest's ``trained_on``."""


def plain_name(text: str) -> str:
    """Returns a part of a policy's name: the text with '_' for all but letters and digits."""
    return "".join(letter if letter.isalnum() else "_" for letter in text)


def trained_on(task: TabletopConfig) -> dict[str, Range]:
    """Returns the ranges of the quantities that vary between episodes."""
    ranges: dict[str, Range] = {}
    for name, (setting, unit) in QUANTITIES.items():
        value: float | tuple[float, float] = getattr(task, setting)
        low, high = value if isinstance(value, tuple) else (value, value)
        ranges[name] = Range(low=low, high=high, unit=unit)
    return ranges


def hidden_ranges(spec: WorldSpec) -> dict[str, Range]:
    """Returns the ranges of the hidden quantities of a world, as far as it knows them."""
    return {
        one.name: Range(low=one.low, high=one.high, unit=one.unit)
        for one in spec.hidden
        if one.low is not None and one.high is not None
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


def coordinate_goals(
    spec: WorldSpec,
    *,
    stop_radius: float,
    low: tuple[float, ...],
    high: tuple[float, ...],
) -> GoalSpace:
    """Returns the space of goals for the coordinates of a world, which lie in one field.

    Args:
        spec: The description of the world.
        stop_radius: Distance to the goal within which the policy stops.
        low: Lowest goal, in the unit of the coordinates.
        high: Highest goal.
    """
    assert spec.coordinates is not None
    entries = [entry.rpartition(".") for entry in spec.coordinates.names]
    field = next(part for part in spec.observation if part.name == entries[0][0])
    return GoalSpace(
        field=field.name,
        components=tuple(int(component) for _, _, component in entries),
        unit=field.unit,
        frame=field.frame,
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
