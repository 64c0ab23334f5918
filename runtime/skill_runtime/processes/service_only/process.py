"""The process that answers: ``python -m skill_runtime.processes.service_only.process``."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import sys
from dataclasses import replace

from skill_proto.messages import ServiceWelcome
from skill_proto.shared_memory.memory import map_memory
from skill_runtime.policy import PolicyFileError
from skill_runtime.policy_service.router import Supervision, serve_clients
from skill_runtime.policy_service.service import PolicyService
from skill_runtime.processes.child import read_config
from skill_runtime.processes.log_pipe import log_to_pipe
from skill_runtime.processes.service_only.config import NotOpened, Opened, ServiceOnlyConfig
from skill_runtime.processes.service_only.counters import Counters, Word
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.limits import be_a_child, limit_memory
from skill_runtime.transport.router_reader import TooManyPartsError

log = logging.getLogger(__name__)

MEMORY_MIB, MEMORY_PER_MODEL_MIB = 512, 256
"""Memory for requests, and for each policy with its successor during a swap."""

REPORT_ROUNDS = 16
"""Rounds between two reports of the counts; an idle service has 100 rounds a second."""


def main() -> None:
    """Answers until the server ends."""
    be_a_child()
    config = read_config()
    assert isinstance(config, ServiceOnlyConfig)
    log_to_pipe(config.log_level)
    if config.service.device == "cpu":  # CUDA reserves far more memory than it uses
        limit_memory(MEMORY_MIB + MEMORY_PER_MODEL_MIB * len(config.service.models))
    counters, clock = Counters(map_memory(config.memory)), MonotonicClock()
    words, rounds = counters.words, 0
    service_config = replace(
        config.service, instance=instance_of_start(config.service.instance, words[Word.STARTS])
    )

    def beat() -> None:
        words[Word.BEAT] = int(clock.now() * 1e9)

    def ends(service: PolicyService) -> bool:
        nonlocal rounds
        words[Word.BEAT] = int(clock.now() * 1e9)
        rounds += 1
        if rounds >= REPORT_ROUNDS:
            rounds = 0
            sessions = [model.sessions for model in service.models.values()]
            counters.set_counts(
                service.counts,
                sum(each.count for each in sessions),
                sum(each.rows_in_use for each in sessions),
            )
        return words[Word.ENDING] != 0

    def ready(welcome: ServiceWelcome) -> None:
        gc.collect()
        gc.freeze()  # later collections look at new objects only
        _report(config.report, Opened(welcome=welcome))

    beat()
    supervision = Supervision(beat=beat, round=ends)
    try:
        serve_clients(service_config, supervision, ready, log.warning)
    except PolicyFileError as error:
        _report(config.report, NotOpened(reason=str(error)))
        sys.exit(str(error) if config.report is None else 1)
    except TooManyPartsError:
        os._exit(1)


def instance_of_start(server: str, starts: int) -> str:
    """Returns the name of one run of the process, which has sessions of its own.

    A request for an earlier run is refused before it has an effect.

    Args:
        server: Name of this run of the server.
        starts: Starts that were counted; the first one is counted after it has reported.
    """
    return f"{server}-{max(1, starts)}"


def _report(descriptor: int | None, report: Opened | NotOpened) -> None:
    """Writes a report to the supervisor, and closes the pipe."""
    if descriptor is not None:
        with os.fdopen(descriptor, "wb") as pipe:
            pipe.write(pickle.dumps(report))


if __name__ == "__main__":
    main()
