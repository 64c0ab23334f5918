"""A body with hidden quantities: one row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field

from skill_robots.worlds.bodies import Body
from skill_robots.worlds.varied.contexts import ContextSets


@dataclass(frozen=True, kw_only=True)
class Limb:
    """A joint or a leg that can be crippled: its actuators exert no torque."""

    name: str
    joints: tuple[str, ...]
    """Joints of its actuators."""
    halved: tuple[str, ...] = ()
    """Geoms whose radius and length are halved. Mass and inertia stay."""
    moved: tuple[tuple[str, str], ...] = ()
    """Geoms that take the place of another one in the frame of their own part, as (geom, other),
    in order."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Which masses and dampings a scale multiplies; the world's own mass is 0."""

    multiplied: slice = field(default_factory=lambda: slice(None))
    """Entries that are multiplied by the scale."""
    divided: slice = field(default_factory=lambda: slice(0))
    """Entries that are divided by it."""


EVERY = Scaling()


@dataclass(frozen=True, kw_only=True)
class VariedBody(Body):
    """A body, its task, and the sets of its hidden quantities.

    The first quantity of a context is the scale of the masses. The second one is the scale of the
    dampings, unless the body has limbs. The others are one flag for each limb.
    """

    episode_steps: int
    """Control steps of an episode as published."""
    contexts: ContextSets
    mass: Scaling = EVERY
    """By entry of ``body_mass``."""
    damping: Scaling | None = EVERY
    """By entry of ``dof_damping``; None for dampings that do not differ."""
    limbs: tuple[Limb, ...] = ()
    unobserved: int
    """Number of entries at the beginning of ``qpos`` that are not observed."""
    velocity_bound: float | None = None
    """Largest magnitude of an observed entry of ``qvel``; None for no bound."""
    speed_observed: bool = False
    """Whether the rewarded velocity of the last step comes first in the observation."""
    pose_observed: bool = False
    """Whether rotation and position of the torso come last."""
