"""From which directions do two cameras see a cube that the hand pushes?

    MUJOCO_GL=egl python -m benchmarks.arms.tracker.placement

goal_panda pushes cubes to goals with exact poses. At instants along these pushes the cube is
rendered from cameras all around the table, at the distance and height of scene.py. A camera sees
the cube if the detector finds a tag. The palm is 20 cm wide along y and hides the cube from many
directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from examples.tag_tracking.detection import TagDetector
from examples.tag_tracking.tags import cube_corners
from tqdm import tqdm

from benchmarks.arms.tracker.cameras import WINDOW_PX
from benchmarks.arms.tracker.scene import NoRendererError, SceneConfig, TagScene
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Angles, PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.rollouts import evaluation_goals
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy

PUSH_STEPS = 100
"""Control steps of a push: 4 s."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Directions from which cameras see a pushed cube."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy file that takes goals."""
    goals: PositiveInt = 10
    """Pushes."""
    every: PositiveInt = 8
    """Control steps between two instants."""
    directions_deg: Angles = (0, 35, 60, 90, 120, -35, -60, -90, -120)
    """Directions of the cameras; 0 is +x, away from the base."""
    seed: Seed = 7
    """Seed of starts and goals."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instant:
    """One state of a push."""

    joints: Array
    """``(7,)`` [rad]."""
    position: Array
    """``(3,)`` of the cube [m]."""
    quaternion: Array
    """``(4,)`` of the cube, w first."""


def instants(policy: OnnxPolicy, config: Config) -> list[Instant]:
    """Returns states along the pushes."""
    found: list[Instant] = []
    goals = evaluation_goals(config.goals, config.seed)
    table = Tabletop(TabletopConfig(), config.goals, seed=config.seed)
    policy.reset(config.goals)
    for step in range(PUSH_STEPS):
        if step % config.every == 0:
            position, quaternion, _, _ = table.cube_pose
            found += [
                Instant(joints=q, position=p, quaternion=r)
                for q, p, r in zip(table.joint_position.copy(), position, quaternion, strict=True)
            ]
        observation = table.observe(policy.manifest.observation_names)
        table.step(policy.act(observation, goal=goals).astype(np.float64))
    return found


def seen_by(scene: TagScene, states: Sequence[Instant]) -> Array:
    """Returns whether each camera sees the cube in each state, ``(states, cameras)``."""
    detector = TagDetector(cube_corners())
    rows: list[list[bool]] = []
    for state in tqdm(states, desc="states", disable=None):
        scene.place(state.joints, state.position, state.quaternion)
        windows = (scene.window(name, state.position, WINDOW_PX)[0] for name in scene.cameras)
        rows.append([bool(detector.find(window).numbers) for window in windows])
    return np.array(rows, np.float64)


def main(config: Config) -> None:
    """Prints the share of instants in which each camera, and each pair, sees the cube."""
    policy = open_policy(config.model)
    check_takes_goals(policy)
    names = tuple(f"{direction:g}" for direction in config.directions_deg)
    try:
        scene = TagScene(SceneConfig(cameras=names))
    except NoRendererError as error:
        raise UsageError(str(error)) from None
    seen = seen_by(scene, instants(policy, config))
    scene.close()
    single = dict(zip(names, seen.mean(axis=0).tolist(), strict=True))
    pairs = {
        f"{names[a]}, {names[b]}": float(np.maximum(seen[:, a], seen[:, b]).mean())
        for a, b in combinations(range(len(names)), 2)
    }
    print_table(("direction", "seen"), [(name, f"{share:.0%}") for name, share in single.items()])
    print()
    ordered = sorted(pairs.items(), key=lambda item: -item[1])
    print_table(("two directions", "seen"), [(name, f"{share:.0%}") for name, share in ordered])
    write_json(config.json, {"instants": len(seen), "single": single, "pairs": pairs})


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.arms.tracker.placement", description=__doc__
    )
