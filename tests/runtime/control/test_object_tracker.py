"""Poses from outside: their age, their order, and what is made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from skill_proto.messages import Track
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig


def sighting(captured: float, x: float = 0.0, **fields: object) -> Track:
    return Track.model_validate(
        {"object": "cube", "captured": captured, "position": (x, 0.0, 0.02), **fields}
    )


def tracker() -> ObjectTracker:
    return ObjectTracker(TrackConfig(objects=("cube",), timeout_s=0.2))


def test_a_pose_ages() -> None:
    seen = tracker()
    assert seen.age_s("cube", 1.0) == math.inf
    assert seen.late("cube", 1.0) == "no pose of 'cube' has come yet"
    seen.put(sighting(1.0), 1.05)
    assert seen.age_s("cube", 1.15) == pytest.approx(0.15)
    assert seen.late("cube", 1.15) is None
    assert seen.late("cube", 1.25) == "the newest pose of 'cube' is 0.25 s old"


def test_velocity_is_taken_over_a_time_that_noise_does_not_rule() -> None:
    seen = tracker()
    for step in range(11):  # every 4 ms, .5 m/s
        seen.put(sighting(step * 0.004, 0.002 * step), step * 0.004)
    assert seen.poses()["cube"].velocity == pytest.approx([0.5, 0.0, 0.0])
    seen.put(sighting(0.044, 9.0), 0.044)  # 4 ms after the last base: no new velocity yet
    assert seen.poses()["cube"].velocity == pytest.approx([0.5, 0.0, 0.0])


def test_after_a_gap_an_object_is_taken_to_rest() -> None:
    seen = tracker()
    seen.put(sighting(0.0), 0.0)
    seen.put(sighting(0.05, 0.1), 0.05)
    seen.put(sighting(0.5, 0.3), 0.5)
    assert seen.poses()["cube"].velocity == pytest.approx([0.0, 0.0, 0.0])


def test_a_velocity_that_is_given_is_taken() -> None:
    seen = tracker()
    seen.put(sighting(0.0, velocity=(1, 2, 3), angular_velocity=(4, 5, 6)), 0.0)
    pose = seen.poses()["cube"]
    assert pose.velocity.tolist() == [1.0, 2.0, 3.0]
    assert pose.angular_velocity.tolist() == [4.0, 5.0, 6.0]


def test_a_quaternion_is_made_a_unit_with_w_first_and_not_negative() -> None:
    seen = tracker()
    seen.put(sighting(0.0, quaternion=(-2.0, 0.0, 0.0, 2.0)), 0.0)
    half = math.sqrt(0.5)
    assert seen.poses()["cube"].quaternion == pytest.approx([half, 0.0, 0.0, -half])


@pytest.mark.parametrize(
    ("message", "now", "code", "words"),
    [
        (sighting(1.2), 1.1, "stale", "0.100 s ahead"),
        (sighting(0.8), 1.1, "stale", "0.300 s old"),
        (sighting(1.0), 1.1, "out_of_order", "captured at 1.000"),
        (sighting(1.05, quaternion=(0.0, 0.0, 0.0, 0.0)), 1.1, "invalid", "length 0"),
        (sighting(1.05, object="ball"), 1.1, "not_supported", "tracked objects: cube"),
    ],
)
def test_what_cannot_be_used_is_refused_and_changes_nothing(
    message: Track, now: float, code: str, words: str
) -> None:
    seen = tracker()
    seen.put(sighting(1.0, 0.3), 1.0)
    with pytest.raises(Refusal, match=words) as refusal:
        seen.put(message, now)
    assert refusal.value.code == code
    assert np.array_equal(seen.poses()["cube"].position, [0.3, 0.0, 0.02])
