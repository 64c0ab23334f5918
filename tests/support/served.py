"""A real server in a thread of the test's process, and waiting for what it should do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skill_proto.messages import Telemetry
from skill_robots.mujoco_arm import MujocoArm
from skill_runtime.assembly import ArmServer, ServeConfig
from skill_runtime.client import SkillClient
from skill_runtime.endpoints import Addresses

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
    model: Path, *, show: bool = False, addresses: Addresses = FREE_PORTS
) -> Iterator[Served]:
    """Serves a model with a simulated arm; leaving the block ends the server."""
    config = ServeConfig(model=model, show=show, addresses=addresses)
    server = ArmServer(MujocoArm(), config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield Served(server, server.addresses.commands)
    finally:
        server.stop()
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
