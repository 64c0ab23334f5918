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

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.bodies import Health, Motion, half_cheetah_reward
from skill_robots.worlds.varied import sets
from skill_robots.worlds.varied.body import Scaling, VariedBody
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


def _square(ctrl: Array) -> Array:
    return np.square(ctrl).sum(axis=1)


def ant_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .01 |ctrl|^2."""
    return motion.forward + 1.0 - 0.01 * _square(motion.ctrl)


def hopper_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .1 |ctrl|^2."""
    return motion.forward + 1.0 - 0.1 * _square(motion.ctrl)


def walker_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 - .001 |ctrl|^2; also that of CrippledHopper."""
    return motion.forward + 1.0 - 1e-3 * _square(motion.ctrl)


def slim_humanoid_reward(motion: Motion) -> Array:
    """Returns .25 / .015 of the velocity before the step - .1 |ctrl|^2 + 5 while standing."""
    return 0.25 / 0.015 * motion.earlier - 0.1 * _square(motion.ctrl) + 5.0 * motion.standing


def standup_reward(motion: Motion) -> Array:
    """Returns the height divided by the physics step - .1 |ctrl|^2 + 1."""
    return motion.height / STANDUP_STEP_S - 0.1 * _square(motion.ctrl) + 1.0


VARIED_ANT = VariedBody(
    name="varied_ant",
    title="Ant of varied mass and damping",
    mjcf="ant.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=0.1,
    velocity_noise="normal",
    reward=ant_reward,
    forward_of="torso",
    goal_range_m=50.0,
    episode_steps=2000,
    contexts=sets.ANT,
    mass=FIRST_TWO_LEGS,
    damping=FIRST_TWO_LEGS,
    unobserved=2,
    speed_observed=True,
)

VARIED_HALF_CHEETAH = VariedBody(
    name="varied_half_cheetah",
    title="HalfCheetah of varied mass and damping",
    mjcf="half_cheetah.xml",
    frame_skip=5,
    plane=(0,),
    height=1,
    noise=1e-3,
    position_noise="normal",
    velocity_noise="normal",
    reward=half_cheetah_reward,
    goal_range_m=100.0,
    episode_steps=1000,
    contexts=sets.HALF_CHEETAH,
    unobserved=1,
    speed_observed=True,
)

VARIED_HOPPER = VariedBody(
    name="varied_hopper",
    title="Hopper of varied mass and damping",
    mjcf="hopper.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=hopper_reward,
    goal_range_m=20.0,
    episode_steps=2000,
    contexts=sets.HOPPER,
    unobserved=1,
    velocity_bound=10.0,
)

VARIED_WALKER = VariedBody(
    name="varied_walker",
    title="Walker2d of varied mass and damping",
    mjcf="walker2d.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=walker_reward,
    goal_range_m=20.0,
    episode_steps=2000,
    contexts=sets.WALKER,
    unobserved=1,
    velocity_bound=10.0,
)

VARIED_SLIM_HUMANOID = VariedBody(
    name="varied_slim_humanoid",
    title="SlimHumanoid of varied mass and damping",
    mjcf="humanoidstandup.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=1e-2,
    velocity_noise="uniform",
    reward=slim_humanoid_reward,
    health=Health(height_m=(1.0, 2.0)),
    goal_range_m=20.0,
    episode_steps=1000,
    contexts=sets.HUMANOID,
    unobserved=2,
)

VARIED_HUMANOID_STANDUP = VariedBody(
    name="varied_humanoid_standup",
    title="HumanoidStandup of varied mass and damping",
    mjcf="humanoidstandup.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=1e-2,
    velocity_noise="uniform",
    reward=standup_reward,
    goal_range_m=20.0,
    episode_steps=2000,
    contexts=sets.HUMANOID,
    unobserved=2,
)

CRIPPLED_ANT = VariedBody(
    name="crippled_ant",
    title="Ant of varied mass with crippled legs",
    mjcf="ant.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=0.1,
    velocity_noise="normal",
    reward=ant_reward,
    forward_of="torso",
    goal_range_m=50.0,
    episode_steps=2000,
    contexts=sets.CRIPPLED_ANT,
    damping=None,
    limbs=ANT_LEGS,
    unobserved=0,
    pose_observed=True,
)

CRIPPLED_HALF_CHEETAH = VariedBody(
    name="crippled_half_cheetah",
    title="HalfCheetah of varied mass with crippled joints",
    mjcf="half_cheetah.xml",
    frame_skip=5,
    plane=(0,),
    height=1,
    noise=1e-3,
    position_noise="normal",
    velocity_noise="normal",
    reward=half_cheetah_reward,
    goal_range_m=100.0,
    episode_steps=1000,
    contexts=sets.CRIPPLED_HALF_CHEETAH,
    damping=None,
    limbs=HALF_CHEETAH_JOINTS,
    unobserved=1,
    speed_observed=True,
)

CRIPPLED_HOPPER = VariedBody(
    name="crippled_hopper",
    title="Hopper of varied mass with crippled joints",
    mjcf="hopper.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=walker_reward,
    goal_range_m=20.0,
    episode_steps=1000,
    contexts=sets.CRIPPLED_HOPPER,
    damping=None,
    limbs=HOPPER_JOINTS,
    unobserved=1,
    velocity_bound=10.0,
)

CRIPPLED_WALKER = VariedBody(
    name="crippled_walker",
    title="Walker2d of varied mass with crippled joints",
    mjcf="walker2d.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=walker_reward,
    goal_range_m=20.0,
    episode_steps=2000,
    contexts=sets.CRIPPLED_WALKER,
    damping=None,
    limbs=WALKER_JOINTS,
    unobserved=1,
    velocity_bound=10.0,
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
