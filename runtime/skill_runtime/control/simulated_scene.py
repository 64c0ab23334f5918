"""The scene of a simulated arm: what is in it, and changing that. A real arm has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from skill_robots.arm import Arm, Scene
from skill_runtime.authority.refusal import Refusal


def scene_of(arm: Arm, what: str) -> Scene:
    """The scene that ``what`` needs.

    Raises:
        Refusal: ``not_supported``, the arm is real.
    """
    if not arm.is_simulated:
        raise Refusal(
            "not_supported",
            f"{what!r} needs a simulated arm, this one is real",
            "move the object by hand",
        )
    return cast("Scene", arm)


def set_context(arm: Arm, mass: float | None, friction: float | None) -> None:
    """Changes the simulated object; what a policy remembers stays: it is to notice.

    Raises:
        Refusal: ``not_supported``, or ``invalid`` where the simulation cannot carry it.
    """
    try:
        scene_of(arm, "scene").set_context(mass=mass, friction=friction)
    except ValueError as error:
        raise Refusal("invalid", str(error), "send a value the simulation can carry") from None


def context_of(arm: Arm) -> Mapping[str, float] | None:
    """True mass and friction of a simulated object; None of a real one."""
    return cast("Scene", arm).context if arm.is_simulated else None
