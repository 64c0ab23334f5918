"""A server inside the test's process, and functions that wait for its states."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import zmq

from skill_proto.messages import Hello, Telemetry, Track
from skill_robots.arm import Arm
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.channel.channel import Channel
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.client import CommandRefusedError, Connection, SkillClient
from skill_runtime.control.object_tracker import TrackConfig
from skill_runtime.gateway.gateway import Gateway
from skill_runtime.gateway.telemetry import make_telemetry
from skill_runtime.processes.signals import ProcessSignals
from skill_runtime.realtime.clock import Clock, MonotonicClock
from skill_runtime.server.arm_server import ArmServer, ServeConfig
from skill_runtime.stop_listener.listener import StopListener
from skill_runtime.transport.addresses import Addresses
from skill_runtime.transport.listeners import Listeners
from skill_runtime.transport.sockets import GatewaySockets, router_on

DEADLINE_S = 60.0
"""Longest wait for an expected event [s]; long, since the machine may be busy."""

FREE_PORTS = Addresses(
    commands="tcp://127.0.0.1:*", telemetry="tcp://127.0.0.1:*", stop="tcp://127.0.0.1:*"
)


class LocalServer(ArmServer):
    """Controller, gateway and stop listener in one process, over real sockets.

    The code is that of the separate processes; only the memory between them is not shared.

    Args:
        arm: The arm.
        config: The configuration; its addresses are bound.
        clock: Server time; None takes the machine's.

    Attributes:
        addresses: The bound addresses.
        gateway, listener: As given by their names.
    """

    def __init__(self, arm: Arm, config: ServeConfig, clock: Clock | None = None) -> None:
        self._listeners = listeners = Listeners(config.addresses)
        self.addresses = listeners.addresses
        self.channel = channel = Channel.in_process()
        self._wakeups = {name: Wakeup.create() for name in ("controller", "gateway", "listener")}
        signals = ProcessSignals(*self._wakeups.values()).for_loop()
        self.instance = secrets.token_hex(8)
        config = replace(
            config,
            addresses=self.addresses,
            instance=self.instance,
            # The threads share an interpreter, so a busy machine would look like a dead listener.
            watch_stop_listener=False,
        )
        try:
            super().__init__(arm, config, channel, signals, clock)
        except Exception:
            listeners.close()
            self._close_wakeups()
            raise
        wake, now = self._wakeups["controller"].wake, clock or MonotonicClock()
        commands, telemetry = listeners.commands, listeners.telemetry
        self._sockets = GatewaySockets(
            (commands.descriptor(), commands.address),
            (telemetry.descriptor(), telemetry.address),
            self._wakeups["gateway"].reader,
        )
        self.gateway = Gateway(self._sockets, channel, self.gateway_config, wake, now)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.stop_socket = router_on(
            self._context, listeners.stop.descriptor(), listeners.stop.address
        )
        self.listener = StopListener(self.stop_socket, channel.stops, wake, now.now, self.instance)
        self.clock = now
        self._threads_end = threading.Event()
        self._is_threaded = False

    @property
    def latest(self) -> Telemetry | None:
        """The newest state; None before the first."""
        record, layout = self.channel.state.read(), self.gateway_config.layout
        if record is None:
            return None
        return make_telemetry(layout.unpack(record), layout, instance=self.instance)

    def step_others(self) -> None:
        """Does the work of stop listener and gateway that waits."""
        self.channel.stops.beat(time.monotonic_ns(), os.getpid())
        self.listener.step()
        self.gateway.step()

    def tick(self, count: int = 1) -> None:
        """Runs ticks of the loop, and the work of the others before and after each."""
        for _ in range(count):
            self.step_others()
            self.loop.tick(self.clock.now())
            self.listener.confirm()
            self.gateway.step()

    def run(self) -> None:
        """Serves until :meth:`stop`: the others have threads of their own."""
        threads = [threading.Thread(target=self._run_gateway)]
        threads.append(threading.Thread(target=self._run_listener))
        self._is_threaded = True
        for thread in threads:
            thread.start()
        try:
            super().run()
        finally:
            self._threads_end.set()
            for thread in threads:
                thread.join()
            self._close_sockets()

    def _run_gateway(self) -> None:
        while not self._threads_end.is_set():
            self.gateway.step()
            self._sockets.wait(10)
            self._wakeups["gateway"].clear()
        self.gateway.step()

    def _run_listener(self) -> None:
        poller = zmq.Poller()
        poller.register(self.stop_socket, zmq.POLLIN)
        poller.register(self._wakeups["listener"].reader, zmq.POLLIN)
        while not self._threads_end.is_set():
            self.channel.stops.beat(time.monotonic_ns(), os.getpid())
            poller.poll(10)
            self._wakeups["listener"].clear()
            self.listener.step()

    def close(self) -> None:
        """Closes arm and sockets."""
        super().close()
        if not self._is_threaded:  # else run() closes the sockets, after the threads
            self._close_sockets()

    def _close_sockets(self) -> None:
        if self._listeners.close():
            self._sockets.close()
            self._context.destroy(linger=0)
            self._close_wakeups()

    def _close_wakeups(self) -> None:
        for wakeup in self._wakeups.values():
            wakeup.close()


@dataclass(frozen=True)
class Served:
    """A server that runs in a thread of this process."""

    server: LocalServer
    address: str
    """Address for commands."""


FIRST_STATE_S = 5.0
"""Longest wait for the first state of a server, which a test may prevent [s]."""


@contextmanager
def serving(
    model: Path,
    *,
    demo: bool = False,
    addresses: Addresses = FREE_PORTS,
    arm: Arm | None = None,
    track: TrackConfig | None = None,
) -> Generator[Served]:
    """Serves a model until the end of the block.

    Args:
        model: The policy file.
        demo: Whether the demo runs.
        addresses: Addresses of the sockets.
        arm: The arm; by default a simulated one.
        track: Settings of the object tracker.
    """
    track = track or TrackConfig()
    config = ServeConfig(model=model, demo=demo, addresses=addresses, track=track)
    server = LocalServer(arm or MujocoArm(), config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    ends = time.monotonic() + FIRST_STATE_S
    while server.latest is None and thread.is_alive() and time.monotonic() < ends:
        time.sleep(0.002)
    try:
        yield Served(server, server.addresses.commands)
    finally:
        server.stop()
        thread.join()


@contextmanager
def tracking(address: str) -> Generator[threading.Event]:
    """Sends the pose of a cube fifty times per second while the event is set."""
    sends, ended = threading.Event(), threading.Event()
    sends.set()

    def track() -> None:
        with Connection(address, DEADLINE_S) as connection:
            connection.ask(Hello())
            ahead_s = connection.time - time.monotonic()
            while not ended.wait(0.02):
                # The quickest reply tells the difference of the clocks best.
                ahead_s = max(ahead_s, connection.time - time.monotonic())
                if sends.is_set():
                    captured = time.monotonic() + ahead_s
                    with suppress(CommandRefusedError):  # a late pose is refused
                        connection.ask(
                            Track(object="cube", captured=captured, position=(0.1, 0.0, 0.02))
                        )

    thread = threading.Thread(target=track, name="tracker")
    thread.start()
    try:
        yield sends
    finally:
        ended.set()
        thread.join()


def until(condition: Callable[[], bool]) -> None:
    """Returns when the condition holds; fails the test if it never does."""
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "never happened"
        time.sleep(0.005)


def state_when(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> Telemetry:
    """Returns the first state that meets the condition; fails the test after a timeout."""
    ends = time.monotonic() + DEADLINE_S
    for state in client.telemetry():
        if wanted(state):
            return state
        assert time.monotonic() < ends, f"never reached; the last state was {state}"
    raise AssertionError("telemetry ended")
