"""Real servers on free ports, for tests of what talks to them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from skill_proto.messages import Telemetry
from skill_robots.mujoco_arm import MujocoArm
from skill_runtime.assembly import ArmServer, ServeConfig
from skill_runtime.authority import Authority
from skill_runtime.endpoints import Addresses
from skill_runtime.pacing import TickTimes
from skill_runtime.pilot import Pilot
from skill_runtime.policy import OnnxPolicy
from skill_runtime.telemetry import make_telemetry

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
    config = ServeConfig(model=model, show=show, addresses=addresses)
    server = ArmServer(MujocoArm(), config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield Served(server, server.addresses.commands)
    finally:
        server.stop()
        thread.join()


@pytest.fixture(scope="session")
def make_server() -> Callable[..., AbstractContextManager[Served]]:
    """A context manager that serves a model; options ``show`` and ``addresses``."""
    return serving


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """The same, until the test ends."""
    with ExitStack() as running:

        def start(model: Path, *, show: bool = False, addresses: Addresses = FREE_PORTS) -> Served:
            return running.enter_context(serving(model, show=show, addresses=addresses))

        yield start


@pytest.fixture
def served(serve: Callable[..., Served], policy_file: Path) -> Served:
    """A server with the hand-written pusher and a simulated arm that holds."""
    return serve(policy_file)


@pytest.fixture
def pilot(policy_file: Path) -> Pilot:
    """Of a simulated arm, without a server."""
    return Pilot(MujocoArm(seed=4), OnnxPolicy(policy_file))


@pytest.fixture
def telemetry_of() -> Callable[..., Telemetry]:
    """What would be published of a pilot, and of an authority where one is given."""

    def make(pilot: Pilot, authority: Authority | None = None) -> Telemetry:
        return make_telemetry(
            authority=authority or Authority(),
            pilot=pilot,
            timing=TickTimes(1).timing(0),
            now=1.0,
            tick=1,
            seq=1,
        )

    return make
