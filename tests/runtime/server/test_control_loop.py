"""The control loop, tick by tick and as a whole."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import zmq
from tests.support.served import DEADLINE_S, FREE_PORTS, until

from skill_proto.messages import FaultClass, Mode, Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.report import Fault, UpdateReport
from skill_runtime.realtime.clock import ManualClock, MonotonicClock
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import apply_report
from skill_runtime.server.message_server import MessageServer
from skill_runtime.server.tick_budget import MAX_DEFERRED_TICKS, RECEIVE_BUDGET


@pytest.fixture
def server(policy_file: Path) -> Iterator[ArmServer]:
    """A server whose loop runs only by explicit ticks."""
    server = ArmServer(
        MujocoArm(), ServeConfig(model=policy_file, addresses=FREE_PORTS, demo=False)
    )
    yield server
    server.close()


@contextmanager
def socket(kind: int, address: str) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, int(DEADLINE_S * 1e3))
        socket.connect(address)
        yield socket


def tick(server: ArmServer, count: int = 1) -> None:
    for _ in range(count):
        server.loop.tick(MonotonicClock().now())


def ask(server: ArmServer, client: zmq.Socket[bytes], **message: object) -> dict[str, Any]:
    client.send(json.dumps(message).encode())
    while not client.poll(1):
        tick(server)
    return json.loads(client.recv())


def test_a_stop_is_read_before_commands_that_arrived_earlier(server: ArmServer) -> None:
    with (
        socket(zmq.DEALER, server.addresses.commands) as client,
        socket(zmq.DEALER, server.addresses.stop) as stop,
    ):
        granted = ask(server, client, type="acquire", holder="t")
        tick(server)
        before = server.authority.events.counters["stops"]
        for seq in range(1, 4):
            command = {"type": "skill", "lease": granted["lease"], "seq": seq}
            command |= {"reference_time": granted["time"], "valid_for_s": 30, "skill": [1, 0]}
            client.send(json.dumps(command).encode())
        stop.send(b'{"type":"stop"}')
        time.sleep(0.3)  # all messages have arrived
        tick(server)
        assert server.authority.events.counters["stops"] == before + 1
        assert server.authority.mode == "stopped"
        assert server.authority.seq == 0
        until(lambda: (tick(server), server.authority.events.counters["rejected.no_lease"])[1] == 3)
        assert server.authority.mode == "stopped"


def test_every_other_tick_publishes_one_state_of_everything(server: ArmServer) -> None:
    with socket(zmq.SUB, server.addresses.telemetry) as subscriber:
        subscriber.subscribe(b"")
        until(lambda: (tick(server), subscriber.poll(1))[1] > 0)
        time.sleep(0.1)
        while subscriber.poll(0):
            subscriber.recv()
        tick(server, 20)
        states = [Telemetry.model_validate_json(subscriber.recv(), strict=True) for _ in range(10)]
        assert not subscriber.poll(100)
    assert np.all(np.diff([state.seq for state in states]) == 1)
    assert np.all(np.diff([state.tick for state in states]) == 2)
    assert states[-1] == server.loop.latest


@pytest.fixture
def fast(policy_file: Path) -> Iterator[FastServer]:
    """A server at 1 kHz on a manual clock, with a running policy."""
    config = ServeConfig(model=policy_file, addresses=FREE_PORTS, demo=True)
    clock = ManualClock()
    server = ArmServer(MujocoArm(TabletopConfig(physics_step_s=0.001)), config, clock)
    yield FastServer(server, clock)
    server.close()


@dataclass
class FastServer:
    """A server on a manual clock: ticks take only the time that the test sets."""

    server: ArmServer
    clock: ManualClock

    def tick(self, late_s: float = 0.0) -> None:
        self.clock.time_s += 0.001
        self.server.loop.tick(self.clock.now(), late_s)

    def receives(self, takes_s: float = 0.0) -> bool:
        """Ticks once; returns whether commands were read, which takes this long [s]."""

        def receive(_: float) -> None:
            self.clock.time_s += takes_s

        with patch.object(MessageServer, "receive", side_effect=receive) as reader:
            self.tick()
        return reader.called


def test_late_ticks_at_1_khz_defer_commands_and_telemetry_but_not_stops(
    fast: FastServer,
) -> None:
    server, counters = fast.server, fast.server.authority.events.counters
    with (
        socket(zmq.DEALER, server.addresses.commands) as client,
        socket(zmq.DEALER, server.addresses.stop) as stop,
    ):
        nobody = b'{"type":"renew","lease":"nobody"}'
        client.send(nobody)
        until(lambda: (fast.tick(), counters["rejected.no_lease"])[1] == 1)  # no message is waiting
        client.send(nobody)
        time.sleep(0.3)  # it has arrived
        published = latest_seq(server)
        for deferred in range(1, MAX_DEFERRED_TICKS + 1):
            fast.tick(late_s=0.0005)
            assert counters["rejected.no_lease"] == 1, deferred
        fast.tick(late_s=0.0005)  # they are not deferred any longer
        assert counters["rejected.no_lease"] == 2
        until(lambda: (fast.tick(late_s=0.0005), latest_seq(server) > published)[1])
        stop.send(b'{"type":"stop"}')
        time.sleep(0.3)
        fast.tick(late_s=0.0005)
        assert counters["stops"] == 1


def test_ticks_at_1_khz_with_telemetry_or_a_policy_step_defer_commands(
    fast: FastServer,
) -> None:
    for _ in range(5):
        fast.tick()
    received: list[bool] = []
    published: list[bool] = []
    for _ in range(40):
        before = latest_seq(fast.server)
        received.append(fast.receives())
        published.append(latest_seq(fast.server) > before)
    assert sum(published) == 4  # 100 Hz
    assert sum(received) == 40 - 4 - 3  # in a policy period
    assert not any(r and p for r, p in zip(received, published, strict=True))


def test_at_1_khz_an_overrun_of_the_receive_budget_is_paid_back(fast: FastServer) -> None:
    budget_s = RECEIVE_BUDGET * 0.001
    for _ in range(12):
        fast.tick()
    received = [fast.receives(1.1 * budget_s), fast.receives(), fast.receives(1.9 * budget_s)]
    assert received == [True, False, True]
    received = [fast.receives() for _ in range(2)]
    assert received == [False, True]
    assert fast.receives(60.0)  # as after a suspend
    assert [fast.receives() for _ in range(MAX_DEFERRED_TICKS + 2)].count(True) >= 1
    fast.server.authority.stop("no policy")
    assert fast.receives()
    assert fast.receives(60.0)
    assert fast.receives()


def latest_seq(server: ArmServer) -> int:
    assert server.loop.latest is not None
    return server.loop.latest.seq


def test_an_internal_error_is_a_fault_and_the_loop_continues(
    server: ArmServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
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
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        until(lambda: server.authority.mode == "fault")
        assert server.authority.events.last_event == "fault: internal error: a bug"
        until(lambda: server.loop.latest is not None and server.loop.latest.mode == "fault")
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
    server: ArmServer,
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
    with ExitStack() as stack:
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        until(lambda: ticks >= 20)
        assert server.authority.mode == "fault"
        assert server.authority.events.counters["faults.internal"] == 1
    assert caplog.text.count("Traceback") == 1


def test_an_internal_error_in_a_command_is_answered_and_the_loop_continues(
    server: ArmServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(seed: int | None = None) -> None:
        raise ZeroDivisionError(f"a bug, seed {seed}")

    monkeypatch.setattr(server.controller, "reset", broken)
    with ExitStack() as stack:
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
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
    server: ArmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(until: float) -> None:
        raise ZeroDivisionError(f"a bug before {until}")

    monkeypatch.setattr(
        "skill_runtime.server.message_server.MessageServer.receive_until",
        lambda _, until: broken(until),
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.authority.events.counters["faults"] >= 2)
    assert server.authority.mode == "fault"
    server.stop()
    thread.join()
    assert server.authority.mode == "stopped"


def test_one_clear_ends_a_stop_and_the_fault_below_it(server: ArmServer) -> None:
    tick(server)
    table = server.controller.arm._table  # type: ignore[attr-defined]  no public way to break it
    table._qpos[0, :7] = np.nan
    until(lambda: (tick(server), server.authority.mode)[1] == "fault")
    server.authority.stop("obstacle")
    with socket(zmq.DEALER, server.addresses.commands) as client:
        assert ask(server, client, type="clear")["type"] == "ok"
    tick(server, 5)
    assert server.authority.mode == "hold"


def test_a_loop_that_ends_brings_a_moving_arm_to_rest(server: ArmServer) -> None:
    server.authority.demo("skill", np.array([1.0, 0.0]))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: np.abs(server.controller.state.joint_velocity).max() > 0.2)
    server.stop()
    thread.join()
    assert server.authority.mode == "stopped"
    assert np.abs(server.controller.arm.read().joint_velocity).max() < 0.05
    assert server.loop.latest is not None
    assert server.loop.latest.mode == "stopped"


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
