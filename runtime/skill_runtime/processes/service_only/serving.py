"""Starts the process of a policy service, watches it, and ends it.

The parent binds the address and supervises; it decodes no message and loads no policy.
"""

from __future__ import annotations

import os
import pickle
import secrets
import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from skill_proto.messages import ServiceWelcome
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_runtime.console.logs import LogLevel
from skill_runtime.policy_service.config import ClientServiceConfig, Counts
from skill_runtime.processes.child import Child, ChildProgram
from skill_runtime.processes.log_pipe import LogPipe
from skill_runtime.processes.private_folder import ServeError
from skill_runtime.processes.service_only.config import NotOpened, Opened, ServiceOnlyConfig
from skill_runtime.processes.service_only.counters import COUNTER_BYTES, Counters, Word
from skill_runtime.processes.supervisor import AT_WORK, BackOff, Supervised, Supervisor
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.security.config import ServerSecurity
from skill_runtime.transport.listeners import Listener, listen

SERVICE_SILENCE_S = 30.0
"""A service that computes may be without a heartbeat for this long [s]."""

BACK_OFF = BackOff(waits_s=(0.0, 0.1, 0.3, 1.0, 2.0), healthy_s=10.0)
"""Back-off of the service, whose start takes about a second."""

REPORT_CHECK_S = 0.05
"""Interval at which a wait for the report looks whether to give up [s]."""

MAX_REPORT_BYTES = 1 << 26

END_S = 2.0
"""Longest wait for the end of the process [s]."""


@dataclass(frozen=True, kw_only=True)
class ServiceOnlyOptions:
    """One policy service, as the user has asked for it."""

    models: tuple[tuple[str, Path], ...]
    """Name and file of each policy."""
    device: Literal["cpu", "cuda"] = "cpu"
    address: str
    server: str
    """Name and version of the server program."""
    security: ServerSecurity | None = None
    log_level: LogLevel = "info"


class ServingPolicies:
    """Context manager: the process of one policy service.

    Args:
        options: The service.
        show: Prints a line of its log.

    Attributes:
        address: The bound address.
        welcome: Describes the service; set by :meth:`start`.

    Raises:
        AddressError: The address cannot be bound.
    """

    welcome: ServiceWelcome

    def __init__(self, options: ServiceOnlyOptions, show: Callable[[str], None]) -> None:
        self._options = options
        keyed = options.security is not None
        self._listener: Listener = listen(options.address, "commands", keyed=keyed)
        self.address = self._listener.address
        self._memory = create_memory(COUNTER_BYTES)
        self._counters = Counters(map_memory(self._memory))
        self._log = LogPipe(show)
        self._child: Child | None = None
        self._supervisor: Supervisor | None = None
        self._instance = secrets.token_hex(8)
        self._closed = False

    def start(self, is_cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Starts the process, and waits until it has opened the policies.

        Args:
            is_cancelled: Returns whether to give up.

        Returns:
            False if it was cancelled.

        Raises:
            ServeError: A policy cannot be opened.
        """
        reports, report = os.pipe()
        try:
            program = self._program(report)
            try:
                self._child = Child.start(program, self._log.writer)
            finally:
                os.close(report)
            content = _read(reports, is_cancelled)
        finally:
            os.close(reports)
        if content is None:
            return False
        if not content:
            raise ServeError("the policy service died; see the log above", may_pass=True)
        opened: Opened | NotOpened = pickle.loads(content)
        if isinstance(opened, NotOpened):
            raise ServeError(opened.reason, may_pass=False)
        self.welcome = opened.welcome
        self._supervise()
        return True

    def _supervise(self) -> None:
        words = self._counters.words

        def count() -> None:
            words[Word.STARTS] += 1

        process = Supervised(
            program=self._program(None),
            child=self._child,
            is_running=True,
            beat_ns=lambda: words[Word.BEAT],
            on_start=count,
            back_off=BACK_OFF,
            busy_silence_s=SERVICE_SILENCE_S,
            at_work=AT_WORK | {"S"},  # other threads compute
        )
        self._supervisor = Supervisor([process], self._log.writer, MonotonicClock().now)
        self._supervisor.start()

    def _program(self, report: int | None) -> ChildProgram:
        options, listener = self._options, self._listener
        config = ServiceOnlyConfig(
            service=ClientServiceConfig(
                models=options.models,
                device=options.device,
                listener=(listener.socket.fileno(), listener.address),
                instance=self._instance,  # each start of the process adds its number
                server=options.server,
                security=options.security,
            ),
            memory=self._memory,
            report=report,
            log_level=options.log_level,
        )
        own = (listener.socket.fileno(), self._memory)
        return ChildProgram(
            name="policy service",
            module="skill_runtime.processes.service_only.process",
            config=config,
            descriptors=own if report is None else (*own, report),
            huge_pages=True,
        )

    # While it runs ------------------------------------------------------------------------------

    @property
    def beat(self) -> int:
        """Changes with each round of the service."""
        return self._counters.words[Word.BEAT]

    @property
    def counts(self) -> Counts:
        """Counts of the process that runs now."""
        return self._counters.counts()

    @property
    def in_use(self) -> tuple[int, int]:
        """Sessions and rows in use."""
        words = self._counters.words
        return words[Word.SESSIONS], words[Word.ROWS]

    # End ----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends the process; requests that wait are answered first. Has no second effect."""
        if self._closed:
            return
        self._closed = True
        self._counters.words[Word.ENDING] = 1
        if self._supervisor is not None:
            self._supervisor.pause()
            self._supervisor.await_end(END_S)
            self._supervisor.close()
        elif self._child is not None:
            self._child.kill()
        self._listener.close()
        self._log.close()
        os.close(self._memory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _read(descriptor: int, is_cancelled: Callable[[], bool]) -> bytes | None:
    """Returns the content of a pipe up to its end; None if it was cancelled."""
    poller, content = select.poll(), b""
    poller.register(descriptor, select.POLLIN)
    while len(content) < MAX_REPORT_BYTES:
        while not poller.poll(1e3 * REPORT_CHECK_S):
            if is_cancelled():
                return None
        part = os.read(descriptor, 65536)
        if not part:
            break
        content += part
    return content
