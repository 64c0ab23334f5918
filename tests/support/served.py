"""A real server in a thread of the test's process, and waiting for what it should do."""

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
from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import CommandRefusedError
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.transport.sockets import Addresses

DEADLINE_S = 60.0
"""Longest wait for anything that should happen. Generous: the machine may be busy."""

FREE_PORTS = Addresses(
    commands="tcp://127.0.0.1:*", telemetry="tcp://127.0.0.1:*", stop="tcp://127.0.0.1:*"
)


@dataclass(frozen=True)
class Served:
    """A server that runs in a thread of this process."""

    server: ArmServer
    address: str
    """Where it takes commands."""


@contextmanager
def serving(
    model: Path,
    *,
    demo: bool = False,
    addresses: Addresses = FREE_PORTS,
    arm: Arm | None = None,
    track: TrackConfig | None = None,
) -> Iterator[Served]:
    """Serves a model, with a simulated arm if none is given; leaving the block ends the server."""
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
    """Says fifty times a second that a cube lies in front of the arm, while the event is set."""
    speaks, ended = threading.Event(), threading.Event()
    speaks.set()

    def track() -> None:
        with Connection(address, DEADLINE_S) as channel:
            channel.ask(Hello())
            ahead_s = channel.time - time.monotonic()
            while not ended.wait(0.02):
                if speaks.is_set():
                    captured = time.monotonic() + ahead_s
                    with suppress(CommandRefusedError):  # it may have been on its way for long
                        channel.ask(
                            Track(object="cube", captured=captured, position=(0.1, 0.0, 0.02))
                        )

    thread = threading.Thread(target=track, name="tracker")
    thread.start()
    try:
        yield speaks
    finally:
        ended.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Returns once it holds; fails the test where it never does."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "never happened"
        time.sleep(0.005)


def state_when(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> Telemetry:
    """The first state that is wanted; fails the test where none comes."""
    ends = time.monotonic() + DEADLINE_S
    for state in client.telemetry():
        if wanted(state):
            return state
        assert time.monotonic() < ends, f"never reached; the last state was {state}"
    raise AssertionError("telemetry ended")
