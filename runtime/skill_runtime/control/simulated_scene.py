"""Changes to the contents of a simulated scene; a real arm has no such scene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from skill_robots.arm import Arm, ArmCommunicationError, ArmError, Scene
from skill_runtime.authority.refusal import Refusal


def scene_of(arm: Arm, request: str) -> Scene:
    """Returns the scene of a simulated arm, for a request with this name.

    Raises:
        Refusal: ``not_supported``, the arm is real.
    """
    if not arm.is_simulated:
        raise Refusal(
            "not_supported",
            f"{request!r} needs a simulated arm, this one is real",
            "move the object by hand",
        )
    return cast("Scene", arm)


def reset_scene(arm: Arm, seed: int | None) -> None:
    """Puts arm and objects at a new random start; this also ends errors other than silence.

    Raises:
        Refusal: ``not_supported``, the arm is real.
        ArmCommunicationError: the arm does not answer.
    """
    scene = scene_of(arm, "reset")
    try:
        arm.read()
    except ArmCommunicationError:
        raise
    except ArmError:
        pass
    scene.reset(seed)


def set_context(arm: Arm, mass: float | None, friction: float | None) -> None:
    """Changes the simulated object; the policy keeps its recurrent state and must adapt.

    Raises:
        Refusal: ``not_supported``, or ``invalid`` if the simulation does not support a value.
    """
    try:
        scene_of(arm, "scene").set_context(mass=mass, friction=friction)
    except ValueError as error:
        raise Refusal("invalid", str(error), "send a value that the simulation supports") from None


def context_of(arm: Arm) -> Mapping[str, float] | None:
    """Returns true mass and friction of a simulated object; None for a real arm."""
    return cast("Scene", arm).context if arm.is_simulated else None
