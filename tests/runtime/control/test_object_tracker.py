"""Object poses that clients report: age, order, velocity."""

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
    assert seen.late("cube", 1.0) == "no pose of 'cube' has arrived yet"
    seen.put(sighting(1.0), 1.05)
    assert seen.age_s("cube", 1.15) == pytest.approx(0.15)
    assert seen.late("cube", 1.15) is None
    assert seen.late("cube", 1.25) == "the newest pose of 'cube' is 0.25 s old"


def test_velocity_is_the_difference_over_at_least_20_ms() -> None:
    seen = tracker()
    for step in range(11):  # every 4 ms, .5 m/s
        seen.put(sighting(step * 0.004, 0.002 * step), step * 0.004)
    assert seen.poses()["cube"].velocity == pytest.approx([0.5, 0.0, 0.0])
    seen.put(sighting(0.044, 1.0), 0.044)  # 4 ms after the last base: the velocity is kept
    assert seen.poses()["cube"].velocity == pytest.approx([0.5, 0.0, 0.0])


def test_after_a_gap_the_velocity_is_zero() -> None:
    seen = tracker()
    seen.put(sighting(0.0), 0.0)
    seen.put(sighting(0.05, 0.1), 0.05)
    seen.put(sighting(0.5, 0.3), 0.5)
    assert seen.poses()["cube"].velocity == pytest.approx([0.0, 0.0, 0.0])


def test_a_reported_velocity_is_used() -> None:
    seen = tracker()
    seen.put(sighting(0.0, velocity=(1, 2, 3), angular_velocity=(4, 5, 6)), 0.0)
    pose = seen.poses()["cube"]
    assert pose.velocity.tolist() == [1.0, 2.0, 3.0]
    assert pose.angular_velocity.tolist() == [4.0, 5.0, 6.0]


def test_a_quaternion_is_normalised_with_w_not_negative() -> None:
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
def test_an_unusable_pose_is_refused_and_changes_no_state(
    message: Track, now: float, code: str, words: str
) -> None:
    seen = tracker()
    seen.put(sighting(1.0, 0.3), 1.0)
    with pytest.raises(Refusal, match=words) as refusal:
        seen.put(message, now)
    assert refusal.value.code == code
    assert np.array_equal(seen.poses()["cube"].position, [0.3, 0.0, 0.02])


def test_a_needed_object_is_missing_without_a_fresh_pose_of_its_source() -> None:
    poses = tracker()
    assert poses.age_s("ball", 1.0) is None
    assert poses.missing(["ball"], ["ball"], 1.0) is None  # the arm reports it
    assert poses.missing(["ball"], [], 1.0) == "no source reports the pose of 'ball'"
    assert poses.missing(["cube"], ["cube"], 1.0) == "no pose of 'cube' has arrived yet"
    poses.put(sighting(1.0), 1.0)
    assert poses.missing(["cube"], [], 1.1) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"position": (300.0, 0.0, 20.0)},  # millimetres
        {"position": (0.0, -1.51, 0.02)},
        {"position": (0.0, 0.0, -0.11)},
        {"position": (0.0, 0.0, 1.51)},
        {"velocity": (0.0, 20.1, 0.0)},
        {"angular_velocity": (201.0, 0.0, 0.0)},
    ],
)
def test_a_pose_that_no_table_has_is_refused(fields: dict[str, tuple[float, ...]]) -> None:
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    pose = {"object": "cube", "captured": 1.0, "position": (1.5, -1.5, 1.5)}
    tracker.put(Track.model_validate(pose), 1.0)
    with pytest.raises(Refusal, match=r"is not near the table|has length") as caught:
        tracker.put(Track.model_validate(pose | {"captured": 1.01} | fields), 1.01)
    assert caught.value.code == "invalid"
    assert tracker.poses()["cube"].position.tolist() == [1.5, -1.5, 1.5]


def test_tracked_objects_are_awaited_until_their_first_pose() -> None:
    seen = tracker()
    assert seen.awaited(["cube", "tray"]) == ["cube"]
    seen.put(sighting(1.0), 1.05)
    assert seen.awaited(["cube", "tray"]) == []
    assert ObjectTracker().awaited(["cube"]) == []


def test_a_carried_pose_has_the_place_of_now_and_all_else_as_measured() -> None:
    seen = tracker()
    seen.put(sighting(1.0, 0.1, velocity=(0.3, 0.0, 0.0), angular_velocity=(0.0, 0.0, 4.0)), 1.04)
    measured, ahead = seen.poses()["cube"], seen.carried(1.05)["cube"]
    assert ahead.position == pytest.approx([0.1 + 0.01125, 0.0, 0.02])  # see test_pose_prediction
    assert measured.position == pytest.approx([0.1, 0.0, 0.02])
    for name in ("quaternion", "velocity", "angular_velocity"):
        assert np.array_equal(getattr(ahead, name), getattr(measured, name))


def test_a_pose_is_carried_by_the_hand_that_pushes_it() -> None:
    seen = tracker()
    for tick in range(11):  # .2 m/s, 3 cm behind the cube
        now = 1.0 + 0.005 * tick
        assert seen.hand_due(now)
        seen.note_hand(np.array([0.07 + 0.001 * tick, 0.0, 0.02]), now)
        assert not seen.hand_due(now + 0.001)
    seen.put(sighting(1.0, 0.1), 1.05)
    assert seen.carried(1.05)["cube"].position == pytest.approx([0.11, 0.0, 0.02])


def test_a_jump_between_two_poses_is_not_carried() -> None:
    seen = tracker()
    seen.put(sighting(1.0, -0.5), 1.0)
    seen.put(sighting(1.02, 0.5), 1.02)  # 1 m in 20 ms: 50 m/s
    assert seen.carried(1.1)["cube"].position == pytest.approx([0.5, 0.0, 0.02])


def test_no_hand_is_needed_without_tracked_objects() -> None:
    assert not ObjectTracker().hand_due(1.0)
    assert ObjectTracker().carried(1.0) == {}
