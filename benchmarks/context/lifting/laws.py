"""Hand-designed controllers for the lift, with and without the mass.

The arm is moved by one of two laws. *fed forward* puts the set-point above the goal by the sag
``m g / k`` that the mass causes. *integral* moves the set-point in proportion to the error of the
cube's height: displacements of the set-point add up, so it needs no mass. The grip is constant, or
that of the mass, or that of the mass which the arm's own sag shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.context.lifting.episodes import Taken
from skill_proto.arrays import Array
from skill_robots.motion.action import ActionConfig
from skill_robots.worlds.lift.world import LiftWorld

GRAVITY = 9.81
"""[m/s^2]"""
STIFFNESS = 1080.0
"""Of the arm along z, at the heights of the goals (``limits``) [N/m]."""
GRIP_N = 20.0
"""Load that the strongest grip holds: two fingers with 20 N each, friction .5 [N]."""
ACCELERATION_RESERVE = 2.0
"""Upward acceleration that the grip of a mass allows for [m/s^2]."""
MARGINS = {"mass": 0.05, "sag": 0.1}
"""Added to the squeeze of a mass that is known, or seen from the sag."""
GAIN = 0.9
"""Displacement of the integral law for each metre of error."""
LEAD_S = 0.05
"""Time over which the integral law predicts the error [s]."""
WAIT_STEPS = 24
"""Control steps with the strongest grip, after which the sag is taken for the weight. It is then
kept: a cube that slips weighs less on the arm, and a grip that followed would let it go."""
SMOOTHING = 0.5
"""Share of the newest sag in its running average."""


@dataclass(kw_only=True)
class Law:
    """A hand-designed controller. It reads the set-point of its arm."""

    arm: Literal["fed forward", "integral"]
    """*fed forward* knows the mass."""
    grip: float | Literal["mass", "sag"]
    """A constant squeeze, or that of the mass, known or seen from the sag."""
    _world: LiftWorld = field(init=False)
    _seen: Array = field(init=False)
    _sag: Array = field(init=False)
    _start: Array = field(init=False)
    _steps: int = field(init=False)

    def begin(self, world: LiftWorld) -> None:
        """Starts an episode in all scenes."""
        self._world, self._seen = world, world.reset()
        self._sag, self._start, self._steps = np.zeros(world.n), np.zeros(world.n), 0

    def step(self) -> Taken:
        """Runs one control step."""
        seen = self._seen
        result = self._world.step(self._act(seen))
        self._seen = result.observation
        return Taken(seen, result, None, None)

    def _act(self, observation: Array) -> Array:
        """Returns actions ``(n, 2)``."""
        world = self._world
        mass, (offset, height, rise) = world.hidden()[:, 0], observation[:, :3].T
        setpoint = world.tabletop.end_effectors.setpoint[:, 2]
        if self._steps == 0:
            self._start = setpoint - height  # on the table: the offset of the sensors
        elif self._steps < WAIT_STEPS:
            sag = setpoint - height - self._start
            self._sag = (1.0 - SMOOTHING) * self._sag + SMOOTHING * sag
        self._steps += 1
        if self.arm == "integral":
            step = GAIN * (offset - LEAD_S * rise)
        else:
            step = world.goal + mass * GRAVITY / STIFFNESS - setpoint
        lift = np.clip(step / ActionConfig().displacement, -1.0, 1.0)
        return np.stack([lift, 1.0 - 2.0 * self._squeeze(mass)], axis=1)

    def _squeeze(self, mass: Array) -> Array:
        """Returns how hard to press ``(n,)``, from 0 to 1."""
        if isinstance(self.grip, float):
            return np.full(len(mass), self.grip)
        if self.grip == "mass":
            return grip_of(mass, MARGINS["mass"])
        seen = grip_of(self._sag * STIFFNESS / GRAVITY, MARGINS["sag"])
        return seen if self._steps >= WAIT_STEPS else np.ones(len(mass))


def grip_of(mass: Array, margin: float) -> Array:
    """Returns the squeeze that holds a mass ``(n,)`` [kg]."""
    return np.clip(mass * (GRAVITY + ACCELERATION_RESERVE) / GRIP_N + margin, 0.0, 1.0)


LAWS: dict[str, tuple[Literal["fed forward", "integral"], float | Literal["mass", "sag"]]] = {
    "fed forward, grip of the mass": ("fed forward", "mass"),
    "integral, grip of the mass": ("integral", "mass"),
    "integral, grip of the sag": ("integral", "sag"),
    "fed forward, strongest grip": ("fed forward", 1.0),
    "integral, strongest grip": ("integral", 1.0),
    "integral, grip .7": ("integral", 0.7),
    "integral, grip .6": ("integral", 0.6),
    "integral, grip .5": ("integral", 0.5),
}
"""Arm and grip of each law. Those that feed forward or have the grip of the mass know it."""

CONSTANT_GRIP = "integral, grip .7"
"""The law whose observations are judged: it loses no cube, and moves all alike."""
