"""Which flaw of a tracker's poses makes pushes slower: their age, rate, noise, or gaps?

    python -m benchmarks.arms.tracker.factors

Each row gives goal_panda exact poses with one flaw. Poses go through the server's object tracker,
and are observed as measured, or as the server carries them to now. Only the first 2.4 s of each
episode are simulated. Nothing is rendered; ``goals`` has the poses of the tag tracker itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.arms.tracker.goals import WatchedTabletop
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import NonNegativeRange, PositiveInt, Seeds
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_proto.messages import Track
from skill_robots.arm import Pose
from skill_robots.objects import CUBE
from skill_robots.observation import observe
from skill_robots.tasks.tabletop.metrics import REST_STEPS, rest_share
from skill_robots.tasks.tabletop.rollouts import evaluation_goals
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy

STEPS = REST_STEPS[-1]
"""Control steps of an episode: 2.4 s."""

WARM_UP_S = 0.2
"""The tracker runs this long before an episode [s]."""

ROUND_S = 1e-9
"""Times that differ by less are equal [s]."""


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A tracker of exact poses with flaws; the default has none."""

    name: str
    rate_hz: float | None = None
    """Images per second of each of two cameras, not synchronised; None: every servo period [Hz]."""
    delay_s: NonNegativeRange = (0.0, 0.0)
    """Range of the time from exposure to arrival [s]."""
    noise_m: float = 0.0
    """Standard deviation of each coordinate [m]."""
    lost: float = 0.0
    """Share of images without a pose."""


CAMERA_DELAY_S = (0.03, 0.06)

FLAWS: tuple[Flaw, ...] = (
    Flaw(name="none"),
    Flaw(name="20 ms late", delay_s=(0.02, 0.02)),
    Flaw(name="40 ms late", delay_s=(0.04, 0.04)),
    Flaw(name="60 ms late", delay_s=(0.06, 0.06)),
    Flaw(name="80 ms late", delay_s=(0.08, 0.08)),
    Flaw(name="30 Hz", rate_hz=30.0),
    Flaw(name="30 Hz, noise 0.2 mm", rate_hz=30.0, noise_m=0.0002),
    Flaw(name="30 Hz, noise 1 mm", rate_hz=30.0, noise_m=0.001),
    Flaw(name="30 Hz, 5 % lost", rate_hz=30.0, lost=0.05),
    Flaw(name="30 Hz, 50 % lost", rate_hz=30.0, lost=0.5),
    Flaw(name="30 Hz, 30 to 60 ms late", rate_hz=30.0, delay_s=CAMERA_DELAY_S),
    Flaw(
        name="the same, 0.2 mm, 5 % lost",
        rate_hz=30.0,
        delay_s=CAMERA_DELAY_S,
        noise_m=0.0002,
        lost=0.05,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Goals with exact poses that have one flaw."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy file that takes goals."""
    goals: PositiveInt = 256
    """Goals of each seed."""
    seeds: Seeds = (100, 101, 102)
    """Evaluation seeds of goals, starts and contexts."""
    json: Path | None = None
    """File of the result, as JSON."""


class Stream:
    """Poses of the cubes of n scenes, each to its own object tracker.

    Args:
        table: the scenes.
        flaw: of the poses.
        random: phases of the cameras, delays, noise and losses.
    """

    def __init__(self, table: WatchedTabletop, flaw: Flaw, random: np.random.Generator) -> None:
        self.trackers = [ObjectTracker(TrackConfig(objects=(CUBE,))) for _ in range(table.n)]
        self._table, self._flaw, self._random = table, flaw, random
        self._period_s = table.config.physics_step_s
        self._now = -WARM_UP_S
        period = 0.0 if flaw.rate_hz is None else 1.0 / flaw.rate_hz
        self._due = random.uniform(0.0, period, (2, table.n)) - WARM_UP_S if period else None
        self._between = period
        self._last_arrival_s = np.full(table.n, -np.inf)
        self._arriving: list[deque[tuple[float, Track]]] = [deque() for _ in range(table.n)]
        while self._now < -ROUND_S:
            self.advance()

    def advance(self) -> None:
        """Lets one servo period pass: the cameras take their images."""
        self._now += self._period_s
        for tracker, hand in zip(self.trackers, self._table.end_effector_position, strict=True):
            if tracker.hand_due(self._now):
                tracker.note_hand(hand, self._now)
        seen = np.ones(self._table.n, bool)
        if self._due is not None:
            taken = self._due <= self._now + ROUND_S
            self._due[taken] += self._between
            seen = taken.any(axis=0)
        seen &= self._random.random(self._table.n) >= self._flaw.lost
        position, quaternion, _, spin = self._table.cube_pose
        position += self._random.normal(0.0, self._flaw.noise_m, position.shape)
        arrival = np.maximum(
            self._now + self._random.uniform(*self._flaw.delay_s, self._table.n),
            self._last_arrival_s,  # one connection delivers in order
        )
        for scene in np.flatnonzero(seen).tolist():
            message = Track.model_validate(
                {
                    "object": CUBE,
                    "captured": self._now,
                    "position": position[scene].tolist(),
                    "quaternion": quaternion[scene].tolist(),
                    "angular_velocity": spin[scene].tolist(),
                }
            )
            self._arriving[scene].append((float(arrival[scene]), message))
            self._last_arrival_s[scene] = arrival[scene]

    def deliver(self, now: float) -> list[int]:
        """Gives the poses that have arrived to the trackers; returns scenes with fresh poses."""
        for tracker, arriving in zip(self.trackers, self._arriving, strict=True):
            while arriving and arriving[0][0] <= now + ROUND_S:
                arrival, message = arriving.popleft()
                tracker.put(message, arrival)
        return [i for i, t in enumerate(self.trackers) if t.late(CUBE, now) is None]

    def poses(self, now: float, *, carried: bool) -> Pose:
        """Returns the poses of all scenes, as measured or carried to ``now`` [s]."""
        seen = [(t.carried(now) if carried else t.poses())[CUBE] for t in self.trackers]
        return Pose(
            position=np.stack([pose.position for pose in seen]),
            quaternion=np.stack([pose.quaternion for pose in seen]),
            velocity=np.stack([pose.velocity for pose in seen]),
            angular_velocity=np.stack([pose.angular_velocity for pose in seen]),
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One row of the table: one flaw, one kind of poses, one seed."""

    rest_1600ms: float
    rest_2400ms: float
    error_mean_mm: float
    """Mean distance of the observed position from the cube's at that time [mm]."""
    error_p95_mm: float


def run(policy: OnnxPolicy, flaw: Flaw, count: int, seed: int, *, carried: bool) -> Outcome:
    """Runs ``count`` goals."""
    goals = evaluation_goals(count, seed)
    table = WatchedTabletop(TabletopConfig(), count, seed=seed)
    names = policy.manifest.observation_names
    policy.reset(count)
    stream = Stream(table, flaw, np.random.default_rng([seed, 7]))
    table.on_period = stream.advance
    track = [_state(table)]
    errors: list[Array] = []
    for step in range(STEPS):
        now, action = step * CONTROL_PERIOD_S, np.zeros((count, table.action_size))
        fresh, world = stream.deliver(now), table.world()
        pose = stream.poses(now, carried=carried)
        errors.append(np.linalg.norm(pose.position - world.objects[CUBE].position, axis=1))
        observation = observe(names, replace(world, objects={CUBE: pose}))
        action[fresh] = policy.step_slots(fresh, observation[fresh], goal=goals[fresh]).action
        table.step(action)
        track.append(_state(table))
    cube, speed, hand = (np.stack(part, axis=1) for part in zip(*track, strict=True))
    trajectories = GoalTrajectories(
        cube=cube,
        cube_speed=speed,
        end_effector=hand,
        goals=goals,
        mass=table.mass.copy(),
        friction=table.friction.copy(),
    )
    distance, speed = trajectories.distance, trajectories.cube_speed
    rest = [rest_share(distance, speed, step) for step in REST_STEPS]
    return Outcome(
        rest_1600ms=rest[0],
        rest_2400ms=rest[1],
        error_mean_mm=1000 * float(np.mean(errors)),
        error_p95_mm=1000 * float(np.percentile(errors, 95)),
    )


def _state(table: WatchedTabletop) -> tuple[Array, Array, Array]:
    return table.cube_position[:, :2], table.cube_speed, table.end_effector_position.copy()


def main(config: Config) -> None:
    """Runs every flaw with measured and with carried poses, and prints a table."""
    policy = open_policy(config.model)
    check_takes_goals(policy)
    rows: list[Sequence[str]] = []
    results: list[dict[str, object]] = []
    for flaw in tqdm(FLAWS, disable=None, leave=False):
        cells = [flaw.name]
        for carried in (False, True):
            runs = [run(policy, flaw, config.goals, s, carried=carried) for s in config.seeds]
            shares = [outcome.rest_2400ms for outcome in runs]
            cells += [
                f"{np.mean(shares):.3f} ({' '.join(f'{share:.2f}' for share in shares)})",
                f"{np.mean([o.rest_1600ms for o in runs]):.3f}",
                f"{np.mean([o.error_mean_mm for o in runs]):.1f}",
                f"{np.mean([o.error_p95_mm for o in runs]):.1f}",
            ]
            results.append(
                {"flaw": asdict(flaw), "carried": carried, "seeds": [asdict(o) for o in runs]}
            )
        rows.append(cells)
    headers = ("rest by 2.4 s", "by 1.6 s", "error mm", "p95")
    print_table(("poses", *headers, *(f"{header}, carried" for header in headers)), rows)
    write_json(
        config.json,
        {
            "model": str(config.model),
            "goals": config.goals,
            "seeds": config.seeds,
            "rows": results,
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.tracker.factors", description=__doc__)
