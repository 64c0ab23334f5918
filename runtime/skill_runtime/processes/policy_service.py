"""The policy service's process: ``python -m skill_runtime.processes.policy_service``."""

from __future__ import annotations

import sys

from skill_proto.shared_memory.memory import map_memory
from skill_runtime.channel.channel import Channel, Word
from skill_runtime.policy import PolicyFileError
from skill_runtime.policy_service.process import serve
from skill_runtime.processes.child import read_config
from skill_runtime.processes.config import ServiceProcessConfig
from skill_runtime.processes.log_pipe import log_to_pipe
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.limits import be_a_child, limit_memory

NICE = 10
"""The controller, which moves the arm, comes first."""

MEMORY_MIB = 512
"""Memory for policy, recurrent states and requests."""


def main() -> None:
    """Answers until the server ends."""
    be_a_child(nice=NICE)
    config = read_config()
    assert isinstance(config, ServiceProcessConfig)
    log_to_pipe(config.log_level)
    if config.service.device == "cpu":  # CUDA reserves far more memory than it uses
        limit_memory(MEMORY_MIB)
    channel, clock = Channel(map_memory(config.memory)), MonotonicClock()

    def beat() -> None:
        channel.words[Word.SERVICE_BEAT] = int(clock.now() * 1e9)

    try:
        serve(config.service, beat=beat, ending=lambda: channel.ending)
    except PolicyFileError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
