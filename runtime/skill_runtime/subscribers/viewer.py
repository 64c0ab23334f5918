"""Viewer: MuJoCo's viewer of the served scene, in a process of its own.

It subscribes to telemetry and copies the joint and object poses to a model of the scene. It has no
influence on the control loop.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any

import zmq

from skill_proto.messages import TELEMETRY, Telemetry
from skill_proto.wire import MAX_FRAME_BYTES, WireError, unpack
from skill_robots.worlds.camera.posed_tabletop import PosedTabletop, add_goal
from skill_runtime.security.client_keys import ClientKeys
from skill_runtime.subscribers.screen import no_display

log = logging.getLogger(__name__)

ORPHANED_S = 10.0
"""The viewer ends if no telemetry arrives for this long [s]: the server has ended."""

KEYS = "SKILL_SERVE_VIEWER_KEYS"
"""Environment variable of the process: its public and secret key, and that of the server."""

NO_VIEWER = (
    "serving continues without a viewer. Over SSH use 'ssh -X', 'skill-control watch', or the page "
    "of --web: pip install 'skill-serve[web]'"
)


class Viewer:
    """The viewer's process, as a handle in the server's process.

    Args:
        telemetry_address: Server address for telemetry.
        keys: Keys with which it connects; None for a server without keys.
    """

    def __init__(self, telemetry_address: str, keys: ClientKeys | None = None) -> None:
        self._address = telemetry_address
        self._keys = keys
        self._process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Starts the process; without a screen, or if it does not start, it only logs a warning."""
        problem = no_display()
        if problem:
            log.warning("%s; %s", problem, NO_VIEWER)
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, self._address],
                env=os.environ | ({} if self._keys is None else {KEYS: _as_words(self._keys)}),
            )
        except OSError as error:
            log.warning(
                "--view: the viewer cannot be started (%s); serving continues without it",
                error.strerror,
            )

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:  # the process hangs in its graphics driver
                self._process.kill()
                self._process.wait()


def _as_words(keys: ClientKeys) -> str:
    return f"{keys.public} {keys.secret} {keys.server}"


class Mirror(PosedTabletop):
    """A model of the scene that follows telemetry."""

    def follow(self, state: Telemetry) -> None:
        """Copies the poses of ``state``; a number that is not finite leaves its joint unchanged."""
        objects = {name: (pose.position, pose.quaternion) for name, pose in state.objects.items()}
        self.pose(state.joint_position, state.gripper_width, objects)


def run(telemetry_address: str) -> None:
    """Shows the states published at ``telemetry_address`` until the window is closed."""
    import mujoco.viewer

    # Ctrl-C in the terminal also reaches this process; the server ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mirror = Mirror()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.CONFLATE, 1)
    socket.setsockopt(zmq.LINGER, 0)
    socket.subscribe(b"")
    words = os.environ.get(KEYS, "").split()
    if words:
        ClientKeys(*words).apply(socket)
    socket.connect(telemetry_address)
    window = mujoco.viewer.launch_passive(
        mirror.model, mirror.data, show_left_ui=False, show_right_ui=False
    )
    with window:
        window.cam.lookat[:] = (-0.15, 0.0, 0.12)
        window.cam.distance, window.cam.azimuth, window.cam.elevation = 1.6, 125.0, -32.0
        received = time.monotonic()
        instance: str | None = None
        while window.is_running() and time.monotonic() < received + ORPHANED_S:
            state = read_state(socket) if socket.poll(100) else None
            instance = instance or (state.instance if state else None)
            if state is not None and state.instance == instance:  # not a server that came after
                received = time.monotonic()
                with window.lock():
                    mirror.follow(state)
                    _mark_goal(window.user_scn, state)
                window.sync()
                time.sleep(1 / 60)
    socket.close()
    context.term()


def read_state(socket: zmq.Socket[bytes]) -> Telemetry | None:
    """Returns the state that has arrived; None if it is not telemetry of this version."""
    try:
        state, _ = unpack([socket.recv()], TELEMETRY, max_header_bytes=MAX_FRAME_BYTES)
    except WireError:
        return None
    return state


def _mark_goal(scene: Any, state: Telemetry) -> None:  # noqa: ANN401  mujoco has no types
    """Draws the goal as a disc on the table, if it has at least x and y."""
    goal = state.goal
    scene.ngeom = 0
    if goal is None or len(goal) < 2:
        return
    add_goal(scene, goal)


if __name__ == "__main__":
    problem = no_display()
    if problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(2)
    run(sys.argv[1])
