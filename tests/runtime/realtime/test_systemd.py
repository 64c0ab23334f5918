"""Notifications to a supervisor, on a real socket."""

from __future__ import annotations

import configparser
import itertools
import shlex
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import tyro
from tests.support.served import DEADLINE_S

from skill_runtime.cli.serve_options import ServeOptions, check_options
from skill_runtime.realtime.systemd import NOTIFY_INTERVAL_S, SystemdNotifier

UNIT = Path(__file__).parents[3] / "examples" / "skill-serve.service"


class Supervisor:
    """A socket that receives notifications as systemd does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(DEADLINE_S)

    def receive(self) -> str:
        return self.socket.recv(1000).decode()

    def is_silent(self, for_s: float) -> bool:
        self.socket.settimeout(for_s)
        try:
            self.receive()
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_S)
        return False


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def supervisor(address: str) -> Iterator[Supervisor]:
    supervisor = Supervisor(address)
    yield supervisor
    supervisor.socket.close()


def test_it_notifies_ready_then_watchdog_then_stopping(
    supervisor: Supervisor, address: str
) -> None:
    ticks = itertools.count()
    with SystemdNotifier(lambda: next(ticks), address):
        assert [supervisor.receive() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]
    state = supervisor.receive()
    while state == "WATCHDOG=1":
        state = supervisor.receive()
    assert state == "STOPPING=1"


def test_a_loop_that_hangs_sends_no_watchdog_notification(
    supervisor: Supervisor, address: str
) -> None:
    with SystemdNotifier(lambda: 7.0, address):
        assert supervisor.receive() == "READY=1"
        assert supervisor.is_silent(4 * NOTIFY_INTERVAL_S)


def test_the_environment_names_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"skill-serve-{uuid.uuid4()}"
    supervisor = Supervisor(f"\0{name}")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")  # systemd writes an abstract name with '@'
    with SystemdNotifier(lambda: 0.0):
        assert supervisor.receive() == "READY=1"
    supervisor.socket.close()


def test_a_supervisor_that_is_missing_or_does_not_read_does_not_block(
    supervisor: Supervisor, address: str
) -> None:
    with SystemdNotifier(lambda: 0.0, f"{address}.none"):
        pass
    for _ in range(1000):  # more than the socket's queue holds
        with SystemdNotifier(lambda: 0.0, address):
            pass
    assert supervisor.receive() == "READY=1"


def test_without_a_supervisor_there_is_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    calls = list[None]()

    def last_tick() -> float:
        calls.append(None)
        return 0.0

    with SystemdNotifier(last_tick):
        time.sleep(2 * NOTIFY_INTERVAL_S)
    assert not calls


def test_the_example_unit_has_valid_options_and_an_existing_model() -> None:
    unit = configparser.ConfigParser(strict=True)
    unit.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    program, *words = shlex.split(service["ExecStart"])
    arguments = tyro.cli(ServeOptions, args=words)
    check_options(arguments)
    assert Path(program).name == "skill-serve"
    assert arguments.motion.stopped
    assert (Path(__file__).parents[3] / arguments.model).exists()
    assert float(service["WatchdogSec"]) >= 4 * NOTIFY_INTERVAL_S
    assert service["RestartPreventExitStatus"] == "2"
