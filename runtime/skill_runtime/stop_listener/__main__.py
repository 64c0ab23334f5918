"""The process: ``python -m skill_runtime.stop_listener``, started by the supervisor.

Arguments: descriptors of the shared memory, of the listening socket, of the controller's wakeup and
of its own, then address and name of this run of the server. Standard input has the keys of the
server, pickled.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import suppress

import zmq

from skill_proto.shared_memory.memory import map_memory
from skill_runtime.channel.stop_requests import OFFSET, StopRequests
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.limits import be_a_child, limit_memory
from skill_runtime.realtime.scheduling import NICE, set_slice_and_niceness
from skill_runtime.security.config import ServerSecurity
from skill_runtime.security.door import MAX_STRANGERS, Door, sender_of
from skill_runtime.stop_listener.listener import StopListener, TooManyFramesError
from skill_runtime.transport.sockets import router_on

BEAT_MS = 10
"""Longest time between two heartbeats [ms]."""

MAX_LINE_BYTES = 4000
"""A longer line of the log is cut; up to PIPE_BUF bytes are written as a whole, pipe(7)."""

MEMORY_MIB = 64
"""Memory for messages; libzmq ends a process that needs more."""


def main() -> None:
    """Listens until the server ends."""
    os.set_blocking(2, False)
    memory_fd, listening_fd, *controller_fds, own_fd = map(int, sys.argv[1:6])
    address, instance = sys.argv[6:8]
    be_a_child()
    with suppress(OSError):  # Linux does not grant it
        os.nice(NICE)  # before libzmq starts its thread, which receives the stops
    set_slice_and_niceness()
    memory = map_memory(memory_fd)
    controller, own = Wakeup(*controller_fds), Wakeup(own_fd, own_fd)
    clock = MonotonicClock()
    stops = StopRequests(memory[OFFSET:])
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    security: ServerSecurity | None = pickle.load(sys.stdin.buffer)
    door = None if security is None else Door(context, security, _log)
    socket = router_on(context, listening_fd, address, door)
    limit_memory(MEMORY_MIB)

    def refusal(frame: zmq.Frame) -> str:
        return "" if door is None else door.refusal(sender_of(frame), "stop")

    listener = StopListener(
        *(socket, stops, controller.wake, clock.now, instance),
        refusal=None if door is None else refusal,
    )
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(own.reader, zmq.POLLIN)
    try:
        while door is None or door.strangers <= MAX_STRANGERS:
            stops.beat(int(clock.now() * 1e9), os.getpid())
            poller.poll(BEAT_MS)
            own.clear()
            listener.step()
    except TooManyFramesError:
        pass
    os._exit(1)


def _log(text: str) -> None:
    """Writes a line to the log of the server, which reads standard error; never waits for it."""
    with suppress(OSError):
        os.write(2, f"stop socket: {text}\n".encode("utf-8", "replace")[:MAX_LINE_BYTES])


if __name__ == "__main__":
    main()
