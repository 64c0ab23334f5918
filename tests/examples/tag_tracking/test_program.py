"""The whole program, as a process: images in, poses at a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from examples.tag_tracking.camera import Camera, quaternion_of
from examples.tag_tracking.camera_file import (
    CameraEntry,
    CameraFile,
    Extrinsics,
    Intrinsics,
    write_camera_file,
)
from examples.tag_tracking.fit import rotation_of
from tests.support.children import child_process
from tests.support.printed_tags import cube_quads, picture
from tests.support.served import Served, state_when
from tests.support.server_fixtures import serve as serve

from skill_runtime.client import SkillClient
from skill_runtime.control.object_tracker import TrackConfig

PROGRAM = Path(__file__).parents[3] / "examples" / "tag_tracker.py"
PLACE = np.array([0.06, -0.04, 0.02])
TURN = rotation_of(np.array([0.0, 0.0, 0.5]))


def run(*words: str, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(PROGRAM), *words],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def entry_of(camera: Camera, source: str) -> CameraEntry:
    """Returns the exact calibration of a camera as an entry."""
    matrix = camera.matrix
    x, y, z = camera.position.tolist()
    w, i, j, k = quaternion_of(camera.rotation.T).tolist()
    return CameraEntry(
        name=camera.name,
        source=source,
        width=camera.size[0],
        height=camera.size[1],
        delay_s=0.0,
        intrinsics=Intrinsics(
            focal_px=(matrix[0, 0], matrix[1, 1]),
            centre_px=(matrix[0, 2], matrix[1, 2]),
            distortion=tuple(camera.distortion),
            residual_px=0.0,
        ),
        extrinsics=Extrinsics(position=(x, y, z), quaternion=(w, i, j, k), residual_px=0.0),
    )


def write_video(path: Path, camera: Camera, images: int, *, visible: bool = True) -> None:
    """Writes a video of the cube at rest; images repeat, since rendering takes time."""
    quads = cube_quads(PLACE, TURN) if visible else []
    distinct = [picture(camera, quads, seed=seed) for seed in range(2)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 30.0, camera.size)
    for number in range(images):
        writer.write(cv2.cvtColor(distinct[number % 2], cv2.COLOR_GRAY2BGR))
    writer.release()


@pytest.fixture(scope="module")
def camera_file(left: Camera, right: Camera, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cameras whose images are videos of four seconds."""
    folder = tmp_path_factory.mktemp("cameras")
    entries: list[CameraEntry] = []
    for camera in (left, right):
        video = folder / f"{camera.name}.mkv"
        write_video(video, camera, 120)
        entries.append(entry_of(camera, str(video)))
    write_camera_file(folder / "cameras.json", CameraFile(cameras=tuple(entries)))
    return folder / "cameras.json"


def test_the_server_receives_the_pose(
    serve: Callable[..., Served], policy_file: Path, camera_file: Path
) -> None:
    served = serve(policy_file, track=TrackConfig(objects=("cube",), timeout_s=5.0))
    words = ("track", "--file", str(camera_file), "--address", served.address)
    with (
        child_process([sys.executable, str(PROGRAM), *words], stdout=subprocess.PIPE) as program,
        SkillClient(served.address, timeout_s=10.0) as client,
    ):
        state = state_when(client, lambda state: "cube" in state.objects)
        cube = state.objects["cube"]
        assert cube.position == pytest.approx(PLACE, abs=1e-3)
        assert cube.quaternion == pytest.approx(quaternion_of(TURN), abs=0.01)
        out = program.communicate(timeout=60)[0].decode()
        assert client.server.manifest is not None
    assert program.returncode == 0
    assert "poses/s" in out
    assert "on the table | residual 0." in out
    assert "tags in left, right" in out
    assert "has ended" in out
    sent = int(out.split("sent ")[-1].split(",")[0])
    assert sent >= 40


def test_the_picture_shows_cube_and_tags(camera_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "seen.png"
    done = run(
        "track", "--dry-run", "--file", str(camera_file), "--seconds", "1.5", "--picture", str(path)
    )
    assert (done.returncode, done.stderr) == (0, "")
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape == (360, 1280, 3)
    # The images are grey; outlines of the tags are green, edges of the cube blue.
    spread = image.max(axis=2).astype(int) - image.min(axis=2)
    assert (spread > 60).sum() > 200
    assert not list(tmp_path.glob(".*"))


def test_an_empty_table_is_reported_once(left: Camera, tmp_path: Path) -> None:
    video = tmp_path / "empty.mkv"
    write_video(video, left, 75, visible=False)
    path = tmp_path / "cameras.json"
    write_camera_file(path, CameraFile(cameras=(entry_of(left, str(video)),)))
    done = run("track", "--dry-run", "--file", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("no tag of the cube is visible. Fix: light") == 1
    assert "no pose" in done.stdout


def test_without_a_server_its_address_is_named(camera_file: Path) -> None:
    done = run("track", "--file", str(camera_file), "--address", "tcp://127.0.0.1:1")
    assert done.returncode == 1
    assert "tag_tracker.py: no answer from tcp://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_without_the_flag_is_explained_once(
    serve: Callable[..., Served], policy_file: Path, camera_file: Path
) -> None:
    served = serve(policy_file)
    words = ("--address", served.address, "--seconds", "2.5")
    done = run("track", "--file", str(camera_file), *words)
    assert done.returncode == 0
    assert done.stdout.count("start the server with --track cube") == 1
    assert "sent 0, refused" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("track", "--file", "none.json"), "cannot read the camera file none.json"),
        (("extrinsics", "--file", "none.json"), "Fix: make one with 'tag_tracker.py intrinsics"),
        (
            ("intrinsics", "--file", "none.json", "--camera", "left", "--source", "97"),
            "camera 'left' (source 97) cannot be opened",
        ),
        (
            ("intrinsics", "--file", "none.json", "--camera", "", "--source", "0"),
            "name: String should have at least 1 character",
        ),
        (("sheet", "--out", "none/tags.pdf"), "cannot write none/tags.pdf"),
    ],
)
def test_a_mistake_gives_one_line(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("tag_tracker.py: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_screen_is_needed_for_the_window(camera_file: Path) -> None:
    words = [sys.executable, str(PROGRAM), "track", "--dry-run", "--show", "--file"]
    done = subprocess.run(
        [*words, str(camera_file)], capture_output=True, text=True, check=False, env={"PATH": ""}
    )
    assert done.returncode == 1
    assert "--show: there is no screen" in done.stderr
    assert "--picture FILE.png" in done.stderr


def test_the_sheet_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tags.pdf"
    done = run("sheet", "--out", str(path), "--paper", "letter")
    assert (done.returncode, done.stderr) == (0, "")
    assert "check that the ruler measures 100 mm" in done.stdout
    assert path.read_bytes().startswith(b"%PDF-1.4")


def test_places_of_cameras_come_from_the_sheet_on_the_table(left: Camera, tmp_path: Path) -> None:
    from tests.support.printed_tags import sheet_quads

    video = tmp_path / "sheet.mkv"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), 30.0, left.size)
    writer.write(cv2.cvtColor(picture(left, sheet_quads()), cv2.COLOR_GRAY2BGR))
    writer.release()
    path = tmp_path / "cameras.json"
    entry = replace(entry_of(left, str(video)), extrinsics=None)
    write_camera_file(path, CameraFile(cameras=(entry,)))
    done = run("extrinsics", "--file", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "camera 'left' at x " in done.stdout
    from examples.tag_tracking.camera_file import read_camera_file

    place = read_camera_file(path).cameras[0].extrinsics
    assert place is not None
    assert place.position == pytest.approx(left.position, abs=3e-3)


def test_a_camera_that_fails_does_not_lose_those_before_it(left: Camera, tmp_path: Path) -> None:
    from examples.tag_tracking.camera_file import read_camera_file
    from tests.support.printed_tags import sheet_quads

    video, path = tmp_path / "sheet.mkv", tmp_path / "cameras.json"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), 30.0, left.size)
    writer.write(cv2.cvtColor(picture(left, sheet_quads()), cv2.COLOR_GRAY2BGR))
    writer.release()
    first = replace(entry_of(left, str(video)), extrinsics=None)
    second = replace(first, name="right", source=str(tmp_path / "missing.mkv"))
    write_camera_file(path, CameraFile(cameras=(first, second)))
    done = run("extrinsics", "--file", str(path))
    assert done.returncode == 1
    assert "camera 'right'" in done.stderr
    one, other = read_camera_file(path).cameras
    assert one.extrinsics is not None
    assert other == second
