"""The process: ``python -m skill_runtime.stop_listener``, started by the supervisor.

Arguments: descriptors of the shared memory, of the listening socket, of the controller's wakeup and
of its own, then address and name of this run of the server.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import zmq

from skill_proto.shared_memory.memory import map_memory
from skill_runtime.channel.stop_requests import OFFSET, StopRequests
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.limits import be_a_child, limit_memory
from skill_runtime.realtime.scheduling import NICE, set_slice_and_niceness
from skill_runtime.stop_listener.listener import StopListener, TooManyFramesError
from skill_runtime.transport.sockets import router_on

BEAT_MS = 10
"""Longest time between two heartbeats [ms]."""

MEMORY_MIB = 64
"""Memory for messages; libzmq ends a process that needs more."""


def main() -> None:
    """Listens until the server ends."""
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
    socket = router_on(context, listening_fd, address)
    limit_memory(MEMORY_MIB)
    listener = StopListener(socket, stops, controller.wake, clock.now, instance)
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(own.reader, zmq.POLLIN)
    try:
        while True:
            stops.beat(int(clock.now() * 1e9), os.getpid())
            poller.poll(BEAT_MS)
            own.clear()
            listener.step()
    except TooManyFramesError:
        os._exit(1)


if __name__ == "__main__":
    main()
