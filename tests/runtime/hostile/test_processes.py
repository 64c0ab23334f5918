"""Loss of a network process: the arm holds or stops, and the process is replaced."""

from __future__ import annotations

import re
import signal
import struct
from contextlib import suppress

import psutil
import pytest
from benchmarks.serving.hostile.attacks.floods import act
from benchmarks.serving.hostile.bystanders import HOLDER, Bystanders
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.rig import CONTROLLER, NETWORK_ROLES, SUPERVISOR, Server
from tests.runtime.hostile.attacked import ask, settled, until, until_it_moves, until_mode

from skill_runtime.processes.serving import SOCKET_BACK_OFF

SIGNALS = [signal.SIGABRT, signal.SIGKILL, signal.SIGSTOP]


def replaced(server: Server, clients: Bystanders, role: str, number: signal.Signals) -> None:
    """Sends the signal to the process; waits until another one has its role."""
    ask(server.addresses.commands, list(act()))  # starts the policy service
    until_it_moves(clients)  # meanwhile the last command has expired
    clients.moving = False
    before = server.processes()
    assert set(before) >= {role, CONTROLLER, SUPERVISOR}
    before[role].send_signal(number)
    try:
        until(
            clients,
            lambda: server.processes().get(role, before[role]) != before[role],
            f"the {role} was not replaced",
        )
    finally:
        with suppress(psutil.NoSuchProcess):
            before[role].send_signal(signal.SIGCONT)
    after = server.processes()
    assert {**after, role: 0} == {**before, role: 0}, "another process was replaced too"


@pytest.mark.parametrize("number", SIGNALS)
def test_without_a_gateway_the_lease_stays_and_service_comes_back(
    server: Server, clients: Bystanders, number: signal.Signals
) -> None:
    replaced(server, clients, "gateway", number)
    settled(clients)
    assert clients.state.mode in ("skill", "hold")
    assert clients.state.holder == HOLDER
    assert ask(server.addresses.commands, {"type": "hello"})["type"] == "welcome"
    until_mode(clients, "skill")  # the holder has sent commands all the time


@pytest.mark.parametrize("number", SIGNALS)
def test_without_a_stop_listener_the_arm_is_stopped(
    server: Server, clients: Bystanders, number: signal.Signals
) -> None:
    replaced(server, clients, "stop listener", number)
    until_mode(clients, "stopped")
    assert ask(server.addresses.stop, {"type": "stop"})["type"] == "ok"
    until_it_moves(clients)
    assert ask(server.addresses.stop, {"type": "stop"})["type"] == "ok"
    until(clients, lambda: clients.state.mode == "stopped", "the new listener stops no arm")


@pytest.mark.parametrize("number", SIGNALS)
def test_without_a_policy_service_the_arm_goes_on_and_act_comes_back(
    server: Server, clients: Bystanders, number: signal.Signals
) -> None:
    clients.moving = False
    header = b'{"type":"act","session":"kept","episode":%d,%s}' % (number, ARRAYS)
    session = [header, *OBSERVED]
    assert ask(server.addresses.commands, session)["steps"] == 1
    assert ask(server.addresses.commands, session)["steps"] == 2
    replaced(server, clients, "policy service", number)
    until_mode(clients, "skill")  # the last command may have expired while this test asked
    assert clients.state.holder == HOLDER
    lost = ask(server.addresses.commands, session)
    assert lost.get("code") == "session_lost" or lost.get("steps") == 1  # the loss is not silent
    assert ask(server.addresses.commands, list(act()))["type"] == "acted"


ARRAYS = (
    b'"arrays":[{"name":"observation","dtype":"float32","shape":[1,28]},'
    b'{"name":"skill","dtype":"float32","shape":[1,2]}]'
)
OBSERVED = (struct.pack("<28f", *[0.1] * 28), struct.pack("<2f", 1.0, 0.0))


def test_losses_in_a_row_are_mended_and_logged(server: Server, clients: Bystanders) -> None:
    before = server.log.read_text(errors="replace")
    for role in (*NETWORK_ROLES[:2], *NETWORK_ROLES[:2]):
        replaced(server, clients, role, signal.SIGKILL)
    until_it_moves(clients)
    lines = server.log.read_text(errors="replace")[len(before) :].splitlines()
    for role in NETWORK_ROLES[:2]:
        # Lines that are equal, which those at the cap of the back-off are, are written once.
        assert 1 <= sum(role in line for line in lines) <= 10, lines
    clients.run(now() + 0.5)
    assert clients.state.mode == "skill"


WAIT = re.compile(r"the (?:gateway|stop listener) failed .* again in ([\d.]+) s")


def test_after_many_losses_in_a_row_the_next_restart_is_near(
    server: Server, clients: Bystanders
) -> None:
    """A gateway needs up to 0.65 s to start, and is to be back within 1 s."""
    before = server.log.read_text(errors="replace")
    for _ in range(5):
        for role in NETWORK_ROLES[:2]:
            replaced(server, clients, role, signal.SIGKILL)
    until_it_moves(clients)
    logged = server.log.read_text(errors="replace")[len(before) :]
    assert max(map(float, WAIT.findall(logged)), default=0.0) <= SOCKET_BACK_OFF.cap_s <= 0.2
