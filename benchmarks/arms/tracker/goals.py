"""Does goal_panda reach its goals with poses from the tag tracker?

    python -m benchmarks.arms.tracker.goals

Each episode is run three times from the same start, context and goal: with exact poses; with exact
poses that are as rare and as late as those of cameras; and with poses that the tag tracker
estimates from rendered images (scene.py), of which only a window around the cube is rendered,
with the rays of the whole image. Poses go through the server's object tracker, which
computes velocities and refuses old poses. The cameras take 30 images a second, not synchronised,
and each pose arrives 30 to 60 ms after its exposure. The seeds are those of an evaluation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from examples.tag_tracking.camera import rotation_from
from examples.tag_tracking.detection import TagDetector
from examples.tag_tracking.estimator import Estimate, Estimator, Sighting
from examples.tag_tracking.sending import track_message
from examples.tag_tracking.tags import cube_corners
from examples.tag_tracking.watching import TOGETHER_S
from tqdm import tqdm

from benchmarks.arms.tracker.scene import NoRendererError, SceneConfig, TagScene
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_proto.messages import Track
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import observe
from skill_robots.tasks.tabletop.metrics import goal_metrics
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy

Poses = Literal["exact", "exact, late", "tracker"]

WINDOW_PX = 200
"""Side of the rendered part of each image, around the cube [px]."""

WARM_UP_S, WARM_UP_STEP_S = 0.2, 0.005
"""The tracker runs this long before an episode, as it does before a client sends a goal [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals with exact poses and with poses from the tag tracker."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy file that takes goals."""
    episodes: int = 48
    """Goals."""
    seed: int = 100
    """Evaluation seed of goals, starts and contexts."""
    cameras: tuple[str, ...] = SceneConfig.cameras
    """Names of the cameras, see scene.py."""
    size: tuple[int, int] = (1280, 720)
    """Width and height of the images [px]."""
    rate_hz: float = 30.0
    """Images per second of each camera [Hz]."""
    delay_s: tuple[float, float] = (0.03, 0.06)
    """Range of the time from exposure to the pose's arrival at the server [s]."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass
class Counts:
    """Images and poses of one kind of run."""

    images: int = 0
    poses: int = 0
    missed: int = 0
    """Times at which images were taken, but no pose was found."""
    elsewhere: int = 0
    """Poses that were not on the table."""
    errors_m: list[float] = field(default_factory=list[float])
    """Distances of the poses from the cube at the time of exposure [m]."""
    held_steps: int = 0
    """Control steps without a fresh pose."""


class Cameras:
    """Makes poses of the cube from images at given times; a new one for each episode.

    Args:
        table: the scene; scene 0 is seen.
        scene: renders the images; None: exact poses at the same times.
        config: rate and delay.
        random: phases of the cameras and delays.
        counts: sums over episodes.
    """

    def __init__(
        self,
        table: Tabletop,
        scene: TagScene | None,
        config: Config,
        random: np.random.Generator,
        counts: Counts,
    ) -> None:
        self._table, self._scene, self._random, self._counts = table, scene, random, counts
        self._names = config.cameras
        self._period_s, self._delay_s = 1 / config.rate_hz, config.delay_s
        self._due = {name: random.uniform(0, self._period_s) - WARM_UP_S for name in self._names}
        self._newest: dict[str, Sighting] = {}
        self._estimator, self._detector = Estimator(), TagDetector(cube_corners())
        self._arriving: deque[tuple[float, Track]] = deque()
        self._last_arrival_s = -np.inf

    def advance(self, now: float) -> None:
        """Takes the images that are due until ``now`` [s], and makes one pose of them."""
        due = [name for name in self._names if self._due[name] <= now]
        for name in due:
            missed = np.floor((now - self._due[name]) / self._period_s)
            self._due[name] += self._period_s * (1 + missed)
        if due:
            self._counts.images += len(due)
            self._take(due, now)

    def warm_up(self) -> None:
        """Takes the images before the episode, in which nothing moves."""
        for step in range(round(WARM_UP_S / WARM_UP_STEP_S)):
            self.advance((step + 1) * WARM_UP_STEP_S - WARM_UP_S)

    def _take(self, names: Sequence[str], exposed: float) -> None:
        position, quaternion, _, spin = self._table.cube_pose
        if self._scene is None:
            estimate = _exact(exposed, position[0], quaternion[0], spin[0])
        else:
            self._scene.place(self._table.joint_position[0], position[0], quaternion[0])
            for name in names:
                image, corner = self._scene.window(name, position[0], WINDOW_PX)
                tags = self._detector.find(image)
                self._newest[name] = Sighting(
                    camera=self._scene.cameras[name],
                    exposed_s=exposed,
                    tags=replace(tags, corners=tags.corners + corner),
                )
            fresh = [s for s in self._newest.values() if exposed - s.exposed_s < TOGETHER_S]
            outcome = self._estimator.estimate(fresh)
            if not isinstance(outcome, Estimate):
                self._counts.missed += 1
                return
            estimate = outcome
            self._counts.elsewhere += not estimate.on_table
        self._counts.poses += 1
        self._counts.errors_m.append(float(np.linalg.norm(estimate.position - position[0])))
        # One connection delivers in order.
        arrival = max(exposed + self._random.uniform(*self._delay_s), self._last_arrival_s)
        self._last_arrival_s = arrival
        self._arriving.append((arrival, track_message(estimate, exposed)))

    def deliver(self, tracker: ObjectTracker, now: float) -> None:
        """Gives the poses that have arrived to the server's object tracker."""
        while self._arriving and self._arriving[0][0] <= now:
            arrival, message = self._arriving.popleft()
            tracker.put(message, arrival)


def _exact(exposed_s: float, position: Array, quaternion: Array, spin: Array) -> Estimate:
    """Returns the true pose in the form of an estimate."""
    return Estimate(
        exposed_s=exposed_s,
        position=position,
        rotation=rotation_from(quaternion),
        spin=spin,
        on_table=True,
        residual_px=0.0,
        tags=0,
        cameras=(),
    )


class WatchedTabletop(Tabletop):
    """A tabletop that calls a function after every servo period."""

    on_period: Callable[[], None] | None = None

    def physics_step(
        self, position: Array, velocity: Array, gripper_width: float | None = None
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

    if cameras is not None:
        cameras.warm_up()
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
            world = replace(world, objects={CUBE: _batch(tracker.poses()[CUBE])})
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
    goals, counts = evaluation_goals(config.episodes, config.seed), Counts()
    episodes: list[tuple[Array, Array, Array]] = []
    masses: list[float] = []
    frictions: list[float] = []
    for index, goal in enumerate(tqdm(goals, desc=poses, disable=None, leave=False)):
        table = WatchedTabletop(TabletopConfig(), 1, seed=1000 * config.seed + index)
        cameras = None
        if poses != "exact":
            random = np.random.default_rng([config.seed, index])
            cameras = Cameras(table, scene, config, random, counts)
        episodes.append(run_episode(policy, table, goal, cameras, counts))
        masses.append(float(table.mass[0]))
        frictions.append(float(table.friction[0]))
    cube, speed, hand = (np.stack(part) for part in zip(*episodes, strict=True))
    trajectories = GoalTrajectories(
        cube=cube,
        cube_speed=speed,
        end_effector=hand,
        goals=goals,
        mass=np.array(masses),
        friction=np.array(frictions),
    )
    return trajectories, counts


def main(config: Config) -> None:
    """Runs the three kinds of poses and prints a table."""
    policy = open_policy(config.model)
    check_takes_goals(policy)
    try:
        scene = TagScene(SceneConfig(cameras=config.cameras, size=config.size, seed=config.seed))
    except NoRendererError as error:
        raise SystemExit(str(error)) from None
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
            "held_steps_share": counts.held_steps / (config.episodes * GOAL_STEPS),
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
                f"{row['goal_rest_share_3cm_by_2400ms']:.1%}",
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
            "seed": config.seed,
            "cameras": config.cameras,
            "rate_hz": config.rate_hz,
            "delay_s": config.delay_s,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main(tyro.cli(Config, prog="python -m benchmarks.arms.tracker.goals", description=__doc__))
