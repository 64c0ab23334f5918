"""Runs a goal policy on the tabletop, from goal to goal as a server does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from benchmarks.context.goal_serving import JUDGED_STEPS, GoalService
from benchmarks.context.outside.conditions import Side
from benchmarks.context.outside.recording import Recorder, Recording, Scenes
from benchmarks.context.outside.second_object import CrowdedPhysics
from skill_proto.arrays import Array
from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.policy import OnnxPolicy

STEPS = 5 * JUDGED_STEPS
"""Control steps of a scene: five goals of 2.4 s."""


class LateTabletop(Tabletop):
    """A tabletop on which every action takes effect some control steps later.

    Args:
        config: starts, contexts and time steps.
        n: number of scenes.
        seed: of all random draws.
        late_steps: delay [control steps].
        physics: the scenes; None makes them on MuJoCo.
    """

    def __init__(
        self,
        config: TabletopConfig,
        n: int,
        *,
        seed: int,
        late_steps: int,
        physics: CrowdedPhysics | None,
    ) -> None:
        super().__init__(config, n, seed=seed, physics=physics)
        self._late = deque([np.zeros((n, self.action_size))] * late_steps)

    def step(self, action: Array) -> None:
        """Runs one control step with the action of ``late_steps`` steps ago."""
        self._late.append(action)
        super().step(self._late.popleft())


def run(
    policy: OnnxPolicy, side: Side, n: int, seed: int, on_step: Callable[[], object]
) -> Recording:
    """Runs ``n`` scenes of one side; ``on_step`` is called after each control step."""
    config = TabletopConfig(
        mass=side.mass,
        friction=side.friction,
        stiffness_scale=side.stiffness,
        latency_s=side.latency_s,
        sensor_noise=side.noise,
    )
    physics = None
    if side.second_object:
        physics = CrowdedPhysics(n, config.physics_step_s, ActionConfig().base_position, seed)
    table = LateTabletop(config, n, seed=seed, late_steps=side.late_steps, physics=physics)
    service = GoalService(policy, config, n, seed=seed, table=table)
    recorder = Recorder()
    for _ in range(STEPS):
        observation, output = service.observed_step()
        recorder.add(observation, output)
        on_step()
    return recorder.recording()


TABLETOP_SCENES = Scenes(
    run=run, steps=STEPS, columns=1, goals=1, largest_friction=np.inf, stiffer=True
)
