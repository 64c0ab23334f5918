"""A real server in a thread of the test's process, and functions that wait for its states."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skill_proto.messages import Hello, Telemetry, Track
from skill_robots.arm import Arm
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.client import CommandRefusedError, Connection, SkillClient
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.transport.sockets import Addresses

DEADLINE_S = 60.0
"""Longest wait for an expected event [s]; long, since the machine may be busy."""

FREE_PORTS = Addresses(
    commands="tcp://127.0.0.1:*", telemetry="tcp://127.0.0.1:*", stop="tcp://127.0.0.1:*"
)


@dataclass(frozen=True)
class Served:
    """A server that runs in a thread of this process."""

    server: ArmServer
    address: str
    """Address for commands."""


@contextmanager
def serving(
    model: Path,
    *,
    demo: bool = False,
    addresses: Addresses = FREE_PORTS,
    arm: Arm | None = None,
    track: TrackConfig | None = None,
) -> Iterator[Served]:
    """Serves a model until the end of the block.

    Args:
        model: The policy file.
        demo: Whether the demo runs.
        addresses: Addresses of the sockets.
        arm: The arm; by default a simulated one.
        track: Settings of the object tracker.
    """
    track = track or TrackConfig()
    config = ServeConfig(model=model, demo=demo, addresses=addresses, track=track)
    server = ArmServer(arm or MujocoArm(), config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield Served(server, server.addresses.commands)
    finally:
        server.stop()
        thread.join()


@contextmanager
def tracking(address: str) -> Iterator[threading.Event]:
    """Sends the pose of a cube fifty times per second while the event is set."""
    sends, ended = threading.Event(), threading.Event()
    sends.set()

    def track() -> None:
        with Connection(address, DEADLINE_S) as connection:
            connection.ask(Hello())
            ahead_s = connection.time - time.monotonic()
            while not ended.wait(0.02):
                if sends.is_set():
                    captured = time.monotonic() + ahead_s
                    with suppress(CommandRefusedError):  # a late pose is refused
                        connection.ask(
                            Track(object="cube", captured=captured, position=(0.1, 0.0, 0.02))
                        )

    thread = threading.Thread(target=track, name="tracker")
    thread.start()
    try:
        yield sends
    finally:
        ended.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Returns when the condition holds; fails the test if it never does."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "never happened"
        time.sleep(0.005)


def state_when(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> Telemetry:
    """Returns the first state that meets the condition; fails the test after a timeout."""
    ends = time.monotonic() + DEADLINE_S
    for state in client.telemetry():
        if wanted(state):
            return state
        assert time.monotonic() < ends, f"never reached; the last state was {state}"
    raise AssertionError("telemetry ended")
