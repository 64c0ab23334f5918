"""Parts of servers and clients, for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.router_peer import Peer
from tests.support.server_fixtures import client as client
from tests.support.server_fixtures import serve as serve
from tests.support.server_fixtures import served as served

from skill_proto.messages import Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.authority import Authority
from skill_runtime.channel.channel import Channel
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.doctor.machine import Machine, ResourceLimits
from skill_runtime.gateway.telemetry import make_telemetry
from skill_runtime.policy import OnnxPolicy
from skill_runtime.realtime.latency import TickTimes
from skill_runtime.server.state_writer import StateWriter, make_layout


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A socket in place of a server; the test defines its replies."""
    peer = Peer()
    yield peer
    peer.close()


@pytest.fixture
def controller(policy_file: Path) -> ArmController:
    """A controller of a simulated arm, without a server."""
    return ArmController(MujocoArm(seed=4), OnnxPolicy(policy_file))


@pytest.fixture
def telemetry_of() -> Callable[..., Telemetry]:
    """Returns a factory of the telemetry of a controller, and of an authority if given."""

    def make(controller: ArmController, authority: Authority | None = None) -> Telemetry:
        layout, lock = make_layout(controller), Channel.in_process().state
        times = TickTimes(1)
        StateWriter(lock, layout, authority or Authority(), controller).write(
            now=1.0,
            tick=1,
            seq=1,
            timing=times.percentiles(),
            latency_counts=times.histogram.cumulative(),
            overruns=0,
        )
        record = lock.read()
        assert record is not None
        return make_telemetry(layout.unpack(record), layout)

    return make


@pytest.fixture
def make_machine() -> Callable[..., Machine]:
    """A real-time machine with ideal settings; given fields replace its own."""

    def make(**fields: Any) -> Machine:  # noqa: ANN401  a machine's fields have many types
        good = Machine(
            kernel="6.12.1-rt5",
            preempt_rt=True,
            announces_rt=True,
            processors=tuple(range(8)),
            isolated=(),
            frequency_governors=("performance",),
            hypervisor="",
            container=False,
            clock_source="tsc",
            load=0.1,
            limits=ResourceLimits(rtprio=99, memlock_bytes=None),
        )
        return replace(good, **fields)

    return make
