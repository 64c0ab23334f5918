"""Joints and legs that can be crippled, in the order of the actuators' numbers in SaMI's code."""

from __future__ import annotations

from skill_robots.worlds.varied.body import Limb


def _joints(*names: str) -> tuple[Limb, ...]:
    """Returns one limb for each joint."""
    return tuple(Limb(name=name.removesuffix("_joint"), joints=(name,)) for name in names)


def _ant_leg(name: str, number: int, leg: str, ankle: str) -> Limb:
    return Limb(
        name=name,
        joints=(f"hip_{number}", f"ankle_{number}"),
        halved=(f"{leg}_geom", f"{ankle}_geom"),
        moved=((f"{ankle}_geom", f"{leg}_geom"),),
    )


def _walker_leg(side: str) -> tuple[Limb, ...]:
    """Returns the joints of a leg; ``side`` is '' for the right one and '_left' for the other."""
    thigh, leg, foot = (f"{part}{side}" for part in ("thigh", "leg", "foot"))
    moved = {
        thigh: ((f"{leg}_geom", f"{thigh}_geom"), (f"{foot}_geom", f"{leg}_geom")),
        leg: ((f"{foot}_geom", f"{leg}_geom"),),
        foot: ((f"{foot}_geom", f"{leg}_geom"),),
    }
    return tuple(
        Limb(name=part, joints=(f"{part}_joint",), halved=(f"{part}_geom",), moved=moved[part])
        for part in (thigh, leg, foot)
    )


ANT_LEGS = (
    _ant_leg("front_left_leg", 1, "left_leg", "left_ankle"),
    _ant_leg("front_right_leg", 2, "right_leg", "right_ankle"),
    _ant_leg("back_left_leg", 3, "back_leg", "third_ankle"),
    _ant_leg("back_right_leg", 4, "rightback_leg", "fourth_ankle"),
)
"""Legs 0 to 3."""

HALF_CHEETAH_JOINTS = _joints("bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot")
"""Joints 0 to 2 of the back leg, and 3 to 5 of the front leg."""

HOPPER_JOINTS = _joints("thigh_joint", "leg_joint", "foot_joint")
"""Joints 0 to 2."""

WALKER_JOINTS = (*_walker_leg(""), *_walker_leg("_left"))
"""Joints 0 to 2 of the right leg, and 3 to 5 of the left leg."""
