"""A real skill-serve process under attack, and innocent clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from benchmarks.serving.hostile.attacker import Attacker
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.rig import Server
from tests.runtime.hostile.attacked import SERVO_PERIOD_S, ServerBox, ask


@pytest.fixture(scope="module")
def box(policy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerBox]:
    """Starts servers for the tests of a module."""
    with closing(ServerBox(policy_file, tmp_path_factory.mktemp("server"))) as box:
        yield box


@pytest.fixture
def server(box: ServerBox) -> Iterator[Server]:
    """The server of the module; a new one if the test before left it unusable."""
    yield box.server()
    box.check()


@pytest.fixture
def clients(server: Server) -> Iterator[Bystanders]:
    """Innocent clients, one of which runs a skill under its lease."""
    with closing(Bystanders(server.addresses, SERVO_PERIOD_S)) as clients:
        assert clients.run_until_it_moves(), "the arm never moved"
        clients.forget()
        yield clients


@pytest.fixture
def attacker(server: Server) -> Iterator[Attacker]:
    """The process that attacks."""
    with Attacker(server.addresses) as attacker:
        ask(server.addresses.commands, {"type": "hello"})
        yield attacker
