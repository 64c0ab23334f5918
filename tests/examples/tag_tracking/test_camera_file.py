"""The camera file: written, read, and refused with a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples.tag_tracking import TrackerError
from examples.tag_tracking.camera import quaternion_of, rotation_from
from examples.tag_tracking.camera_file import (
    CameraEntry,
    CameraFile,
    Extrinsics,
    Intrinsics,
    read_camera_file,
    write_camera_file,
)
from examples.tag_tracking.fit import rotation_of

LENS = Intrinsics(
    focal_px=(900.0, 901.0), centre_px=(640.0, 360.0), distortion=(0.1, 0, 0, 0), residual_px=0.2
)
PLACE = Extrinsics(position=(0.0, 0.6, 0.4), quaternion=(0.0, 1.0, 0.0, 0.0), residual_px=0.1)
ENTRY = CameraEntry(
    name="left", source=0, width=1280, height=720, intrinsics=LENS, extrinsics=PLACE
)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    content = CameraFile(cameras=(ENTRY, replace(ENTRY, name="right", source="rtsp://host/1")))
    write_camera_file(path, content)
    assert read_camera_file(path) == content


def test_a_camera_of_the_same_name_is_replaced() -> None:
    content = CameraFile().with_camera(ENTRY).with_camera(replace(ENTRY, source=2))
    assert [camera.source for camera in content.cameras] == [2]


def test_the_camera_of_an_entry_looks_along_its_own_z_axis() -> None:
    camera = ENTRY.camera()
    # Half a turn about x: the camera above the table looks down, its y axis is the world's -y.
    assert camera.rotation == pytest.approx(np.diag([1.0, -1.0, -1.0]))
    assert camera.project(np.array([[0.0, 0.6, 0.0]]))[0] == pytest.approx([640.0, 360.0])
    # 0.1 m along x at a distance of 0.4 m: x / z = 0.25; 900 px x 0.25 (1 + 0.1 x 0.0625).
    expected = 640 + 900 * 0.25 * (1 + 0.1 * 0.0625)
    assert camera.project(np.array([[0.1, 0.6, 0.0]]))[0] == pytest.approx([expected, 360.0])


def test_quaternions_and_rotations_are_inverse() -> None:
    rotation = rotation_of(np.array([0.4, -1.2, 2.0]))
    assert rotation_from(quaternion_of(rotation)) == pytest.approx(rotation)
    assert quaternion_of(np.eye(3)) == pytest.approx([1, 0, 0, 0])


@pytest.mark.parametrize("missing", ["intrinsics", "extrinsics"])
def test_a_camera_without_calibration_names_the_command(missing: str) -> None:
    with pytest.raises(TrackerError, match=f"no {missing}. Fix: run 'tag_tracker.py {missing}'"):
        replace(ENTRY, **{missing: None}).camera()


def broken(**changes: Any) -> str:  # noqa: ANN401  any wrong value
    """Returns a file whose only camera has these wrong values."""
    entry: dict[str, Any] = {"name": "left", "source": 0, "width": 1280, "height": 720}
    return json.dumps({"version": 1, "cameras": [entry | changes]})


ZERO = {"position": [0, 0, 1], "quaternion": [0, 0, 0, 0], "residual_px": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Invalid JSON"),
        ("[]", "no camera file"),
        ('{"version": 2, "cameras": []}', "version"),
        ('{"version": 1, "cameras": []}', "contains no camera"),
        (broken(widht=3), "widht"),
        (broken(source=-1), "source"),
        (broken(width="wide"), "width"),
        (broken(extrinsics=ZERO), "a quaternion of length 0 for camera 'left'"),
    ],
)
def test_a_wrong_file_is_refused_with_entry_and_fix(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrackerError) as caught:
        read_camera_file(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "Fix: make one with 'tag_tracker.py intrinsics" in str(caught.value)


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    write_camera_file(path, CameraFile(cameras=(ENTRY, ENTRY)))
    with pytest.raises(TrackerError, match="twice"):
        read_camera_file(path)


def test_a_missing_file_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(TrackerError, match="cannot read the camera file"):
        read_camera_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "source", "size", "said"),
    [
        ("left", 0, (32, 720), "width: Input should be greater than or equal to 64, got 32"),
        ("", 0, (1280, 720), "name: String should have at least 1 character"),
        ("x" * 33, 0, (1280, 720), "name: String should have at most 32 characters"),
        ("left", "", (1280, 720), "String should have at least 1 character, got ''"),
    ],
)
def test_a_camera_with_wrong_values_is_refused(
    name: str, source: int | str, size: tuple[int, int], said: str
) -> None:
    with pytest.raises(TrackerError) as caught:
        CameraFile().entry_for(name, source, size)
    assert said in str(caught.value)
    assert "Fix: --camera NAME of 1 to 32 characters" in str(caught.value)


def test_a_second_calibration_keeps_the_delay_alone() -> None:
    content = CameraFile(cameras=(replace(ENTRY, delay_s=0.07),))
    entry = content.entry_for("left", 3, (640, 480))
    assert entry == CameraEntry(name="left", source=3, width=640, height=480, delay_s=0.07)
    assert content.entry_for("right", 3, (640, 480)).delay_s == 0.03
