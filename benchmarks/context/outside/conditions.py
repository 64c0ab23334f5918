"""Scenes inside the trained range of a policy, and outside of it in one quantity at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S
from skill_runtime.console.flags import UsageError

Interval = tuple[float, float]

FAR = (2.0, 4.0)
"""Mass and friction outside: this many times beyond an end of their range, log-uniform."""

FAR_STIFFNESS = (1.5, 2.0)
"""Stiffness outside: likewise. A simulated arm is unstable or limp farther out."""

LATE_STEPS = (1, 2)
"""Latency outside: whole control steps, added to that of training."""

INSIDE = "inside"


@dataclass(frozen=True, kw_only=True)
class Side:
    """Ranges of the quantities of a scene that the policy does not observe."""

    mass: Interval
    """Mass of the cube [kg]."""
    friction: Interval
    """Effective cube-table friction coefficient."""
    stiffness: Interval = (1.0, 1.0)
    """Factor on the arm's joint stiffness."""
    latency_s: Interval = (0.0, 0.0)
    """Delay of an action within its control step [s]."""
    late_steps: int = 0
    """Further delay of an action [control steps]."""
    noise: float = 0.0
    """Factor on the sensor noise."""
    second_object: bool = False
    """A second cube lies near the first one."""
    goals: int = 1
    """Goals that follow each other without a reset of scene and state, in the skill-aware task."""


def inside(manifest: PolicyManifest) -> Side:
    """Returns the trained range of a policy.

    Raises:
        UsageError: the manifest has no range of mass or friction.
    """
    ranges = {name: (span.low, span.high) for name, span in manifest.trained_on.items()}
    if not {"cube_mass", "cube_table_friction"} <= set(ranges):
        raise UsageError(
            f"{manifest.name}: the manifest has no range of cube_mass and cube_table_friction in "
            "trained_on. Name a policy that was trained on ranges, such as models/goal_panda.onnx"
        )
    return Side(
        mass=ranges["cube_mass"],
        friction=ranges["cube_table_friction"],
        stiffness=ranges.get("joint_stiffness_scale", (1.0, 1.0)),
        latency_s=ranges.get("action_latency", (0.0, 0.0)),
        noise=ranges.get("sensor_noise_scale", (0.0, 0.0))[1],
    )


def outside(
    trained: Side, *, largest_friction: float, stiffer: bool, goals: int
) -> dict[str, dict[str, Side]]:
    """Returns the sides outside of the trained range, by quantity and by a word for the side.

    Args:
        trained: The inside.
        largest_friction: Greatest friction coefficient of the simulation; there is no side beyond.
        stiffer: Whether the simulated arm can be stiffer than in training.
        goals: Goals of a scene that follow each other, if training had only one; else 1.
    """
    frictions = {"below": replace(trained, friction=below(trained.friction, FAR))}
    if FAR[0] * trained.friction[1] <= largest_friction:
        frictions["above"] = replace(trained, friction=above(trained.friction, FAR))
    soft = below(trained.stiffness, FAR_STIFFNESS)
    stiffnesses = {"below": replace(trained, stiffness=soft)}
    if stiffer:
        stiff = above(trained.stiffness, FAR_STIFFNESS)
        stiffnesses["above"] = replace(trained, stiffness=stiff)
    sides = {
        "cube mass": {
            "below": replace(trained, mass=below(trained.mass, FAR)),
            "above": replace(trained, mass=above(trained.mass, FAR)),
        },
        "cube friction": frictions,
        "arm stiffness": stiffnesses,
        "action latency": {
            f"+{1000 * steps * CONTROL_PERIOD_S:.0f} ms": replace(trained, late_steps=steps)
            for steps in LATE_STEPS
        },
        "second object": {"": replace(trained, second_object=True)},
    }
    if goals > 1:
        sides["goal after goal"] = {"": replace(trained, goals=goals)}
    return sides


def below(span: Interval, factors: Interval) -> Interval:
    """Returns the interval that lies ``factors`` below the low end of ``span``."""
    return span[0] / factors[1], span[0] / factors[0]


def above(span: Interval, factors: Interval) -> Interval:
    """Returns the interval that lies ``factors`` above the high end of ``span``."""
    return span[1] * factors[0], span[1] * factors[1]
