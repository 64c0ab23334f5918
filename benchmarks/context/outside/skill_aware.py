"""Runs a policy of the skill-aware benchmark in the MuJoCo twin, in episodes as in training."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from benchmarks.context.outside.conditions import Interval, Side
from benchmarks.context.outside.recording import Recorder, Recording, Scenes
from benchmarks.context.outside.second_object import CrowdedScenes
from skill_proto.arrays import Array
from skill_robots.tasks.skill_aware.benchmark import EPISODE_STEPS, draw_starts
from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import ACTION_SIZE, AREA_M, FRICTION_LIMIT
from skill_runtime.policy import OnnxPolicy


def run(
    policy: OnnxPolicy, side: Side, n: int, seed: int, on_step: Callable[[], object]
) -> Recording:
    """Runs ``n`` scenes of one side; ``on_step`` is called after each control step."""
    random = np.random.default_rng([seed, 3])
    scenes = CrowdedScenes(n, seed) if side.second_object else MujocoScenes(n)
    starts = draw_starts(n, random)
    label = 2.0 * log_uniform(random, side.friction, n)
    scenes.reset(starts, label, log_uniform(random, side.mass, n))
    soften(scenes, log_uniform(random, side.stiffness, n))
    policy.reset(n)
    late = deque([np.zeros((n, ACTION_SIZE))] * side.late_steps)
    recorder, goal = Recorder(), starts.goal
    for step in range(side.goals * EPISODE_STEPS):
        if step and step % EPISODE_STEPS == 0:
            goal = random.uniform(-AREA_M, AREA_M, (n, 2))
        observation = scenes.observe()
        output = policy.step(observation, goal=goal)
        late.append(output.action.astype(np.float64))
        scenes.step(late.popleft())
        recorder.add(observation, output)
        on_step()
    return recorder.recording()


SKILL_AWARE_SCENES = Scenes(
    run=run,
    steps=EPISODE_STEPS,
    columns=4,
    goals=4,
    largest_friction=FRICTION_LIMIT,
    stiffer=False,  # the motors would chatter
)


def soften(scenes: MujocoScenes, scale: Array) -> None:
    """Multiplies stiffness ``(n,)`` of the arms' motors; damping follows its square root."""
    gain, bias = (scenes.batch.expand(name) for name in ("actuator_gainprm", "actuator_biasprm"))
    gain[:, :7, 0] *= scale[:, None]
    bias[:, :7, 1] *= scale[:, None]
    bias[:, :7, 2] *= np.sqrt(scale)[:, None]


def log_uniform(random: np.random.Generator, span: Interval, n: int) -> Array:
    """Returns ``(n,)`` draws, uniform in the logarithm."""
    return np.exp(random.uniform(np.log(span[0]), np.log(span[1]), n))
