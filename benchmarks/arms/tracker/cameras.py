"""Cameras of a simulated table: images at their rate, and poses that arrive late.

One scene of the tabletop is seen. Poses are those of the tag tracker, or exact ones at the same
times. The images are rendered in a window around the cube, with the rays of the whole image.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from examples.tag_tracking.camera import rotation_from
from examples.tag_tracking.detection import TagDetector
from examples.tag_tracking.estimator import Estimate, Estimator, Sighting
from examples.tag_tracking.sending import track_message
from examples.tag_tracking.tags import cube_corners
from examples.tag_tracking.watching import TOGETHER_S

from benchmarks.arms.tracker.scene import TagScene
from skill_proto.arrays import Array
from skill_proto.messages import Track
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_runtime.control.object_tracker import ObjectTracker

WINDOW_PX = 200
"""Side of the rendered part of each image, around the cube [px]."""

WARM_UP_S, WARM_UP_STEP_S = 0.2, 0.005
"""The tracker runs this long before an episode, as it does before a client sends a goal [s]."""


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
        names: of the cameras, as in scene.py.
        rate_hz: images per second of each camera [Hz].
        delay_s: range of the time from exposure to arrival [s].
        random: phases of the cameras and delays.
        counts: sums over episodes.
    """

    def __init__(
        self,
        table: Tabletop,
        scene: TagScene | None,
        random: np.random.Generator,
        counts: Counts,
        *,
        names: tuple[str, ...],
        rate_hz: float,
        delay_s: tuple[float, float],
    ) -> None:
        self._table, self._scene, self._random, self._counts = table, scene, random, counts
        self._names = names
        self._period_s, self._delay_s = 1 / rate_hz, delay_s
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
