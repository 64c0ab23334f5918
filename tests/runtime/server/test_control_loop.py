"""The loop, tick by tick and as a whole."""

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

from skill_proto.messages import Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.authority import Authority
from skill_runtime.realtime.clock import ManualClock, MonotonicClock
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.server.control_loop import MAX_DEFERRED_TICKS, RECEIVE_BUDGET
from skill_runtime.server.message_server import MessageServer


@pytest.fixture
def server(policy_file: Path) -> Iterator[ArmServer]:
    """A server whose loop does not run by itself."""
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


def test_a_stop_is_heard_before_the_commands_that_came_first(server: ArmServer) -> None:
    with (
        socket(zmq.DEALER, server.addresses.commands) as client,
        socket(zmq.DEALER, server.addresses.stop) as stop,
    ):
        granted = ask(server, client, type="acquire", holder="t")
        tick(server)
        before = server.authority.counters["stops"]
        for seq in range(1, 4):
            command = {"type": "skill", "lease": granted["lease"], "seq": seq}
            command |= {"reference_time": granted["time"], "valid_for_s": 30, "skill": [1, 0]}
            client.send(json.dumps(command).encode())
        stop.send(b'{"type":"stop"}')
        time.sleep(0.3)  # all of it has arrived
        tick(server)
        assert server.authority.counters["stops"] == before + 1
        assert server.authority.mode == "stopped"
        assert server.authority.seq == 0
        until(lambda: (tick(server), server.authority.counters["rejected.no_lease"])[1] == 3)
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
def hasty(policy_file: Path) -> Iterator[Hasty]:
    """At 1 kHz, on a clock of its own, moved by its policy."""
    config = ServeConfig(model=policy_file, addresses=FREE_PORTS, demo=True)
    clock = ManualClock()
    server = ArmServer(MujocoArm(TabletopConfig(physics_step_s=0.001)), config, clock)
    yield Hasty(server, clock)
    server.close()


@dataclass
class Hasty:
    """A server whose ticks take no time but what the test says."""

    server: ArmServer
    clock: ManualClock

    def tick(self, late_s: float = 0.0) -> None:
        self.clock.time_s += 0.001
        self.server.loop.tick(self.clock.now(), late_s)

    def hears(self, takes_s: float = 0.0) -> bool:
        """Whether commands are heard in the next tick; if so it takes so long [s]."""

        def receive(_: float) -> None:
            self.clock.time_s += takes_s

        with patch.object(MessageServer, "receive", side_effect=receive) as heard:
            self.tick()
        return heard.called


def test_at_1_khz_commands_and_telemetry_wait_for_a_tick_in_time_but_a_stop_does_not(
    hasty: Hasty,
) -> None:
    server, counters = hasty.server, hasty.server.authority.counters
    with (
        socket(zmq.DEALER, server.addresses.commands) as client,
        socket(zmq.DEALER, server.addresses.stop) as stop,
    ):
        nobody = b'{"type":"renew","lease":"nobody"}'
        client.send(nobody)
        until(lambda: (hasty.tick(), counters["rejected.no_lease"])[1] == 1)  # none waits now
        client.send(nobody)
        time.sleep(0.3)  # it has arrived
        published = latest_seq(server)
        for waits in range(1, MAX_DEFERRED_TICKS + 1):
            hasty.tick(late_s=0.0005)
            assert counters["rejected.no_lease"] == 1, waits
        hasty.tick(late_s=0.0005)  # for ever they do not wait
        assert counters["rejected.no_lease"] == 2
        until(lambda: (hasty.tick(late_s=0.0005), latest_seq(server) > published)[1])
        stop.send(b'{"type":"stop"}')
        time.sleep(0.3)
        hasty.tick(late_s=0.0005)
        assert counters["stops"] == 1


def test_at_1_khz_commands_wait_while_telemetry_is_made_and_the_policy_is_at_work(
    hasty: Hasty,
) -> None:
    for _ in range(5):
        hasty.tick()
    heard: list[bool] = []
    published: list[bool] = []
    for _ in range(40):
        before = latest_seq(hasty.server)
        heard.append(hasty.hears())
        published.append(latest_seq(hasty.server) > before)
    assert sum(published) == 4  # 100 Hz
    assert sum(heard) == 40 - 4 - 3  # in a policy period
    assert not any(h and p for h, p in zip(heard, published, strict=True))


def test_at_1_khz_commands_make_up_for_more_than_their_share(hasty: Hasty) -> None:
    share_s = RECEIVE_BUDGET * 0.001
    for _ in range(12):
        hasty.tick()
    heard = [hasty.hears(1.1 * share_s), hasty.hears(), hasty.hears(1.9 * share_s)]
    assert heard == [True, False, True]
    heard = [hasty.hears() for _ in range(2)]
    assert heard == [False, True]
    assert hasty.hears(60.0)  # the machine was asleep, say
    assert [hasty.hears() for _ in range(MAX_DEFERRED_TICKS + 2)].count(True) >= 1
    hasty.server.authority.stop("no policy")
    assert hasty.hears()
    assert hasty.hears(60.0)
    assert hasty.hears()


def latest_seq(server: ArmServer) -> int:
    assert server.loop.latest is not None
    return server.loop.latest.seq


def test_an_error_of_ours_is_a_fault_and_the_loop_goes_on(
    server: ArmServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = server.pilot.step

    def broken(authority: Authority, now: float) -> None:
        if authority.mode == "hold":
            raise ZeroDivisionError("a bug")
        healthy(authority, now)

    monkeypatch.setattr(server.pilot, "step", broken)
    with ExitStack() as stack:
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        until(lambda: server.authority.mode == "fault")
        assert server.authority.last_event == "fault: internal error: a bug"
        until(lambda: server.loop.latest is not None and server.loop.latest.mode == "fault")
        client = stack.enter_context(socket(zmq.DEALER, server.addresses.commands))
        client.send(b'{"type":"clear"}')
        assert json.loads(client.recv())["type"] == "ok"
        until(lambda: server.authority.counters["faults"] >= 2)  # it was not mended
        monkeypatch.setattr(server.pilot, "step", healthy)
        client.send(b'{"type":"clear"}')
        client.recv()
        until(lambda: server.authority.mode == "hold")
    assert "ZeroDivisionError" in caplog.text
    assert server.authority.counters["faults"] == 2


@pytest.mark.parametrize("below", [None, "a contact"])
def test_an_error_in_every_tick_is_told_once(
    server: ArmServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    below: str | None,
) -> None:
    if below is not None:
        server.authority.fault(below, "contact")
    ticks = 0

    def broken(authority: Authority, now: float) -> None:
        nonlocal ticks
        ticks += 1
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(server.pilot, "step", broken)
    with ExitStack() as stack:
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.stop)
        until(lambda: ticks >= 20)
        assert server.authority.mode == "fault"
        assert server.authority.counters["faults.internal"] == 1
    assert caplog.text.count("Traceback") == 1


def test_a_command_that_fails_by_our_error_is_answered_and_the_loop_goes_on(
    server: ArmServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(seed: int | None = None) -> None:
        raise ZeroDivisionError(f"a bug, seed {seed}")

    monkeypatch.setattr(server.pilot, "reset", broken)
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
            order = {"lease": granted["lease"], "seq": 1, "reference_time": granted["time"]}
            reply = say(type="reset", id=7, seed=3, **order)
            assert (reply["id"], reply["code"]) == (7, "internal")
            assert "a bug, seed 3" in reply["message"]
            assert server.authority.mode == "fault"
            assert say(type="clear")["type"] == "ok"
        assert thread.is_alive()
    assert "ZeroDivisionError" in caplog.text


def test_an_error_between_two_ticks_is_a_fault_and_the_loop_goes_on(
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
    until(lambda: server.authority.counters["faults"] >= 2)
    assert server.authority.mode == "fault"
    server.stop()
    thread.join()
    assert server.authority.mode == "stopped"


def test_one_clear_takes_back_a_stop_and_the_fault_below_it(server: ArmServer) -> None:
    tick(server)
    table = server.pilot.arm._table  # type: ignore[attr-defined]  the only way to break it
    table._qpos[0, :7] = np.nan
    until(lambda: (tick(server), server.authority.mode)[1] == "fault")
    server.authority.stop("a hand")
    with socket(zmq.DEALER, server.addresses.commands) as client:
        assert ask(server, client, type="clear")["type"] == "ok"
    tick(server, 5)
    assert server.authority.mode == "hold"


def test_a_loop_that_ends_brings_a_moving_arm_to_rest(server: ArmServer) -> None:
    server.authority.demo("skill", np.array([1.0, 0.0]))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: np.abs(server.pilot.state.joint_velocity).max() > 0.2)
    server.stop()
    thread.join()
    assert server.authority.mode == "stopped"
    assert np.abs(server.pilot.arm.read().joint_velocity).max() < 0.05
    assert server.loop.latest is not None
    assert server.loop.latest.mode == "stopped"
