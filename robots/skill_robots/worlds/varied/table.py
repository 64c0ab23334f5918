"""The ten MuJoCo worlds of SaMI: one row each, with the numbers of its released code.

Yu, Dunion, Li, Albrecht, "Skill-aware Mutual Information Optimisation for Zero-shot Generalisation
in Reinforcement Learning", NeurIPS 2024; github.com/uoe-agents/SaMI at ce0d442, folder ``envs``.
``sets`` says where the contexts come from.

As in the code: the scale of masses leaves the rotational inertia alone; that of dampings in Ant
multiplies one leg and divides three, because places of bodies are used for joints; the reward of
SlimHumanoid has the velocity before the step; no episode ends at a fall.

Differences from the code:

- Contacts cost nothing. MuJoCo 2.1 under mujoco-py does not compute the forces, so that the term of
  the code has no effect (this is inferred; it was not run).
- Hopper and Walker have the MJCF files that Gymnasium converted from those of gym 0.23, whose
  global coordinates MuJoCo no longer reads.
- A whole leg of CrippledWalker gets no torque. In the code its geoms shrink, and it is driven on.
- Ant has 2,000 control steps. In the code they end after 1,999.
- Observations are not rounded to 32 bits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from skill_proto.arrays import Array
from skill_robots.worlds.bodies import (
    ANT,
    HALF_CHEETAH,
    HOPPER,
    HUMANOID,
    WALKER,
    Body,
    Motion,
    squared,
)
from skill_robots.worlds.varied import sets
from skill_robots.worlds.varied.body import EVERY, Scaling, VariedBody
from skill_robots.worlds.varied.limbs import (
    ANT_LEGS,
    HALF_CHEETAH_JOINTS,
    HOPPER_JOINTS,
    WALKER_JOINTS,
)

STANDUP_STEP_S = 0.003
"""Physics step of the humanoids, by which the reward of HumanoidStandup divides the height [s]."""

FIRST_TWO_LEGS = Scaling(multiplied=slice(2, 8), divided=slice(8, 14))
"""Entries 2 to 7 of the bodies of Ant are its first two legs, those from 8 on the other two. Of its
degrees of freedom 6 and 7 are the joints of the first leg, and those from 8 on of the others."""


def ant_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .01 |ctrl|^2."""
    return motion.forward + 1.0 - 0.01 * squared(motion.ctrl)


def hopper_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .1 |ctrl|^2."""
    return motion.forward + 1.0 - 0.1 * squared(motion.ctrl)


def walker_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .001 |ctrl|^2; also that of CrippledHopper."""
    return motion.forward + 1.0 - 1e-3 * squared(motion.ctrl)


def slim_humanoid_reward(motion: Motion) -> Array:
    """Returns .25 / .015 of the velocity before the step - .1 |ctrl|^2 + 5 while standing."""
    return 0.25 / 0.015 * motion.earlier - 0.1 * squared(motion.ctrl) + 5.0 * motion.standing


def standup_reward(motion: Motion) -> Array:
    """Returns the height divided by the physics step - .1 |ctrl|^2 + 1."""
    return motion.height / STANDUP_STEP_S - 0.1 * squared(motion.ctrl) + 1.0


def _varied(body: Body, **numbers: Any) -> VariedBody:  # noqa: ANN401  fields of a row
    """Returns a row with the numbers of Gymnasium's body, apart from its health and from these."""
    row: dict[str, Any] = {**vars(body), "health": None, **numbers}
    return VariedBody(**row)


VARIED_ANT = _varied(
    ANT,
    name="varied_ant",
    title="Ant of varied mass and damping",
    reward=ant_reward,
    episode_steps=2000,
    contexts=sets.ANT,
    mass=FIRST_TWO_LEGS,
    damping=FIRST_TWO_LEGS,
    unobserved=2,
    speed_observed=True,
)

VARIED_HALF_CHEETAH = _varied(
    HALF_CHEETAH,
    name="varied_half_cheetah",
    title="HalfCheetah of varied mass and damping",
    noise=1e-3,
    position_noise="normal",
    episode_steps=1000,
    contexts=sets.HALF_CHEETAH,
    unobserved=1,
    speed_observed=True,
)

VARIED_HOPPER = _varied(
    HOPPER,
    name="varied_hopper",
    title="Hopper of varied mass and damping",
    reward=hopper_reward,
    episode_steps=2000,
    contexts=sets.HOPPER,
    unobserved=1,
    velocity_bound=10.0,
)

VARIED_WALKER = _varied(
    WALKER,
    name="varied_walker",
    title="Walker2d of varied mass and damping",
    mjcf="walker2d.xml",
    reward=walker_reward,
    episode_steps=2000,
    contexts=sets.WALKER,
    unobserved=1,
    velocity_bound=10.0,
)

VARIED_SLIM_HUMANOID = _varied(
    HUMANOID,
    name="varied_slim_humanoid",
    title="SlimHumanoid of varied mass and damping",
    mjcf="humanoidstandup.xml",
    reward=slim_humanoid_reward,
    forward_of="qpos",
    health=HUMANOID.health,
    episode_steps=1000,
    contexts=sets.HUMANOID,
    unobserved=2,
)

VARIED_HUMANOID_STANDUP = replace(
    VARIED_SLIM_HUMANOID,
    name="varied_humanoid_standup",
    title="HumanoidStandup of varied mass and damping",
    reward=standup_reward,
    health=None,
    episode_steps=2000,
)

CRIPPLED_ANT = replace(
    VARIED_ANT,
    name="crippled_ant",
    title="Ant of varied mass with crippled legs",
    contexts=sets.CRIPPLED_ANT,
    mass=EVERY,
    damping=None,
    limbs=ANT_LEGS,
    unobserved=0,
    speed_observed=False,
    pose_observed=True,
)

CRIPPLED_HALF_CHEETAH = replace(
    VARIED_HALF_CHEETAH,
    name="crippled_half_cheetah",
    title="HalfCheetah of varied mass with crippled joints",
    contexts=sets.CRIPPLED_HALF_CHEETAH,
    damping=None,
    limbs=HALF_CHEETAH_JOINTS,
)

CRIPPLED_HOPPER = replace(
    VARIED_HOPPER,
    name="crippled_hopper",
    title="Hopper of varied mass with crippled joints",
    reward=walker_reward,
    episode_steps=1000,
    contexts=sets.CRIPPLED_HOPPER,
    damping=None,
    limbs=HOPPER_JOINTS,
)

CRIPPLED_WALKER = replace(
    VARIED_WALKER,
    name="crippled_walker",
    title="Walker2d of varied mass with crippled joints",
    contexts=sets.CRIPPLED_WALKER,
    damping=None,
    limbs=WALKER_JOINTS,
)

VARIED: dict[str, VariedBody] = {
    row.name: row
    for row in (
        VARIED_ANT,
        VARIED_HALF_CHEETAH,
        VARIED_HOPPER,
        VARIED_WALKER,
        VARIED_SLIM_HUMANOID,
        VARIED_HUMANOID_STANDUP,
        CRIPPLED_ANT,
        CRIPPLED_HALF_CHEETAH,
        CRIPPLED_HOPPER,
        CRIPPLED_WALKER,
    )
}
"""Every row by its name."""
