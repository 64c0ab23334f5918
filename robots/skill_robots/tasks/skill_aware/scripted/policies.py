"""The scripted controllers as policies for the skill-aware benchmark."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.skill_aware.scripted.motion import Controller, scene_states
from skill_robots.tasks.skill_aware.scripted.pick import PickConfig, PickController
from skill_robots.tasks.skill_aware.scripted.push import SCOOP, SLIDE, PushConfig, PushController
from skill_robots.tasks.skill_aware.scripted.switch import SwitchConfig, SwitchController

_PICK, _SWITCH = PickConfig(), SwitchConfig()


class Scripted:
    """A policy with one controller per scene."""

    def __init__(self, make: Callable[[], Controller]) -> None:
        self._make = make
        self._controllers: list[Controller] = []

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes."""
        self._controllers = [self._make() for _ in range(n)]

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, 4)`` actions for ``(n, 23)`` observations and ``(n, 2)`` goals."""
        if goal is None:
            raise ValueError("the scripted controllers need a goal")
        scenes = zip(self._controllers, scene_states(observation, goal), strict=True)
        return np.array([controller.act(state) for controller, state in scenes])


class Pick(Scripted):
    """The same gentle pick in every cell; context-free."""

    def __init__(self, config: PickConfig = _PICK) -> None:
        super().__init__(lambda: PickController(config))


class Push(Scripted):
    """The same push in every cell; context-free."""

    def __init__(self, config: PushConfig = SLIDE) -> None:
        super().__init__(lambda: PushController(config))


class Rule(Scripted):
    """Chooses between pick, slide and scoop once an episode, from the true friction and mass."""

    def __init__(self) -> None:
        super().__init__(lambda: PickController(PickConfig()))

    def set_true_context(self, friction: Array, mass: Array) -> None:
        """Sets the true friction (label) and mass [kg] of every scene; chooses the controllers."""
        self._controllers = [_choose(f, m) for f, m in zip(friction, mass, strict=True)]


def _choose(friction: float, mass: float) -> Controller:
    if mass <= 5.0 or friction < 0.5:
        return PickController(PickConfig())
    return PushController(SLIDE if friction < 2.5 else SCOOP)


class Switch(Scripted):
    """Picks, and changes to the scoop if the cube does not follow; context-free."""

    def __init__(self, config: SwitchConfig = _SWITCH) -> None:
        super().__init__(lambda: SwitchController(config))
