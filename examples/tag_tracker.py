"""Tracks the cube with cameras and AprilTags, and sends its pose to a server.

Start `skill-serve --model goal_panda --track cube` and this program beside it:

    python examples/tag_tracker.py sheet --out tags.pdf
    python examples/tag_tracker.py intrinsics --file cameras.json --camera left --source 0
    python examples/tag_tracker.py extrinsics --file cameras.json
    python examples/tag_tracker.py track --file cameras.json

docs/tracker.md describes the set-up. Needs the extra `tracker`: pip install 'skill-serve[tracker]'.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import ClientError, ServerUnreachableError

try:
    import cv2  # noqa: F401  only the import is tested: without OpenCV, the parts would fail
except ImportError:
    raise SystemExit(
        "tag_tracker.py: OpenCV is missing. Fix: pip install 'skill-serve[tracker]'"
    ) from None

from tag_tracking import TrackerError
from tag_tracking.calibrate import collect_views, extrinsics_from, intrinsics_from, observe_sheet
from tag_tracking.camera_file import CameraFile, read_camera_file, write_camera_file
from tag_tracking.estimator import Estimate, Estimator, Rejected
from tag_tracking.picture import Window, annotated, side_by_side, write_picture
from tag_tracking.sending import PoseSender
from tag_tracking.sheet import PAPER_MM, write_sheet
from tag_tracking.sources import EndOfVideo, VideoSource
from tag_tracking.watching import Watch

STATUS_S = 2.0
"""Time between two status lines [s]."""

UNSEEN_S = 1.0
"""The program says why there is no pose after this time [s]."""

CALM_S = 5.0
"""A problem that was absent for this time is printed again when it returns [s]."""

NO_TAG = (
    "no tag of the cube is visible. Fix: light without reflections, sharp images, tags of the "
    "printed page on the cube; look at the images with --show or --picture"
)

PICTURE_S = 0.1
"""Time between two pictures [s]."""


def main(words: Sequence[str] | None = None) -> None:
    """Runs one of the commands."""
    arguments = _parser().parse_args(words)
    try:
        arguments.run(arguments)
    except (TrackerError, ClientError) as error:
        raise SystemExit(f"tag_tracker.py: {error}") from None
    except KeyboardInterrupt:
        print("ended")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Track the cube with cameras and AprilTags.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    file = argparse.ArgumentParser(add_help=False)
    file.add_argument("--file", type=Path, default=Path("cameras.json"), help="the camera file")

    sheet = commands.add_parser("sheet", help="write the printable tags as a PDF")
    sheet.add_argument("--out", type=Path, default=Path("tags.pdf"))
    sheet.add_argument("--paper", choices=sorted(PAPER_MM), default="a4")
    sheet.set_defaults(run=_sheet)

    lens = commands.add_parser("intrinsics", parents=[file], help="calibrate a camera's lens")
    lens.add_argument("--camera", required=True, metavar="NAME", help="name of the camera")
    lens.add_argument("--source", required=True, help="device number, URL or video file")
    lens.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("W", "H"))
    lens.set_defaults(run=_intrinsics)

    place = commands.add_parser("extrinsics", parents=[file], help="find the cameras' places")
    place.set_defaults(run=_extrinsics)

    track = commands.add_parser("track", parents=[file], help="send the cube's pose")
    track.add_argument("--address", default=DEFAULT_ADDRESS)
    track.add_argument("--seconds", type=float, default=float("inf"))
    track.add_argument(
        "--max-residual", type=float, default=0.5, metavar="PX", help="limit of a fit (0.5)"
    )
    track.add_argument("--show", action="store_true", help="show the images in a window")
    track.add_argument("--picture", type=Path, metavar="FILE", help="write the images to a file")
    track.add_argument("--dry-run", action="store_true", help="send no pose")
    track.set_defaults(run=_track)
    return parser


def _sheet(arguments: argparse.Namespace) -> None:
    write_sheet(arguments.out, arguments.paper)
    print(f"{arguments.out}: print it at 100 %, and check that the ruler measures 100 mm")


def _intrinsics(arguments: argparse.Namespace) -> None:
    path: Path = arguments.file
    content = read_camera_file(path) if path.exists() else CameraFile()
    source = int(arguments.source) if arguments.source.isdecimal() else arguments.source
    width, height = arguments.size
    entry = content.entry_for(arguments.camera, source, (width, height))
    images = VideoSource(entry)
    try:
        is_live = isinstance(source, int) or "://" in source
        views = collect_views(images, is_live=is_live, say=print)
    finally:
        images.close()
    lens = intrinsics_from(views, (width, height))
    write_camera_file(path, content.with_camera(replace(entry, intrinsics=lens)))
    print(
        f"{path}: camera {entry.name!r}, focal length {lens.focal_px[0]:.1f} px, residual "
        f"{lens.residual_px:.2f} px. Next: 'tag_tracker.py extrinsics'"
    )


def _extrinsics(arguments: argparse.Namespace) -> None:
    content = read_camera_file(arguments.file)
    for entry in content.cameras:
        images = VideoSource(entry)
        try:
            place = extrinsics_from(entry, observe_sheet(images, entry.name))
        finally:
            images.close()
        content = content.with_camera(replace(entry, extrinsics=place))
        write_camera_file(arguments.file, content)  # a later camera may fail
        x, y, z = place.position
        print(
            f"camera {entry.name!r} at x {x:.3f}, y {y:.3f}, z {z:.3f} m, residual "
            f"{place.residual_px:.2f} px"
        )
    print(f"{arguments.file}: take the sheet off the table. Next: 'tag_tracker.py track'")


def _track(arguments: argparse.Namespace) -> None:
    entries = read_camera_file(arguments.file).cameras
    cameras = [entry.camera() for entry in entries]
    window = Window() if arguments.show else None
    sender = None if arguments.dry_run else PoseSender(arguments.address)
    if sender is not None:
        print(f"{sender.hello().robot} at {arguments.address}")
    sources = {camera: VideoSource(entry) for camera, entry in zip(cameras, entries, strict=True)}
    run = Tracking(Watch(sources), Estimator(arguments.max_residual), sender)
    try:
        run.run(arguments.seconds, window, arguments.picture)
    except EndOfVideo as end:
        run.print_status()
        print(end)
    finally:
        if window is not None:
            window.close()


class Tracking:
    """Estimates and sends poses, and prints a status line.

    Args:
        watch: the cameras.
        estimator: makes poses from their tags.
        sender: sends the poses; None: they are only printed.
    """

    def __init__(self, watch: Watch, estimator: Estimator, sender: PoseSender | None) -> None:
        self._watch, self._estimator, self._sender = watch, estimator, sender
        self._said: set[str] = set()
        self._estimate: Estimate | None = None
        self._poses, self._since = 0, time.monotonic()
        self._found_s = self._problem_s = self._since

    def run(self, seconds: float, window: Window | None, picture: Path | None) -> None:
        """Tracks until the time is over or the window is closed.

        Raises:
            TrackerError: a camera fails, or a video has ended.
            ClientError: the server's answer is not of this protocol.
        """
        start = drawn = time.monotonic()
        with self._watch:
            while time.monotonic() - start < seconds:
                self._step()
                now = time.monotonic()
                if now - self._since > STATUS_S:
                    self.print_status()
                if now - drawn > PICTURE_S:
                    drawn = now
                    self._draw(window, picture)
                if window is not None and window.is_closed:
                    break

    def _step(self) -> None:
        sightings = self._watch.wait(timeout_s=0.1)
        if not sightings:
            return
        outcome = self._estimator.estimate(sightings)
        now = time.monotonic()
        self._estimate = outcome if isinstance(outcome, Estimate) else None
        if isinstance(outcome, Estimate):
            self._poses += 1
            self._found_s = now
            self._send(outcome)
        elif now - self._found_s > UNSEEN_S:  # the hand may hide the cube for a moment
            self._say(outcome.reason if isinstance(outcome, Rejected) else NO_TAG)

    def _send(self, estimate: Estimate) -> None:
        if self._sender is not None:
            try:
                self._sender.send(estimate)
            except ServerUnreachableError as error:
                self._say(f"{error}; the tracker keeps trying")
                return
            if self._sender.newest_refusal is not None:
                self._say(str(self._sender.newest_refusal))
                return
        if time.monotonic() - self._problem_s > CALM_S:
            self._said.clear()

    def _say(self, text: str) -> None:
        """Prints a problem once, until it has been absent for some seconds."""
        self._problem_s = time.monotonic()
        problem = text.split(".")[0].rstrip("0123456789 ")  # without the numbers that vary
        if problem not in self._said:
            self._said.add(problem)
            print(text, flush=True)

    def print_status(self) -> None:
        """Prints rate, residual and tags since the last status line."""
        now = time.monotonic()
        rate = self._poses / max(now - self._since, 1e-3)
        self._poses, self._since = 0, now
        estimate = self._estimate
        parts = [f"{rate:5.1f} poses/s"]
        if estimate is None:
            parts.append("no pose")
        else:
            x, y, z = estimate.position
            parts += [
                f"cube at {x:+.3f} {y:+.3f} {z:+.3f} m, {'' if estimate.on_table else 'not '}on "
                "the table",
                f"residual {estimate.residual_px:.2f} px",
                f"{estimate.tags} tags in {', '.join(estimate.cameras)}",
                f"age {1000 * (now - estimate.exposed_s):.0f} ms",
            ]
        if self._sender is not None:
            refused = sum(self._sender.refused.values())
            parts.append(f"sent {self._sender.sent}, refused {refused}")
        print(" | ".join(parts), flush=True)

    def _draw(self, window: Window | None, path: Path | None) -> None:
        """Shows the newest images and writes them to the file, as far as either is wanted."""
        pictures = [
            annotated(watcher.image, watcher.camera, watcher.sighting, self._estimate)
            for watcher in self._watch.watchers
            if watcher.image is not None and (window or path)
        ]
        if not pictures:
            return
        picture = side_by_side(pictures)
        if window is not None:
            window.show(picture)
        if path is not None:
            write_picture(path, picture)


if __name__ == "__main__":
    main()
