"""The Panda on its table, as a world."""

from __future__ import annotations

from typing import Any

import numpy as np

from skill_proto.arrays import Array, Ids
from skill_proto.manifest import ActionPart
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.gripper import WIDTH
from skill_robots.observation import manifest_fields
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.scene_arguments import check_scenes
from skill_robots.tasks.tabletop.goal_box import GOAL_HIGH_M, GOAL_LOW_M
from skill_robots.tasks.tabletop.metrics import CELL_M
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.worlds.world import Coordinates, Quantity, Step, WorldSpec

GOAL_RADIUS_M = 0.05
"""Largest distance of the cube from a goal that counts as reached [m]."""


class TabletopWorld:
    """n Pandas, each of which pushes a cube; implements ``World``.

    Args:
        config: Starts, contexts and time steps.
        n: Number of scenes.
        seed: Seed of all random draws.
        threads: Physics threads.
        engine: Physics engine.
        observation_names: Observed fields, in order; None: those of the task.

    Attributes:
        spec: The description.
        n: Number of scenes.
        tabletop: The scenes.

    Raises:
        WorldError: ``n`` or ``seed`` is no whole number from 1 or 0.
    """

    def __init__(
        self,
        config: TabletopConfig,
        n: int,
        *,
        seed: int = 0,
        threads: int = 1,
        engine: Engine = "mujoco",
        observation_names: tuple[str, ...] | None = None,
    ) -> None:
        check_scenes(n, seed)
        self.n = n
        self._names = config.observation_names if observation_names is None else observation_names
        self.spec = tabletop_spec(config, self._names)
        self.tabletop = Tabletop(config, n, seed=seed, threads=threads, engine=engine)
        self._nothing = np.zeros(n)
        self._never = np.zeros(n, dtype=np.bool_)

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``, with a new context."""
        self.tabletop.reset(ids)
        return self.tabletop.observe(self._names)

    def step(self, action: Array) -> Step:
        """Runs one control step. The tabletop has neither reward nor terminals.

        Raises:
            WorldError: The actions have another shape, or are not finite.
        """
        self.tabletop.step(action)
        observation = self.tabletop.observe(self._names)
        return Step(observation, self._nothing, self._never, self._never)

    def coordinates(self) -> Array:
        """Returns x and y of the cube ``(n, 2)``, without sensor noise [m]."""
        return self.tabletop.physics.cube_position[:, :2]

    def hidden(self) -> Array:
        """Returns mass and friction ``(n, 2)``."""
        return np.stack([self.tabletop.mass, self.tabletop.friction], axis=1)

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator of all draws."""
        return {"rng": self.tabletop.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator of all draws."""
        self.tabletop.rng.bit_generator.state = state["rng"]

    def close(self) -> None:
        """Frees the physics engine."""
        self.tabletop.physics.close()


def push_action() -> ActionPart:
    """Returns the action part for a displacement of the end effector."""
    return ActionPart(
        name="end_effector_displacement",
        size=Tabletop.action_size,
        scale=ActionConfig().displacement,
        unit="m",
        frame="world",
    )


def gripper_action() -> ActionPart:
    """Returns the action part that names the gripper's width, from 0 to its whole opening."""
    return ActionPart(name=WIDTH, size=1, scale=PANDA.gripper_width_max, unit="m", frame="none")


def tabletop_spec(config: TabletopConfig, observation_names: tuple[str, ...]) -> WorldSpec:
    """Returns the description of the tabletop."""
    return WorldSpec(
        name="tabletop",
        title="the tabletop",
        observation=manifest_fields(observation_names),
        action=(push_action(), gripper_action()) if config.gripper else (push_action(),),
        episode_steps=config.episode_steps,
        control_rate_hz=Tabletop.control_rate_hz,
        coordinates=Coordinates(
            names=("cube_position.0", "cube_position.1"),
            unit="m",
            cell=CELL_M,
            centred=True,
            relative=True,
            goal_low=GOAL_LOW_M,
            goal_high=GOAL_HIGH_M,
            goal_radius=GOAL_RADIUS_M,
        ),
        hidden=(
            Quantity(name="cube_mass", unit="kg", low=config.mass[0], high=config.mass[1]),
            Quantity(
                name="cube_table_friction",
                low=config.friction[0],
                high=config.friction[1],
            ),
        ),
    )
