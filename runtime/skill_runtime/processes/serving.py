"""Starts the processes of one server, and ends them in the order that is safe for the arm.

The parent binds the addresses and supervises; it decodes no message and does not move the arm.
"""

from __future__ import annotations

import os
import pickle
import secrets
import select
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_runtime.channel.channel import CHANNEL_BYTES, Channel, Word
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.state_layout import State
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.policy_service.config import PolicyServiceConfig
from skill_runtime.processes.child import Child, ChildProgram
from skill_runtime.processes.config import (
    ControllerConfig,
    Failed,
    GatewayProcessConfig,
    Ready,
    ServerOptions,
    ServiceProcessConfig,
    Started,
)
from skill_runtime.processes.log_pipe import LogPipe
from skill_runtime.processes.private_folder import ServeError, make_private_folder
from skill_runtime.processes.supervisor import AT_WORK, BackOff, Supervised, Supervisor
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.cpus import allowed_cpus, cpus_beside, use_cpus
from skill_runtime.security.config import ServerSecurity
from skill_runtime.transport.addresses import AddressError, Addresses
from skill_runtime.transport.listeners import Listeners

SERVICE_SILENCE_S = 30.0
"""A policy service that computes may be without a heartbeat for this long [s]."""

SOCKET_BACK_OFF = BackOff(waits_s=(0.0, 0.1, 0.2), healthy_s=2.0)
"""Back-off of gateway and stop listener.

A client can make libzmq abort these processes again and again, and each must be back within 1 s of
its loss. The gateway takes 0.4 to 0.65 s to start, and its loss is noticed within 0.1 s, which
leaves 0.2 s for the cap. After 2 s of life there is no wait: one start in 2 s costs little.

With a lasting cause, the starts cost up to 0.65 of one core (gateway) and 0.3 (stop listener). That
is acceptable: a start has one thread, so that on a machine with a free core the controller has no
more late ticks. A longer cap would save little, because the time of a start itself bounds the
rate: 0.3 s would still cost 0.55 of a core.
"""

GATEWAY_START_S = 10.0
"""Longest wait for the first heartbeat of the gateway [s]."""

LAST_TELEMETRY_S = 0.05
"""Time for the gateway to publish the last state [s]."""

REST_S = 6.0
"""Longest wait for the controller to bring the arm to rest and to end [s]: about a second to come
to rest, and the time that the driver of a real arm takes to end."""

REPORT_CHECK_S = 0.05
"""Interval at which a wait for the controller looks whether to give up [s]."""


class Serving:
    """Context manager: the processes of one server.

    Args:
        options: The server.
        addresses: The addresses to bind.
        show: Prints a line of the children's log.
        security: Keys of the server; None admits every connection.

    Attributes:
        addresses: The bound addresses.
        ready: Describes the server; set by :meth:`start`.
        started: The system's answers to the requested scheduling; set by :meth:`start`.

    Raises:
        AddressError: An address cannot be bound.
        ServeError: The system has no room for a private folder.
    """

    ready: Ready
    started: Started

    def __init__(
        self,
        options: ServerOptions,
        addresses: Addresses,
        show: Callable[[str], None],
        security: ServerSecurity | None = None,
    ) -> None:
        self._security = security
        self._options = options
        self._cpus = allowed_cpus()
        self._private = make_private_folder()
        try:
            self._listeners = Listeners(addresses, keyed=security is not None)
        except AddressError:
            self._private.rmdir()
            raise
        self.addresses = self._listeners.addresses
        self._instance = secrets.token_hex(8)
        self._memory = create_memory(CHANNEL_BYTES)
        self.channel = Channel(map_memory(self._memory))
        self._controller_wakeup, self._gateway_wakeup = Wakeup.create(), Wakeup.create()
        self._listener_wakeup = Wakeup.create()
        self._log = LogPipe(show)
        self._clock = MonotonicClock()
        self._reports, self._report = os.pipe()
        self._controller: Child | None = None
        self._gateway: Child | None = None
        self._supervisor: Supervisor | None = None
        self._closed = False

    # Start --------------------------------------------------------------------------------------

    def start(self, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Starts all processes and waits until the controller ticks and the gateway answers.

        Args:
            is_cancelled: Returns whether to give up.

        Returns:
            False if it was cancelled.

        Raises:
            ServeError: The server cannot start.
        """
        self._controller = Child.start(self._controller_program(), self._log.writer)
        os.close(self._report)
        # This process and those that it starts from now on stay out of the controller's way.
        use_cpus(cpus_beside(self._options.cpu, self._cpus))
        # Its imports take almost as long as those of the controller.
        self._gateway = Child.prepare(self._gateway_program(), self._log.writer)
        ready = self._wait_for_report(is_cancelled)
        if ready is None:
            return False
        assert isinstance(ready, Ready)
        self.ready = ready
        self._supervisor = Supervisor(self._supervised(), self._log.writer, self._clock.now)
        self._supervisor.start()
        started = self._wait_for_report(is_cancelled)
        if started is None:
            return False
        assert isinstance(started, Started)
        self.started = started
        return self._wait_for_beats(is_cancelled)

    def _wait_for_beats(self, is_cancelled: Callable[[], bool]) -> bool:
        """Waits up to :data:`GATEWAY_START_S` for the first tick and the gateway.

        Returns:
            False if it was cancelled.
        """
        words, ends = self.channel.words, time.monotonic() + GATEWAY_START_S
        while 0 in (words[Word.GATEWAY_BEAT], words[Word.CONTROLLER_BEAT]):
            if time.monotonic() > ends:
                break
            if is_cancelled():
                return False
            time.sleep(0.005)
        return True

    def _wait_for_report(self, is_cancelled: Callable[[], bool]) -> Ready | Started | None:
        """Returns the next report of the controller; None if it was cancelled.

        Raises:
            ServeError: The controller cannot serve, or has died.
        """
        poller = select.poll()
        poller.register(self._reports, select.POLLIN)
        while not poller.poll(1e3 * REPORT_CHECK_S):
            if is_cancelled():
                return None
        length = int.from_bytes(_read(self._reports, 8), "little")
        content = _read(self._reports, length)
        if not content or len(content) < length:
            raise ServeError("the controller died; see the log above", may_pass=True)
        report: Ready | Started | Failed = pickle.loads(content)
        if isinstance(report, Failed):
            raise ServeError(report.reason, may_pass=report.may_pass)
        return report

    def _controller_program(self) -> ChildProgram:
        config = ControllerConfig(
            options=self._options,
            addresses=self.addresses,
            instance=self._instance,
            memory=self._memory,
            own=self._controller_wakeup,
            gateway=self._gateway_wakeup,
            listener=self._listener_wakeup,
            report=self._report,
            private=self._private,
        )
        wakeups = (*self._controller_wakeup, *self._gateway_wakeup, *self._listener_wakeup)
        return ChildProgram(
            name="controller",
            module="skill_runtime.processes.controller",
            config=config,
            descriptors=(self._memory, self._report, *wakeups),
            huge_pages=True,
        )

    def _supervised(self) -> list[Supervised]:
        """Returns the other processes, in the order in which they end."""
        words = self.channel.words

        def counts(word: Word) -> Callable[[], None]:
            def count() -> None:
                words[word] += 1

            return count

        act = f"ipc://{self._private}/act"
        return [
            Supervised(
                program=replace(self._gateway_program(), config=self._gateway_config(act)),
                child=self._gateway,
                beat_ns=lambda: words[Word.GATEWAY_BEAT],
                on_start=counts(Word.GATEWAY_STARTS),
                back_off=SOCKET_BACK_OFF,
            ),
            Supervised(
                program=self._service_program(act),
                beat_ns=lambda: words[Word.SERVICE_BEAT],
                is_wanted=lambda: words[Word.SERVICE_WANTED] != 0,
                on_start=counts(Word.SERVICE_STARTS),
                busy_silence_s=SERVICE_SILENCE_S,
                at_work=AT_WORK | {"S"},  # other threads compute
            ),
            Supervised(
                program=self._listener_program(),
                beat_ns=lambda: self.channel.stops.beat_ns,
                on_start=counts(Word.LISTENER_STARTS),
                back_off=SOCKET_BACK_OFF,
            ),
        ]

    def _gateway_program(self) -> ChildProgram:
        """Returns the program, still without its configuration, which the controller describes."""
        commands, telemetry = self._listeners.commands, self._listeners.telemetry
        return ChildProgram(
            name="gateway",
            module="skill_runtime.processes.gateway",
            descriptors=(
                *(commands.socket.fileno(), telemetry.socket.fileno(), self._memory),
                *(*self._gateway_wakeup, *self._controller_wakeup),
            ),
            huge_pages=True,
        )

    def _gateway_config(self, act: str) -> GatewayProcessConfig:
        commands, telemetry = self._listeners.commands, self._listeners.telemetry
        return GatewayProcessConfig(
            described=self.ready.described,
            commands=(commands.socket.fileno(), commands.address),
            telemetry=(telemetry.socket.fileno(), telemetry.address),
            act=act,
            memory=self._memory,
            own=self._gateway_wakeup,
            controller=self._controller_wakeup,
            log_level=self._options.log_level,
            security=self._security,
        )

    def _service_program(self, act: str) -> ChildProgram:
        config = ServiceProcessConfig(
            service=PolicyServiceConfig(
                model=self._options.model,
                device=self._options.device,
                address=act,
                instance=self._instance,
            ),
            memory=self._memory,
            log_level=self._options.log_level,
        )
        return ChildProgram(
            name="policy service",
            module="skill_runtime.processes.policy_service",
            config=config,
            descriptors=(self._memory,),
        )

    def _listener_program(self) -> ChildProgram:
        stop = self._listeners.stop
        descriptors = (
            *(self._memory, stop.socket.fileno()),
            *(*self._controller_wakeup, self._listener_wakeup.reader),
        )
        return ChildProgram(
            name="stop listener",
            module="skill_runtime.stop_listener",
            arguments=(*map(str, descriptors), stop.address, self._instance),
            config=self._security,
            descriptors=descriptors,
        )

    # While it runs ------------------------------------------------------------------------------

    @property
    def controller_ended(self) -> str | None:
        """How the controller ended, in words; None while it runs."""
        return None if self._controller is None else self._controller.ended

    @property
    def beat(self) -> int:
        """Changes with each tick of the controller."""
        return self.channel.words[Word.CONTROLLER_BEAT]

    def state(self) -> State | None:
        """Returns the newest state of the server; None before the first."""
        record = self.channel.state.read()
        if record is None:
            return None
        try:
            return self.ready.described.layout.unpack(record)
        except CorruptRecordError:
            return None

    # End ----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Brings the arm to rest, and ends all processes; has no effect a second time."""
        if self._closed:
            return
        self._closed = True
        use_cpus(self._cpus)
        if self._supervisor is not None:
            self._supervisor.pause()
        self.channel.words[Word.ENDING] = 1
        if self._controller is not None:
            ends = time.monotonic() + REST_S
            while self._controller.ended is None and time.monotonic() < ends:
                time.sleep(0.005)
            self._controller.kill()
        if self._supervisor is not None:
            time.sleep(LAST_TELEMETRY_S)
            self._supervisor.close()
        elif self._gateway is not None:
            self._gateway.kill()
        self._listeners.close()
        self._log.close()
        shutil.rmtree(self._private, ignore_errors=True)
        for wakeup in (self._controller_wakeup, self._gateway_wakeup, self._listener_wakeup):
            wakeup.close()
        os.close(self._memory)
        os.close(self._reports)
        if self._controller is None:
            os.close(self._report)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _read(descriptor: int, length: int) -> bytes:
    """Returns this many bytes of a pipe, or fewer if its writer has ended."""
    content = b""
    while len(content) < length and (part := os.read(descriptor, length - len(content))):
        content += part
    return content
