"""The control loop, tick by tick and as a whole."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from tests.support.served import DEADLINE_S, FREE_PORTS, LocalServer, until

from skill_proto.messages import FaultClass, Mode, Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.report import Fault, UpdateReport
from skill_runtime.server.arm_server import ServeConfig
from skill_runtime.server.command_reader import CommandReader
from skill_runtime.server.control_loop import apply_report


@pytest.fixture
def server(policy_file: Path) -> Iterator[LocalServer]:
    """A server whose loop runs only by explicit ticks."""
    server = LocalServer(
        MujocoArm(), ServeConfig(model=policy_file, addresses=FREE_PORTS, demo=False)
    )
    yield server
    server.close()


@contextmanager
def socket(kind: int, address: str) -> Generator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, int(DEADLINE_S * 1e3))
        socket.connect(address)
        yield socket


@contextmanager
def running(server: LocalServer) -> Generator[threading.Thread]:
    """Runs the server in a thread until the end of the block."""
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield thread
    finally:
        server.stop()
        thread.join()


def ask(server: LocalServer, client: zmq.Socket[bytes], **message: object) -> dict[str, Any]:
    client.send(json.dumps(message).encode())
    until(lambda: (server.tick(), client.poll(1))[1] > 0)
    return json.loads(client.recv())


def test_a_stop_is_executed_before_commands_that_arrived_earlier(server: LocalServer) -> None:
    with (
        socket(zmq.DEALER, server.addresses.commands) as client,
        socket(zmq.DEALER, server.addresses.stop) as stop,
    ):
        granted = ask(server, client, type="acquire", holder="t")
        server.tick()
        before = server.authority.events.counters["stops"]
        for seq in range(1, 4):
            command = {"type": "skill", "lease": granted["lease"], "seq": seq}
            command |= {"reference_time": granted["time"], "valid_for_s": 60, "skill": [1, 0]}
            client.send(json.dumps(command).encode())
        until(lambda: (server.gateway.step(), len(server.channel.commands))[1] == 3)
        stop.send(b'{"type":"stop"}')
        until(lambda: (server.listener.step(), server.channel.stops.requested)[1] == 1)
        server.loop.tick(server.clock.now())
        assert server.authority.events.counters["stops"] == before + 1
        assert server.authority.mode == "stopped"
        assert server.authority.seq == 0
        counters = server.authority.events.counters
        until(lambda: (server.tick(), counters["rejected.no_lease"])[1] == 3)
        assert server.authority.mode == "stopped"
        until(lambda: (server.step_others(), stop.poll(1))[1] > 0)
        assert json.loads(stop.recv())["type"] == "ok"


def test_a_stop_is_confirmed_only_after_it_was_executed(server: LocalServer) -> None:
    with socket(zmq.DEALER, server.addresses.stop) as stop:
        stop.send(b'{"type":"stop"}')
        until(lambda: (server.listener.step(), server.channel.stops.requested)[1] == 1)
        server.listener.step()
        assert not stop.poll(50)
        server.tick()
        assert stop.poll(int(1e3 * DEADLINE_S))


def test_every_other_tick_publishes_one_state_of_everything(server: LocalServer) -> None:
    with socket(zmq.SUB, server.addresses.telemetry) as subscriber:
        subscriber.subscribe(b"")
        until(lambda: (server.tick(), subscriber.poll(1))[1] > 0)
        while subscriber.poll(100):
            subscriber.recv()
        server.tick(20)
        states = [Telemetry.model_validate_json(subscriber.recv(), strict=True) for _ in range(10)]
        assert not subscriber.poll(100)
    assert np.all(np.diff([state.seq for state in states]) == 1)
    assert np.all(np.diff([state.tick for state in states]) == 2)
    assert states[-1] == server.latest


def test_a_reply_without_effect_on_mode_or_lease_writes_no_state(server: LocalServer) -> None:
    with socket(zmq.DEALER, server.addresses.commands) as client:
        granted = ask(server, client, type="acquire", holder="t")
        server.tick(2)
        version = server.channel.state.version
        client.send(json.dumps({"type": "renew", "lease": granted["lease"]}).encode())
        until(lambda: (server.gateway.step(), len(server.channel.commands))[1] == 1)
        server.loop._receive(server.clock.now() + 1.0)  # type: ignore[reportPrivateUsage]
        assert server.channel.state.version == version
        assert len(server.channel.replies) == 1


@pytest.mark.parametrize("waiting", [1, 30])
def test_commands_take_a_bounded_part_of_a_tick(policy_file: Path, waiting: int) -> None:
    """The queue is emptied over several ticks; each tick moves the arm."""
    arm = MujocoArm(TabletopConfig(physics_step_s=0.001))
    server = LocalServer(arm, ServeConfig(model=policy_file, addresses=FREE_PORTS, demo=False))
    try:
        with (
            socket(zmq.DEALER, server.addresses.commands) as one,
            socket(zmq.DEALER, server.addresses.commands) as other,
        ):
            server.tick()
            for _, client in zip(range(waiting), itertools.cycle((one, other)), strict=False):
                client.send(b'{"type":"acquire","holder":"one"}')
            until(lambda: (server.gateway.step(), len(server.channel.commands))[1] == waiting)
            setpoints = server.controller.link.governor.interventions
            server.loop.tick(server.clock.now())
            assert len(server.channel.commands) < waiting
            assert len(server.channel.commands) >= waiting - 16
            until(lambda: (server.tick(), len(server.channel.commands))[1] == 0)
            assert server.authority.events.counters["rejected.lease_held"] == waiting - 1
            assert not any(setpoints.values())
    finally:
        server.close()


def test_an_internal_error_is_a_fault_and_the_loop_continues(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = server.controller.update

    def broken(
        command: ActiveCommand | None, mode: Mode, now: float, fault: FaultClass | None
    ) -> UpdateReport:
        if mode == "hold":
            raise ZeroDivisionError("a bug")
        return healthy(command, mode, now, fault)

    monkeypatch.setattr(server.controller, "update", broken)
    with ExitStack() as stack:
        stack.enter_context(running(server))
        until(lambda: server.authority.mode == "fault")
        assert server.authority.events.last_event == "fault: internal error: a bug"
        until(lambda: server.latest is not None and server.latest.mode == "fault")
        client = stack.enter_context(socket(zmq.DEALER, server.addresses.commands))
        client.send(b'{"type":"clear"}')
        assert json.loads(client.recv())["type"] == "ok"
        until(lambda: server.authority.events.counters["faults"] >= 2)  # the bug is still there
        monkeypatch.setattr(server.controller, "update", healthy)
        client.send(b'{"type":"clear"}')
        client.recv()
        until(lambda: server.authority.mode == "hold")
    assert "ZeroDivisionError" in caplog.text
    assert server.authority.events.counters["faults"] == 2


@pytest.mark.parametrize("below", [None, "a contact"])
def test_an_error_in_every_tick_is_reported_once(
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    below: str | None,
) -> None:
    if below is not None:
        server.authority.fault(below, "contact")
    ticks = 0

    def broken(*_: object) -> UpdateReport:
        nonlocal ticks
        ticks += 1
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(server.controller, "update", broken)
    with running(server):
        until(lambda: ticks >= 20)
        assert server.authority.mode == "fault"
        assert server.authority.events.counters["faults.internal"] == 1
    assert caplog.text.count("Traceback") == 1


def test_an_internal_error_in_a_command_is_answered_and_the_loop_continues(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(seed: int | None = None) -> None:
        raise ZeroDivisionError(f"a bug, seed {seed}")

    monkeypatch.setattr(server.controller, "reset", broken)
    with ExitStack() as stack:
        thread = stack.enter_context(running(server))
        client = stack.enter_context(socket(zmq.DEALER, server.addresses.commands))

        def say(**message: object) -> dict[str, Any]:
            client.send(json.dumps(message).encode())
            return json.loads(client.recv())

        for _ in range(5):  # within a tick and between two
            granted = say(type="acquire", holder="t")
            header = {"lease": granted["lease"], "seq": 1, "reference_time": granted["time"]}
            reply = say(type="reset", id=7, seed=3, **header)
            assert (reply["id"], reply["code"]) == (7, "internal")
            assert "a bug, seed 3" in reply["message"]
            assert server.authority.mode == "fault"
            assert say(type="clear")["type"] == "ok"
        assert thread.is_alive()
    assert "ZeroDivisionError" in caplog.text


def test_an_error_between_two_ticks_is_a_fault_and_the_loop_continues(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug between two ticks")

    monkeypatch.setattr(CommandReader, "read", broken)
    with running(server):
        until(lambda: server.authority.events.counters["faults"] >= 1)
        assert server.authority.mode == "fault"
    assert server.authority.mode == "stopped"


def test_one_clear_ends_a_stop_and_the_fault_below_it(server: LocalServer) -> None:
    server.tick()
    table = server.controller.arm._table  # type: ignore[attr-defined]  no public way to break it
    table.physics.joint_position[0] = np.nan
    until(lambda: (server.tick(), server.authority.mode)[1] == "fault")
    server.authority.stop("obstacle")
    with socket(zmq.DEALER, server.addresses.commands) as client:
        assert ask(server, client, type="clear")["type"] == "ok"
    server.tick(5)
    assert server.authority.mode == "hold"


def test_a_loop_that_ends_brings_a_moving_arm_to_rest(server: LocalServer) -> None:
    server.authority.demo("skill", np.array([1.0, 0.0]))
    with running(server):
        until(lambda: np.abs(server.controller.state.joint_velocity).max() > 0.2)
    assert server.authority.mode == "stopped"
    assert np.abs(server.controller.arm.read().joint_velocity).max() < 0.05
    assert server.latest is not None
    assert server.latest.mode == "stopped"


def test_a_report_is_passed_on_to_the_authority_in_order() -> None:
    authority = Authority()
    authority.fault("no pose", "tracker")
    apply_report(UpdateReport(recovered=True, intervention="table"), authority)
    assert (authority.mode, authority.events.last_event) == ("hold", "governor: table")
    silent = Fault(kind="communication", reason="no answer")
    contact = Fault(kind="contact", reason="reflex")
    for _ in range(2):  # a fault that lasts is counted once
        apply_report(UpdateReport(intervention="stale", faults=(silent, contact)), authority)
        assert (authority.fault_class, authority.events.last_event) == ("contact", "fault: reflex")
    assert authority.events.counters["faults.communication"] == 1
    assert authority.events.counters["faults"] == 3
