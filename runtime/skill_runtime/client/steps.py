"""Steps: the waits of a call, apart from the way in which a client waits.

A call is a generator: it yields each request to send, receives the reply, and returns the result of
the call. SkillClient performs the steps with sockets that block its thread, AsyncSkillClient with
sockets of an event loop. The calls themselves (calls.py, stop.py) are the same for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from skill_proto.arrays import FloatArray
from skill_proto.messages import Inbound, Reply
from skill_runtime.client.lease import Heartbeat

T = TypeVar("T")

LEAST_WAIT_S = 0.02
"""Shortest timeout of a step, for a call whose time is nearly over [s]."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """Send a message and wait for its reply, which may be an error."""

    message: Inbound
    timeout_s: float
    """Longest wait [s]."""
    arrays: Mapping[str, FloatArray] | None = None
    address: str | None = None
    """Endpoint for a connection of its own; None: the client's connection for commands."""


@dataclass(frozen=True, kw_only=True)
class AwaitState:
    """Wait until telemetry has arrived."""

    timeout_s: float
    """Longest wait [s]."""


@dataclass(frozen=True, kw_only=True)
class AwaitEnd:
    """Wait until a lease has been given back."""

    lease: Heartbeat
    timeout_s: float
    """Longest wait [s]."""


Step = Ask | AwaitState | AwaitEnd
Answer = tuple[Reply, dict[str, FloatArray]]
Call = Generator[Step, Answer | None, T]
"""A call that returns ``T``; it receives an answer for each ``Ask``, None for any other step."""


def drive(call: Call[T], perform: Callable[[Step], Answer | None]) -> T:
    """Performs the steps of a call, and returns its result.

    Args:
        call: The call.
        perform: Performs one step; an exception is raised inside of the call.
    """
    try:
        step = next(call)
        while True:
            try:
                answer = perform(step)
            except BaseException as error:
                step = call.throw(error)
            else:
                step = call.send(answer)
    except StopIteration as end:
        return end.value


def ask(step: Ask) -> Call[Answer]:
    """Returns the answer to one request.

    Raises:
        ServerUnreachableError: no reply arrived within the timeout.
        ProtocolError: the reply is not a message of this protocol version.
        ResourceError: this process cannot open a socket.
    """
    answer = yield step
    assert answer is not None
    return answer


class Deadline:
    """The end of a call.

    Args:
        timeout_s: Longest duration of the call [s].
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Time left, at least ``LEAST_WAIT_S`` [s]."""
        return max(LEAST_WAIT_S, self._ends - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._ends
