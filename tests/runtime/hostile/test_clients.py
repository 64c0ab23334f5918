"""Programs that use SkillClient in ways that happen: twice, from threads, after a fork."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.serving.failures.rig import ADDRESS, free_port
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.rig import Server
from tests.runtime.hostile.attacked import COMMAND, ask, until_mode
from tests.support.served import DEADLINE_S, until

from skill_runtime.client import SkillClient

REASONS: dict[str, Any] = {
    "long": "x" * 257,
    "very long": "x" * 10_000,
    "surrogate": "file \udcff",
    "none": None,
    "exception": ValueError("boom"),
    "bytes": b"bytes",
    "control characters": "a\nb\x1b[2J",
}

TWICE = """
from skill_runtime.client import SkillClient

def cell():
    client = SkillClient(ADDRESS)
    return client.acquire("notebook")

cell()
lease = cell()
client = SkillClient(ADDRESS)
"""

SAME_CLIENT = """
from skill_runtime.client import SkillClient

client = SkillClient(ADDRESS)
client.acquire("notebook")
client.acquire("notebook")
client.skill([1.0, 0.0])
"""

THREADS = """
from concurrent.futures import ThreadPoolExecutor
from skill_runtime.client import ClientError, SkillClient

def ask(i):
    try:
        client.hello()
    except ClientError as error:
        return str(error)
    return ""

with SkillClient(ADDRESS) as client, ThreadPoolExecutor(4) as threads:
    client.hello()
    print(len(list(threads.map(ask, range(2000)))))
"""

FORK = """
import os
from skill_runtime.client import ClientError, SkillClient

client = SkillClient(ADDRESS, timeout_s=2.0)
client.hello()
child = os.fork()
if child == 0:
    try:
        client.hello()
    except ClientError:
        os._exit(3)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 3
client.hello()
"""


def run(program: str, server: Server) -> subprocess.CompletedProcess[str]:
    """Runs a program with the address of the server."""
    text = program.replace("ADDRESS", repr(server.addresses.commands))
    return subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize("name", REASONS)
def test_no_reason_prevents_a_stop(server: Server, clients: Bystanders, name: str) -> None:
    clients.moving = False
    with SkillClient(server.addresses.commands, timeout_s=DEADLINE_S) as client:
        client.stop(REASONS[name])
    until_mode(clients, "stopped")


def test_the_command_line_stops_with_a_long_reason(server: Server, clients: Bystanders) -> None:
    clients.moving = False
    address = ["--address", server.addresses.commands]
    done = subprocess.run(
        [sys.executable, "-m", "skill_runtime.cli.control", "stop", "y" * 300, *address],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    until_mode(clients, "stopped")


@pytest.fixture
def at_rest(server: Server) -> Server:
    """The server without a holder of the lease, in mode hold."""
    assert ask(server.addresses.stop, {"type": "stop"})["type"] == "ok"
    until(lambda: ask(server.addresses.commands, {"type": "clear"})["type"] == "ok")
    return server


@pytest.mark.parametrize("program", [TWICE, SAME_CLIENT, FORK], ids=["twice", "same", "fork"])
def test_a_program_ends_well(at_rest: Server, program: str) -> None:
    done = run(program, at_rest)
    assert done.returncode == 0, done.stderr


def test_a_program_that_ends_gives_its_lease_back(at_rest: Server) -> None:
    program = TWICE.replace('acquire("notebook")', 'acquire("notebook", ttl_s=60.0)')
    assert run(program, at_rest).returncode == 0
    acquire = {"type": "acquire", "holder": "next"}
    assert ask(at_rest.addresses.commands, acquire)["type"] == "granted"


def test_threads_that_share_a_client_do_not_abort_the_process(at_rest: Server) -> None:
    done = run(THREADS, at_rest)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "2000"


def test_a_stop_reaches_a_server_whose_stop_socket_has_moved(
    policy_file: Path, tmp_path: Path
) -> None:
    port, moved = free_port(), free_port()
    commands = f"tcp://{ADDRESS}:{port}"

    def serve(name: str, *options: str) -> Server:
        arguments = ["--model", str(policy_file), "--commands", commands, *options]
        server = Server(COMMAND, arguments, tmp_path / name)
        server.addresses = server.addresses._replace(commands=commands)
        return server

    with SkillClient(commands, timeout_s=5.0) as client:
        with serve("first"):
            client.hello()
            client.stop("first")
        with serve("second", "--stop", f"tcp://{ADDRESS}:{moved}"):
            client.stop("second")
            assert ask(commands, {"type": "hello"})["mode"] == "stopped"
