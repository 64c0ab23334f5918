"""How accurate is the tag tracker on rendered images, and how often does it see the cube?

    python -m benchmarks.arms.tracker.accuracy

The images are rendered by MuJoCo (scene.py); without a screen: MUJOCO_GL=egl. A scene has the
cube anywhere within 12 cm of the table's middle, and the hand 5 to 9 cm beside it. Each row is a
set of cameras on the same images. ``sheet`` rows use extrinsics from a rendered calibration sheet
instead of the exact ones. The last table has cubes lifted off the table and tilted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from examples.tag_tracking.calibrate import extrinsics_from
from examples.tag_tracking.camera import Camera, angle_of, quaternion_of
from examples.tag_tracking.camera_file import CameraEntry, Intrinsics
from examples.tag_tracking.detection import TagDetector, Tags
from examples.tag_tracking.estimator import Estimate, Estimator, Sighting
from examples.tag_tracking.fit import rotation_of
from examples.tag_tracking.tags import cube_corners, sheet_corners
from tqdm import tqdm

from benchmarks.arms.tracker.scene import NoRendererError, SceneConfig, TagScene
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Count, PictureSize, PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.objects import CUBE_SIZE
from skill_runtime.console.flags import UsageError

CAMERA_SETS = (
    ("front left",),
    ("left", "right"),
    ("front left", "back right"),
    ("front left", "back right", "back left"),
)
"""Cameras of the rows."""

ALL_CAMERAS = tuple(dict.fromkeys(name for names in CAMERA_SETS for name in names))
"""Cameras that are rendered."""

PAIR = CAMERA_SETS[2]
"""Cameras that look at lifted cubes."""

LIFTS_M = (0.005, 0.01, 0.02, 0.05, 0.1)
"""Heights of the lifted cubes above the table [m]."""

TILT_RAD = 0.35
"""Largest tilt of a lifted cube [rad]; half of them are upright."""

BESIDE_M, RANGE_M = (0.05, 0.09), 0.12


@dataclass(frozen=True, kw_only=True)
class Config:
    """Accuracy of the tag tracker on rendered images."""

    scenes: PositiveInt = 200
    """Scenes with the cube on the table."""
    lifted: Count = 40
    """Lifted cubes, for each height."""
    size: PictureSize = (1280, 720)
    """Width and height of the images [px]."""
    seed: Seed = 0
    """Seed of the scenes."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """One scene."""

    joints: Array
    """``(7,)`` of the arm [rad]."""
    position: Array
    """``(3,)`` of the cube [m]."""
    rotation: Array
    """``(3, 3)`` of the cube."""


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Errors of one set of cameras."""

    seen: float
    """Share of the scenes with a pose."""
    on_table: float
    """Share of the poses that are on the table."""
    median_mm: float
    p95_mm: float
    largest_mm: float
    yaw_median_deg: float
    yaw_p95_deg: float
    residual_px: float
    """Median residual."""


def random_truth(random: np.random.Generator, lift_m: float = 0.0) -> Truth:
    """Draws a scene; half of the lifted cubes are tilted, and the hand is 15 cm higher."""
    cube = random.uniform(-RANGE_M, RANGE_M, 2)
    angle, distance = random.uniform(-np.pi, np.pi), random.uniform(*BESIDE_M)
    hand = cube + distance * np.array([np.cos(angle), np.sin(angle)])
    config = ActionConfig()
    low, high = np.array(config.workspace_low), np.array(config.workspace_high)
    height = random.uniform(low[2], 0.06) + (0.15 if lift_m else 0.0)
    place = np.clip(np.array([*hand, height]), low, high)
    joints = inverse_kinematics(PANDA, (place - np.array(config.base_position))[None])[0]
    rotation = rotation_of(np.array([0.0, 0.0, random.uniform(-np.pi, np.pi)]))
    if lift_m:
        axis = random.normal(size=3)
        angle = random.uniform(0.0, TILT_RAD) * random.integers(2)
        tilt = angle * axis / np.linalg.norm(axis)
        rotation = rotation_of(tilt) @ rotation
    corner = np.abs(rotation[2]).sum() * CUBE_SIZE / 2  # height of the centre over its lowest point
    return Truth(joints=joints, position=np.array([*cube, corner + lift_m]), rotation=rotation)


class Observer:
    """Renders scenes and finds the tags in every image.

    Attributes:
        detection_s: times of the detections [s].
    """

    def __init__(self, scene: TagScene, wanted: Mapping[int, Array]) -> None:
        self._scene, self._detector = scene, TagDetector(wanted)
        self.detection_s: list[float] = []

    def tags(self, truth: Truth) -> dict[str, Tags]:
        """Returns the tags in the image of each camera."""
        self._scene.place(truth.joints, truth.position, quaternion_of(truth.rotation))
        found: dict[str, Tags] = {}
        for name in self._scene.cameras:
            image = self._scene.image(name)
            start = time.perf_counter()
            found[name] = self._detector.find(image)
            self.detection_s.append(time.perf_counter() - start)
        return found


def calibrated(cameras: Mapping[str, Camera], config: Config) -> dict[str, Camera]:
    """Returns the cameras with extrinsics from a rendered sheet."""
    scene = TagScene(
        SceneConfig(cameras=tuple(cameras), size=config.size, sheet=True, seed=config.seed)
    )
    far = Truth(
        joints=PANDA.neutral, position=np.array([-0.35, 0.4, CUBE_SIZE / 2]), rotation=np.eye(3)
    )
    found = Observer(scene, sheet_corners()).tags(far)
    scene.close()
    entries = {name: _entry(camera) for name, camera in cameras.items()}
    return {
        name: replace(entry, extrinsics=extrinsics_from(entry, found[name])).camera()
        for name, entry in entries.items()
    }


def _entry(camera: Camera) -> CameraEntry:
    matrix = camera.matrix
    lens = Intrinsics(
        focal_px=(matrix[0, 0], matrix[1, 1]),
        centre_px=(matrix[0, 2], matrix[1, 2]),
        distortion=tuple(camera.distortion),
        residual_px=0.0,
    )
    width, height = camera.size
    return CameraEntry(name=camera.name, source=0, width=width, height=height, intrinsics=lens)


def estimates(
    tags: Sequence[Mapping[str, Tags]], cameras: Sequence[Camera], times: list[float]
) -> list[Estimate | None]:
    """Returns the pose of each scene, by a new estimator; None if there is none."""
    found: list[Estimate | None] = []
    for seen in tags:
        sightings = [
            Sighting(camera=camera, exposed_s=0.0, tags=seen[camera.name]) for camera in cameras
        ]
        start = time.perf_counter()
        outcome = Estimator().estimate(sightings)
        times.append(time.perf_counter() - start)
        found.append(outcome if isinstance(outcome, Estimate) else None)
    return found


def accuracy(truths: Sequence[Truth], found: Sequence[Estimate | None]) -> Accuracy:
    """Compares the estimates with the truth."""
    pairs = [(t, e) for t, e in zip(truths, found, strict=True) if e is not None]
    distances = 1000 * np.array([np.linalg.norm(e.position - t.position) for t, e in pairs])
    turns = np.degrees([angle_of(e.rotation @ t.rotation.T) for t, e in pairs])
    return Accuracy(
        seen=len(pairs) / len(truths),
        on_table=float(np.mean([e.on_table for _, e in pairs])),
        median_mm=float(np.median(distances)),
        p95_mm=float(np.percentile(distances, 95)),
        largest_mm=float(distances.max()),
        yaw_median_deg=float(np.median(turns)),
        yaw_p95_deg=float(np.percentile(turns, 95)),
        residual_px=float(np.median([e.residual_px for _, e in pairs])),
    )


def lifted_row(config: Config, lift_m: float) -> dict[str, float]:
    """Measures cubes at one height above the table, seen by two cameras."""
    random = np.random.default_rng([config.seed, round(1e4 * lift_m)])
    scene = TagScene(SceneConfig(cameras=PAIR, size=config.size, seed=config.seed))
    observer = Observer(scene, cube_corners())
    truths = [random_truth(random, lift_m) for _ in range(config.lifted)]
    tags = [observer.tags(truth) for truth in truths]
    scene.close()
    cameras = [scene.cameras[name] for name in PAIR]
    found = estimates(tags, cameras, [])
    poses = [(t, e) for t, e in zip(truths, found, strict=True) if e is not None]
    wrong = sum(estimate.on_table for _, estimate in poses)
    free = [(t, e) for t, e in poses if not e.on_table]
    errors = [1000 * float(np.linalg.norm(e.position - t.position)) for t, e in free]
    return {
        "lift_mm": 1000 * lift_m,
        "detected_as_lifted": 1 - wrong / config.lifted,
        "with_pose": len(free) / config.lifted,
        "median_mm": float(np.median(errors)) if errors else float("nan"),
        "p95_mm": float(np.percentile(errors, 95)) if errors else float("nan"),
    }


def main(config: Config) -> None:
    """Renders, estimates and prints the tables."""
    try:
        scene = TagScene(SceneConfig(cameras=ALL_CAMERAS, size=config.size, seed=config.seed))
    except NoRendererError as error:
        raise UsageError(str(error)) from None
    random = np.random.default_rng(config.seed)
    observer = Observer(scene, cube_corners())
    truths = [random_truth(random) for _ in range(config.scenes)]
    tags = [observer.tags(truth) for truth in tqdm(truths, desc="scenes", disable=None)]
    rows: dict[str, Accuracy] = {}
    fit_s: list[float] = []
    for kind, cameras in (("exact", scene.cameras), ("sheet", calibrated(scene.cameras, config))):
        for names in CAMERA_SETS:
            chosen = [cameras[name] for name in names]
            rows[f"{kind}: {', '.join(names)}"] = accuracy(truths, estimates(tags, chosen, fit_s))
    lifted = [lifted_row(config, lift) for lift in tqdm(LIFTS_M, disable=None)]
    scene.close()
    _print(rows, lifted)
    detection_ms, fit_ms = 1000 * np.array(observer.detection_s), 1000 * np.array(fit_s)
    print(
        f"\ndetection: {np.median(detection_ms):.1f} ms an image, fit: {np.median(fit_ms):.1f} ms"
    )
    write_json(
        config.json,
        {
            "config": {"scenes": config.scenes, "size": config.size, "seed": config.seed},
            "on_table": {name: vars(row) for name, row in rows.items()},
            "lifted": lifted,
            "detection_median_ms": float(np.median(detection_ms)),
            "fit_median_ms": float(np.median(fit_ms)),
        },
    )


def _print(rows: Mapping[str, Accuracy], lifted: Sequence[Mapping[str, float]]) -> None:
    heads = ("cameras", "seen", "on table", "mm", "p95", "max", "yaw deg", "p95", "residual px")
    print_table(
        heads,
        [
            (
                name,
                f"{row.seen:.1%}",
                f"{row.on_table:.1%}",
                f"{row.median_mm:.2f}",
                f"{row.p95_mm:.2f}",
                f"{row.largest_mm:.2f}",
                f"{row.yaw_median_deg:.2f}",
                f"{row.yaw_p95_deg:.2f}",
                f"{row.residual_px:.2f}",
            )
            for name, row in rows.items()
        ],
    )
    print()
    print_table(
        ("lifted mm", "detected", "with pose", "mm", "p95"),
        [
            (
                f"{row['lift_mm']:g}",
                f"{row['detected_as_lifted']:.1%}",
                f"{row['with_pose']:.1%}",
                f"{row['median_mm']:.1f}",
                f"{row['p95_mm']:.1f}",
            )
            for row in lifted
        ],
    )


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.arms.tracker.accuracy", description=__doc__
    )
