"""Switch: picks first, and changes to the scoop if the cube does not follow; context-free."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from skill_robots.tasks.skill_aware.scripted.motion import Action, SceneState, to_width
from skill_robots.tasks.skill_aware.scripted.pick import PickConfig, PickController
from skill_robots.tasks.skill_aware.scripted.push import SCOOP, PushConfig, PushController


@dataclass(frozen=True, kw_only=True)
class SwitchConfig:
    """The two skills, and the conditions for the change."""

    pick: PickConfig = field(default_factory=PickConfig)
    """The first skill."""
    push: PushConfig = SCOOP
    """The skill for the rest of the episode after picking has failed."""
    patience_steps: int = 4
    """Steps of carrying within which the cube must make the progress below."""
    progress_m: float = 0.012
    """Required progress towards the goal within ``patience_steps`` [m]."""
    arrived_m: float = 0.03
    """Distance of the cube from the goal at which the hand stops: a pick holds the cube there, a
    push leaves it [m]."""
    coasting_m_s: float = 0.15
    """Speed of a lost cube after two steps above which it slides well and is picked again [m/s]."""


class SwitchController:
    """Picks in one scene, and pushes after picking has failed."""

    def __init__(self, config: SwitchConfig) -> None:
        self._config = config
        self._pick = PickController(config.pick)
        self._push: PushController | None = None
        self._history: list[float] = []
        """Distance to the goal at every step since the cube was first carried."""
        self._lost_steps = 0

    @property
    def phase(self) -> str:
        """Phase of the active skill."""
        return self._pick.phase if self._push is None else self._push.phase

    def act(self, state: SceneState) -> Action:
        """Returns the next action."""
        if self._push is not None:
            return self._rest(state) if self._arrived(state) else self._push.act(state)
        action = self._pick.act(state)
        if not self._failed(state):
            return action
        self._push = PushController(self._config.push)
        return self._push.act(state)

    def _arrived(self, state: SceneState) -> bool:
        return math.hypot(*state.goal_offset) < self._config.arrived_m

    def _rest(self, state: SceneState) -> Action:
        return 0.0, 0.0, 0.0, to_width(state, 0.0, 0.5)

    def _failed(self, state: SceneState) -> bool:
        config, pick = self._config, self._pick
        if pick.phase == "carry":
            self._lost_steps = 0
            if self._arrived(state):
                self._history.clear()
                return False
            self._history.append(math.hypot(*state.goal_offset))
            if len(self._history) <= config.patience_steps:
                return False
            gained = self._history[-1 - config.patience_steps] - self._history[-1]
            return gained < config.progress_m
        if self._history:
            self._lost_steps += 1
            if self._lost_steps == 2:
                self._history.clear()
                return math.hypot(*state.cube_velocity[:2]) < config.coasting_m_s
        return False
