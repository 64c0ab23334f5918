"""n Pandas, each of which lifts a cube of unknown mass."""

from __future__ import annotations

from typing import Any

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_proto.manifest import ActionPart, ObservationField
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.gripper import WIDTH
from skill_robots.objects import CUBE, CUBE_SIZE
from skill_robots.observation import WorldState
from skill_robots.tasks.scene_arguments import (
    check_scenes,
    checked_action,
    checked_ids,
    ids_to_reset,
)
from skill_robots.tasks.tabletop.starts import Starts
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.lift.config import HIGHEST_M, LIFT, MASSES, LiftConfig, draw_masses
from skill_robots.worlds.world import Quantity, Split, Step, WorldSpec, check_split

NEAR_M = 0.01
"""Distance from the goal at which the reward is halved [m]."""

LOST_M = 0.025
"""Distance of the cube's centre from the end effector from which the cube counts as lost [m]. The
fingers reach 9 mm below the end effector, and the cube's upper face is 20 mm above its centre."""

_PLAIN = (("goal_offset", "m"), ("end_effector_height", "m"), ("end_effector_rise", "m/s"))
_CUBE = (("cube_in_hand", "m"), ("cube_rise", "m/s"))
_SETPOINT = (("setpoint_gap", "m"), ("setpoint_rise", "m/s"))


class LiftWorld:
    """n scenes of the tabletop in which the closed hand holds the cube; implements ``World``.

    An episode starts on the table, with all of the grip's force. The first action displaces the
    set-point of the end effector along z, the second sets how hard the fingers press. Both pass the
    decoder, the shaper and the impedance of the served arm. The other two axes have a displacement
    of zero.

    The reward of a step is ``(1 - cost squeeze) / (1 + |height - goal| / 1 cm)``, with the squeeze
    from 0 to 1. It is never negative, so that no policy gains by losing the cube. An episode ends
    when the cube is lost.

    Args:
        config: Masses, goals and reward.
        n: Number of scenes.
        seed: Seed of masses, goals and sensor noise.
        threads: Physics threads.

    Attributes:
        spec: The description.
        n: Number of scenes.
        tabletop: The scenes.
        goal: ``(n,)`` heights to which the cube's centre must be brought [m].

    Raises:
        WorldError: the goals are no heights that the arm can bring a cube to, or ``n`` or ``seed``
            is no whole number from 1 or 0.
    """

    def __init__(self, config: LiftConfig, n: int, *, seed: int = 0, threads: int = 1) -> None:
        check_scenes(n, seed)
        _check(config)
        self.config = config
        self.n = n
        self.spec = lift_spec(config)
        self.tabletop = Tabletop(
            TabletopConfig(gripper=True, sensor_noise=config.sensor_noise),
            n,
            seed=seed,
            threads=threads,
        )
        self._rng = np.random.default_rng([seed, 9])
        self.goal = np.zeros(n)
        self._fixed = np.full(n, np.nan)
        self.reset()

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``, with a new mass and a new goal."""
        ids = ids_to_reset(ids, self.n)
        self.tabletop.begin(ids, *held_starts(len(ids)))
        mass = self.tabletop.mass.copy()
        drawn, fixed = draw_masses(self.config.contexts, len(ids), self._rng), self._fixed[ids]
        mass[ids] = np.where(np.isnan(fixed), drawn, fixed)
        self.tabletop.set_context(mass=mass)
        self.goal[ids] = self._rng.uniform(*self.config.goal_height, len(ids))
        return self._observe()

    def step(self, action: Array) -> Step:
        """Runs one control step.

        Args:
            action: ``(n, 2)`` in [-1, 1]: displacement of the set-point along z, and the width of
                the gripper, from 0 to the cube's own, at which the fingers press with no force.

        Raises:
            WorldError: The actions have another shape, or are not finite.
        """
        given = checked_action(action, self.n, self.spec.action_size)
        bounded = np.clip(given, -1.0, 1.0)
        # The tabletop's own action names widths up to the gripper's opening, twice the cube's.
        width = (1.0 + bounded[:, 1]) * CUBE_SIZE / PANDA.gripper_width_max - 1.0
        still = np.zeros(self.n)
        self.tabletop.step(np.stack([still, still, bounded[:, 0], width], axis=1))
        lost = self.lost()
        return Step(self._observe(), np.where(lost, 0.0, self.reward()), lost, lost)

    def squeeze(self) -> Array:
        """Returns how hard the fingers are commanded to press ``(n,)``, from 0 to 1."""
        return np.clip(1.0 - self.tabletop.gripper_setpoint / CUBE_SIZE, 0.0, 1.0)

    def error(self) -> Array:
        """Returns the cube's height above its goal ``(n,)``, without sensor noise [m]."""
        return self.tabletop.cube_position[:, 2] - self.goal

    def lost(self) -> Flags:
        """Returns ``(n,)``: whether the cube has left the fingers."""
        hand = self.tabletop.end_effector_position
        return np.linalg.norm(self.tabletop.cube_position - hand, axis=1) > LOST_M

    def reward(self) -> Array:
        """Returns the reward ``(n,)`` of the present state, of a cube that is held."""
        return (1.0 - self.config.squeeze_cost * self.squeeze()) / (
            1.0 + np.abs(self.error()) / NEAR_M
        )

    def _observe(self) -> Array:
        state: WorldState = self.tabletop.world()
        cube, hand = state.objects[CUBE], state.end_effector_position[:, 2]
        entries = [
            self.goal - cube.position[:, 2],
            hand,
            state.end_effector_velocity[:, 2],
            cube.position[:, 2] - hand,
            cube.velocity[:, 2],
        ]
        if self.config.observes_setpoint:
            entries += [state.setpoint_position[:, 2] - hand, state.setpoint_velocity[:, 2]]
        return np.stack(entries, axis=1)

    def coordinates(self) -> Array:
        """Returns ``(n, 0)``: the world declares no coordinates."""
        return np.zeros((self.n, 0))

    def hidden(self) -> Array:
        """Returns the mass ``(n, 1)`` [kg]."""
        return self.tabletop.mass[:, None].copy()

    def contexts(self, split: Split) -> Array:
        """Refuses to list the contexts of a set: its masses are ranges.

        Raises:
            WorldError: Always; the text names the ranges, and what to use instead.
        """
        check_split(split)
        ranges = ", ".join(f"{low:g} to {high:g} kg" for low, high in MASSES[split])
        raise WorldError(
            f"the masses of the set {split!r} of {self.spec.title} are ranges, {ranges}, and no "
            f"list; draw them with LiftConfig(contexts={split!r}), or choose some in set_contexts"
        )

    def set_contexts(self, ids: Ids, values: Array | None) -> None:
        """Fixes the masses of the following episodes of some scenes.

        The generators move on as without it. :meth:`state_dict` does not hold the values.

        Args:
            ids: The scenes ``(k,)``.
            values: Masses ``(k, 1)`` or ``(1,)`` [kg]; None: they are drawn again.

        Raises:
            WorldError: there is no such scene, the values have another shape, or a mass is not
                positive.
        """
        places = checked_ids(ids, self.n)
        self._fixed[places] = np.nan if values is None else _masses(values, len(places))

    def state_dict(self) -> dict[str, Any]:
        """Returns the generators of masses, goals and sensor noise."""
        noise = self.tabletop.rng.bit_generator.state
        return {"rng": self._rng.bit_generator.state, "noise": noise}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generators of :meth:`state_dict`."""
        self._rng.bit_generator.state = state["rng"]
        self.tabletop.rng.bit_generator.state = state["noise"]

    def close(self) -> None:
        """Frees the physics engine."""
        self.tabletop.physics.close()


def held_starts(n: int, height_m: float = CUBE_SIZE / 2) -> tuple[Starts, Array]:
    """Returns starts with the cube in the closed hand, and set-points of the gripper of 0 ``(n,)``.

    Args:
        n: number of scenes.
        height_m: height of the cubes' centres [m]; on the table by default.
    """
    height = np.full(n, height_m)
    hand = np.zeros((n, 3))
    hand[:, 2] = height
    starts = Starts(
        hand=hand,
        cube=np.zeros((n, 2)),
        yaw=np.zeros(n),
        beside=np.zeros(n, dtype=np.bool_),
        height=height,
        width=np.full(n, CUBE_SIZE),
    )
    return starts, np.zeros(n)


def lift_spec(config: LiftConfig) -> WorldSpec:
    """Returns the description of the lift."""
    names = (*_PLAIN, *_CUBE, *(_SETPOINT if config.observes_setpoint else ()))
    masses = np.array(MASSES[config.contexts])
    return WorldSpec(
        name=LIFT,
        title="the Panda's lift",
        observation=tuple(
            ObservationField(name=name, size=1, unit=unit, frame="world") for name, unit in names
        ),
        action=(
            ActionPart(
                name="end_effector_displacement",
                size=1,
                scale=ActionConfig().displacement,
                unit="m",
                frame="world",
            ),
            ActionPart(name=WIDTH, size=1, scale=CUBE_SIZE, unit="m", frame="none"),
        ),
        episode_steps=config.episode_steps,
        control_rate_hz=Tabletop.control_rate_hz,
        hidden=(
            Quantity(
                name="cube_mass", unit="kg", low=float(masses.min()), high=float(masses.max())
            ),
        ),
        has_terminals=True,
    )


def _masses(values: Array, count: int) -> Array:
    """Returns masses ``(count,)``, or one for all ``(1,)`` [kg]."""
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WorldError(f"a context of the lift is a mass in kg: {error}") from None
    if found.shape not in ((1,), (count, 1)):
        raise WorldError(
            f"a context of the lift is one mass in kg; got an array of shape {found.shape}, "
            f"expected {(count, 1)}, a row for each scene"
        )
    if not (np.isfinite(found) & (found > 0.0)).all():
        raise WorldError(f"the masses of the lift must be positive, got {found.tolist()}")
    return found.ravel()


def _check(config: LiftConfig) -> None:
    low, high = config.goal_height
    if not CUBE_SIZE / 2 <= low <= high <= HIGHEST_M:
        raise WorldError(
            f"--task.goal-height {low:g} {high:g} must be a range from {CUBE_SIZE / 2:g} m, the "
            f"height of a cube on the table, to {HIGHEST_M:g} m, the highest that the arm brings it"
        )
