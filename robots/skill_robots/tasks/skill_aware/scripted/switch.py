"""SWITCH: told nothing, picks first, and changes to the scoop when the cube does not follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from skill_robots.tasks.skill_aware.scripted.motion import Action, Seen, to_width
from skill_robots.tasks.skill_aware.scripted.pick import PickConfig, PickController
from skill_robots.tasks.skill_aware.scripted.push import SCOOP, PushConfig, PushController


@dataclass(frozen=True, kw_only=True)
class SwitchConfig:
    """When to change the skill, and between which."""

    pick: PickConfig = field(default_factory=PickConfig)
    """What is tried first."""
    push: PushConfig = SCOOP
    """What is tried for the rest of the episode once picking has failed."""
    patience_steps: int = 4
    """Steps of carrying in which the cube must make the progress below."""
    progress_m: float = 0.012
    """Towards the goal, within the patience [m]."""
    arrived_m: float = 0.03
    """A cube this near the goal is left there: held by a hand that picked it, let be by one that
    pushed it [m]."""
    coasting_m_s: float = 0.15
    """A cube that is this fast two steps after it was lost slides well: pick it again [m/s]."""


class SwitchController:
    """Picks in one scene, and pushes once picking has failed."""

    def __init__(self, config: SwitchConfig) -> None:
        self._config = config
        self._pick = PickController(config.pick)
        self._push: PushController | None = None
        self._history: list[float] = []
        """Distances to the goal, one per step since the cube was first carried."""
        self._lost_steps = 0

    @property
    def phase(self) -> str:
        """What the skill in charge is doing."""
        return self._pick.phase if self._push is None else self._push.phase

    def act(self, seen: Seen) -> Action:
        """The next action."""
        if self._push is not None:
            return self._rest(seen) if self._arrived(seen) else self._push.act(seen)
        action = self._pick.act(seen)
        if not self._failed(seen):
            return action
        self._push = PushController(self._config.push)
        return self._push.act(seen)

    def _arrived(self, seen: Seen) -> bool:
        return math.hypot(*seen.goal_offset) < self._config.arrived_m

    def _rest(self, seen: Seen) -> Action:
        return 0.0, 0.0, 0.0, to_width(seen, 0.0, 0.5)

    def _failed(self, seen: Seen) -> bool:
        config, pick = self._config, self._pick
        if pick.phase == "carry":
            self._lost_steps = 0
            if self._arrived(seen):
                self._history.clear()
                return False
            self._history.append(math.hypot(*seen.goal_offset))
            if len(self._history) <= config.patience_steps:
                return False
            gained = self._history[-1 - config.patience_steps] - self._history[-1]
            return gained < config.progress_m
        if self._history:
            self._lost_steps += 1
            if self._lost_steps == 2:
                self._history.clear()
                return math.hypot(*seen.cube_velocity[:2]) < config.coasting_m_s
        return False
