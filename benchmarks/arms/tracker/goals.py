"""Does goal_panda reach its goals with poses from the tag tracker?

    python -m benchmarks.arms.tracker.goals

Each episode is run three times from the same start, context and goal: with exact poses; with exact
poses that are as rare and as late as those of cameras; and with poses that the tag tracker
estimates from rendered images (scene.py), of which only a window around the cube is rendered,
with the rays of the whole image. Poses go through the server's object tracker, which computes
velocities, refuses old poses, and carries each pose from its exposure to now. The cameras take 30
images a second, not synchronised, and each pose arrives 30 to 60 ms after its exposure. The seeds
are those of an evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from benchmarks.arms.tracker.cameras import Cameras, Counts
from benchmarks.arms.tracker.scene import NoRendererError, SceneConfig, TagScene
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import NonNegativeRange, PictureSize, PositiveFloat, PositiveInt, Seeds
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import observe
from skill_robots.tasks.tabletop.engines.physics import GripperWidth
from skill_robots.tasks.tabletop.metrics import goal_metrics
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories
from skill_runtime.console.flags import UsageError
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy

Poses = Literal["exact", "exact, late", "tracker"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals with exact poses and with poses from the tag tracker."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy file that takes goals."""
    episodes: PositiveInt = 12
    """Goals of each seed."""
    seeds: Seeds = (100, 101, 102, 103)
    """Evaluation seeds of goals, starts and contexts."""
    cameras: tuple[str, ...] = SceneConfig.cameras
    """Names of the cameras, see scene.py."""
    size: PictureSize = (1280, 720)
    """Width and height of the images [px]."""
    rate_hz: PositiveFloat = 30.0
    """Images per second of each camera [Hz]."""
    delay_s: NonNegativeRange = (0.03, 0.06)
    """Range of the time from exposure to the pose's arrival at the server [s]."""
    json: Path | None = None
    """File of the result, as JSON."""


class WatchedTabletop(Tabletop):
    """A tabletop that calls a function after every servo period."""

    on_period: Callable[[], None] | None = None

    def physics_step(
        self, position: Array, velocity: Array, gripper_width: GripperWidth = None
    ) -> None:
        """Runs one physics step, then the function."""
        super().physics_step(position, velocity, gripper_width)
        if self.on_period is not None:
            self.on_period()


def run_episode(
    policy: OnnxPolicy,
    table: WatchedTabletop,
    goal: Array,
    cameras: Cameras | None,
    counts: Counts,
) -> tuple[Array, Array, Array]:
    """Runs one episode; ``cameras`` None: exact poses at every step.

    Returns:
        Cube ``(T + 1, 2)`` [m], its speed ``(T + 1,)`` [m/s], end effector ``(T + 1, 3)`` [m].
    """
    names = policy.manifest.observation_names
    tracker = ObjectTracker(TrackConfig(objects=(CUBE,)))
    policy.reset(1)
    start, now = table.time_s, 0.0

    def look() -> None:
        if cameras is not None:
            cameras.advance(table.time_s - start)
            tracker.note_hand(table.end_effector_position[0], table.time_s - start)

    if cameras is not None:
        cameras.warm_up()
        tracker.note_hand(table.end_effector_position[0], now)
        table.on_period = look
    track = [_state(table)]
    for step in range(GOAL_STEPS):
        now = step * CONTROL_PERIOD_S
        world, action = table.world(), np.zeros((1, table.action_size))
        if cameras is not None:
            cameras.deliver(tracker, now)
            if tracker.late(CUBE, now) is not None:
                counts.held_steps += 1
                table.step(action)  # a fault: the arm holds, and the policy does not run
                track.append(_state(table))
                continue
            world = replace(world, objects={CUBE: _batch(tracker.carried(now)[CUBE])})
        table.step(policy.act(observe(names, world), goal=goal[None]).astype(np.float64))
        track.append(_state(table))
    table.on_period = None
    cube, speed, hand = zip(*track, strict=True)
    return np.array(cube), np.array(speed), np.array(hand)


def _state(table: Tabletop) -> tuple[Array, float, Array]:
    return (
        table.cube_position[0, :2],
        float(table.cube_speed[0]),
        table.end_effector_position[0].copy(),
    )


def _batch(pose: Pose) -> Pose:
    return Pose(
        position=pose.position[None],
        quaternion=pose.quaternion[None],
        velocity=pose.velocity[None],
        angular_velocity=pose.angular_velocity[None],
    )


def run(
    policy: OnnxPolicy, config: Config, poses: Poses, scene: TagScene | None
) -> tuple[GoalTrajectories, Counts]:
    """Runs all episodes with one kind of poses."""
    counts = Counts()
    goals = [evaluation_goals(config.episodes, seed) for seed in config.seeds]
    tasks = [
        (s, i, g) for s, part in zip(config.seeds, goals, strict=True) for i, g in enumerate(part)
    ]
    episodes: list[tuple[Array, Array, Array]] = []
    masses: list[float] = []
    frictions: list[float] = []
    for seed, index, goal in tqdm(tasks, desc=poses, disable=None, leave=False):
        table = WatchedTabletop(TabletopConfig(), 1, seed=1000 * seed + index)
        cameras = None
        if poses != "exact":
            cameras = Cameras(
                table,
                scene,
                np.random.default_rng([seed, index]),
                counts,
                names=config.cameras,
                rate_hz=config.rate_hz,
                delay_s=config.delay_s,
            )
        episodes.append(run_episode(policy, table, goal, cameras, counts))
        masses.append(float(table.mass[0]))
        frictions.append(float(table.friction[0]))
    cube, speed, hand = (np.stack(part) for part in zip(*episodes, strict=True))
    trajectories = GoalTrajectories(
        cube=cube,
        cube_speed=speed,
        end_effector=hand,
        goals=np.concatenate(goals),
        mass=np.array(masses),
        friction=np.array(frictions),
    )
    return trajectories, counts


def main(config: Config) -> None:
    """Runs the three kinds of poses and prints a table."""
    policy = open_policy(config.model)
    check_takes_goals(policy)
    try:
        scene = TagScene(
            SceneConfig(cameras=config.cameras, size=config.size, seed=config.seeds[0])
        )
    except NoRendererError as error:
        raise UsageError(str(error)) from None
    kinds: Sequence[tuple[Poses, TagScene | None]] = (
        ("exact", None),
        ("exact, late", None),
        ("tracker", scene),
    )
    rows: dict[str, dict[str, float]] = {}
    for poses, renders in kinds:
        trajectories, counts = run(policy, config, poses, renders)
        errors = 1000 * np.array(counts.errors_m or [0.0])
        rows[poses] = goal_metrics(trajectories) | {
            "pose_share": counts.poses / max(counts.poses + counts.missed, 1),
            "not_on_table": counts.elsewhere / max(counts.poses, 1),
            "error_median_mm": float(np.median(errors)),
            "error_p95_mm": float(np.percentile(errors, 95)),
            "held_steps_share": counts.held_steps / (len(trajectories.goals) * GOAL_STEPS),
        }
    scene.close()
    print_table(
        (
            "poses",
            "within 5 cm",
            "within 3 cm",
            "at rest 2.4 s",
            "mean cm",
            "poses found",
            "error mm",
            "p95",
            "held",
        ),
        [
            (
                name,
                f"{row['goal_share_5cm']:.1%}",
                f"{row['goal_share_3cm']:.1%}",
                _share(row.get("goal_rest_share_3cm_by_2400ms")),
                f"{100 * row['goal_mean_distance_m']:.1f}",
                f"{row['pose_share']:.1%}",
                f"{row['error_median_mm']:.2f}",
                f"{row['error_p95_mm']:.2f}",
                f"{row['held_steps_share']:.2%}",
            )
            for name, row in rows.items()
        ],
    )
    write_json(
        config.json,
        {
            "model": str(config.model),
            "episodes": config.episodes,
            "seeds": config.seeds,
            "cameras": config.cameras,
            "rate_hz": config.rate_hz,
            "delay_s": config.delay_s,
            "rows": rows,
        },
    )


def _share(value: float | None) -> str:
    """Formats a share; one that is undefined is a dash."""
    return "-" if value is None else f"{value:.1%}"


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.tracker.goals", description=__doc__)
