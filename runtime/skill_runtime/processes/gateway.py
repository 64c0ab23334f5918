"""The gateway's process: ``python -m skill_runtime.processes.gateway``."""

from __future__ import annotations

import gc
import logging
import os
import select

from skill_proto.shared_memory.memory import map_memory
from skill_runtime.channel.channel import Channel
from skill_runtime.gateway.gateway import Gateway
from skill_runtime.processes.child import read_config
from skill_runtime.processes.config import GatewayProcessConfig
from skill_runtime.processes.log_pipe import log_to_pipe
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.limits import be_a_child, limit_memory
from skill_runtime.transport.router_reader import TooManyPartsError
from skill_runtime.transport.sockets import GatewaySockets

log = logging.getLogger(__name__)

BEAT_MS = 15
"""Longest wait between two steps [ms]."""

PAUSE_MS = 4
"""Wait of a gateway that has read too many messages [ms]."""

NICE = 5
"""The controller, which moves the arm, comes first. The imports before have the usual priority: on
a machine whose cores are all busy, a start with this niceness takes 5 s instead of 1 s."""

REPLY_WAIT_S = 5e-4
"""Longest wait for nothing but the reply to a command [s]. Between two ticks the controller replies
within .2 ms, and a wake-up from this wait is faster than one from the wait for all sockets."""

MEMORY_MIB = 160
"""Memory for messages; libzmq ends a process that needs more."""


def main() -> None:
    """Answers until the server ends."""
    be_a_child(nice=NICE)
    config = read_config()
    assert isinstance(config, GatewayProcessConfig)
    log_to_pipe(config.log_level)
    channel = Channel(map_memory(config.memory))
    sockets = GatewaySockets(
        *(config.commands, config.telemetry, config.own.reader, config.act),
        security=config.security,
        log=log.warning,
    )
    limit_memory(MEMORY_MIB)

    def wait_for_reply() -> None:
        select.select((config.own.reader,), (), (), REPLY_WAIT_S)

    gateway = Gateway(
        sockets,
        channel,
        config.described,
        config.controller.wake,
        MonotonicClock(),
        wait_for_reply,
        None if sockets.door is None else sockets.door.refusal,
    )
    gc.collect()
    gc.freeze()  # later collections look at new objects only
    try:
        while not sockets.has_strangers:
            sockets.cut_off_telemetry()
            if gateway.step():
                sockets.wait(BEAT_MS)
            else:  # too many messages: they wait in the queues of their senders
                sockets.wait_for_wakeup(PAUSE_MS)
            config.own.clear()
    except TooManyPartsError:
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
