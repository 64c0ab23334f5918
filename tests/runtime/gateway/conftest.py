"""A gateway for each test, of a server with the hand-written pusher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.runtime.gateway.rig import Client, Rig

from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.channel.channel import Channel
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import Signals


@pytest.fixture(scope="session")
def gateway_config(policy_file: Path) -> GatewayConfig:
    """The description of a real server that is named ``this``."""
    config = ServeConfig(model=policy_file, demo=False, instance="this")
    signals = Signals(wait=lambda _: False)
    with closing(ArmServer(MujocoArm(), config, Channel.in_process(), signals)) as server:
        return server.gateway_config


@pytest.fixture
def rig(gateway_config: GatewayConfig) -> Iterator[Rig]:
    with closing(Rig(gateway_config)) as rig:
        yield rig


@pytest.fixture
def client(rig: Rig) -> Client:
    return rig.client()
