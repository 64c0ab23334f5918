"""Poses carried to now, against hand-computed numbers."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike
from tests.support.controller_bench import Bench

from skill_proto.messages import Track
from skill_robots.observation import layout
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.control.pose_prediction import (
    CONTACT_M,
    HAND_PERIOD_S,
    HORIZON_S,
    MAX_CARRIED_M,
    MAX_CARRIED_SPEED,
    SLIDING_M_S2,
    HandPath,
    carried,
)
from skill_runtime.policy import OnnxPolicy, PolicyOutput

CUBE = (0.1, -0.05, 0.02)


def pushing(speed: float, first_x: float, *, z: float = 0.02, ticks: int = 41) -> HandPath:
    """A hand that moves along x, from ``first_x`` at 1 s, in ticks of 5 ms."""
    path = HandPath()
    for tick in range(ticks):
        path.add(1.0 + 0.005 * tick, first_x + speed * 0.005 * tick, CUBE[1], z)
    return path


def test_an_object_at_rest_stays_exactly() -> None:
    assert carried(CUBE, (0.0, 0.0), 1.0, 1.06, HandPath()) == CUBE[:2]
    assert carried(CUBE, (0.0, 0.0), 1.0, 1.06, pushing(0.0, 0.0)) == CUBE[:2]


def test_an_object_slides_on_and_is_slowed_by_friction() -> None:
    # .3 m/s, 50 ms, 3 m/s2: .3 * .05 - 3 * .05^2 / 2 = .01125 m, of which 3/5 along x.
    x, y = carried(CUBE, (0.18, -0.24), 1.0, 1.05, HandPath())
    assert (x, y) == pytest.approx((0.1 + 0.6 * 0.01125, -0.05 - 0.8 * 0.01125))


def test_steps_of_the_hands_path_do_not_change_the_slide() -> None:
    far = pushing(0.0, -0.3)
    alone = carried(CUBE, (0.3, 0.1), 1.0023, 1.0571, HandPath())
    assert carried(CUBE, (0.3, 0.1), 1.0023, 1.0571, far) == pytest.approx(alone)


def test_a_slow_object_stops_within_its_braking_distance() -> None:
    # Noise of the pose looks like a velocity: .06 m/s moves the pose by .06^2 / 6 = .6 mm only.
    x, _ = carried(CUBE, (0.06, 0.0), 1.0, 1.1, HandPath())
    assert x == pytest.approx(0.1 + 0.0006)
    assert SLIDING_M_S2 == 3.0


def test_a_hand_in_contact_pushes_the_object_along_its_own_way() -> None:
    # 3 cm behind the cube at the capture, in contact; .2 m/s for 50 ms are 1 cm.
    x, y = carried(CUBE, (0.2, 0.0), 1.0, 1.05, pushing(0.2, 0.07))
    assert (x, y) == pytest.approx((0.11, -0.05))


def test_a_hand_that_arrives_sets_the_object_in_motion() -> None:
    # 4.5 cm behind at the capture; .4 m/s reach 3.5 cm after 25 ms and push for 25 ms: 1 cm.
    x, y = carried(CUBE, (0.0, 0.0), 1.0, 1.05, pushing(0.4, 0.055))
    assert (x, y) == pytest.approx((0.11, -0.05))
    assert CONTACT_M == 0.035


def test_a_hand_that_stops_lets_the_object_slide_to_rest() -> None:
    path = HandPath()
    path.add(1.0, 0.07, CUBE[1], 0.02)
    path.add(1.005, 0.07, CUBE[1], 0.02)
    path.add(1.1, 0.07, CUBE[1], 0.02)
    x, _ = carried(CUBE, (0.15, 0.0), 1.0, 1.1, path)
    assert x == pytest.approx(0.1 + 0.15**2 / 6)  # at rest after 50 ms


@pytest.mark.parametrize(
    ("speed", "first_x", "z"),
    [
        (0.3, 0.07, 0.06),  # 4 cm above the centre: over the cube
        (-0.3, 0.07, 0.02),  # away from it
        (50.0, 0.07, 0.02),  # no hand is so fast: the arm was moved by other means
    ],
)
def test_a_hand_that_does_not_push_moves_nothing(speed: float, first_x: float, z: float) -> None:
    path = pushing(speed, first_x, z=z)
    assert carried(CUBE, (0.0, 0.0), 1.0, 1.05, path) == CUBE[:2]


def test_a_jump_of_the_pose_is_not_carried() -> None:
    fast = MAX_CARRIED_SPEED + 0.01
    assert carried(CUBE, (fast, 0.0), 1.0, 1.05, HandPath()) == CUBE[:2]
    assert carried(CUBE, (-500.0, 500.0), 1.0, 1.05, HandPath()) == CUBE[:2]


def test_the_prediction_ends_at_the_horizon_and_begins_at_the_capture() -> None:
    # 1 m/s for .1 s, 3 m/s2: .1 - .015 = .085 m, also if the pose is older.
    x, _ = carried(CUBE, (1.0, 0.0), 1.0, 1.19, HandPath())
    assert x == pytest.approx(0.185)
    assert HORIZON_S == 0.1
    assert carried(CUBE, (1.0, 0.0), 1.04, 1.0, HandPath()) == CUBE[:2]  # captured in the future


def test_no_hand_and_no_velocity_carry_a_pose_by_more_than_10_cm() -> None:
    random = np.random.default_rng(0)
    farthest = 0.0
    for _ in range(500):
        path, place = HandPath(), random.uniform(-0.1, 0.1, 2) + CUBE[:2]
        for tick in range(30):
            place = place + random.normal(0.0, 0.003, 2)
            x, y = place.tolist()
            path.add(1.0 + 0.005 * tick, x, y, 0.02)
        dx, dy = random.uniform(-1.2, 1.2, 2).tolist()
        x, y = carried(CUBE, (dx, dy), 1.0 + random.uniform(0.0, 0.05), 1.15, path)
        farthest = max(farthest, math.dist((x, y), CUBE[:2]))
    assert farthest == pytest.approx(MAX_CARRIED_M)


def test_the_path_of_the_hand_is_interpolated_at_both_ends() -> None:
    path = pushing(0.2, 0.0)
    between = path.between(1.0025, 1.0125)
    assert [place[0] for place in between] == pytest.approx([1.0025, 1.005, 1.01, 1.0125])
    assert [place[1] for place in between] == pytest.approx([0.0005, 0.001, 0.002, 0.0025])
    assert path.between(2.0, 2.1) == []


def test_a_servo_period_of_1_ms_keeps_the_path_of_the_longest_age() -> None:
    path = HandPath()
    for tick in range(1001):
        now = 0.001 * tick
        if path.due(now):
            path.add(now, 0.0, 0.0, 0.0)
    kept = [place[0] for place in path.between(0.0, 1.0)]
    assert kept[0] <= 0.8  # --tracker-timeout is .2 s
    gaps = [second - first for first, second in itertools.pairwise(kept)]
    assert min(gaps[:-1]) >= HAND_PERIOD_S - 1e-9
    assert max(gaps) <= 0.0051


class Watched(OnnxPolicy):
    """Keeps the positions of the cube that it observes."""

    seen: list[list[float]]

    def step(
        self,
        observation: ArrayLike,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> PolicyOutput:
        place = layout(self.manifest.observation_names)["cube_position"]
        self.seen.append(np.ravel(observation)[place].tolist())
        return super().step(observation, skill, goal, previous_action)


def test_the_policy_observes_the_carried_pose_and_telemetry_has_the_measured_one(
    policy_file: Path,
) -> None:
    policy = Watched(policy_file)
    policy.seen = []
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    served = Bench(ArmController(MujocoArm(), policy, tracker))
    served.run(0.1)
    message = Track(
        object="cube",
        captured=served.now - 0.05,
        position=(0.1, 0.2, 0.02),  # far from the hand
        velocity=(0.3, 0.0, 0.0),
    )
    tracker.put(message, served.now)
    served.skill(1, 0)
    began = served.now
    served.run(0.005)
    carried_s = began - message.captured
    expected = 0.1 + 0.3 * carried_s - SLIDING_M_S2 * carried_s**2 / 2
    assert policy.seen == [pytest.approx([expected, 0.2, 0.02], abs=3e-4)]
    assert served.controller.state.objects["cube"].position.tolist() == [0.1, 0.2, 0.02]
