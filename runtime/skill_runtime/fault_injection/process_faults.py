"""Failures of the processes beside the controller, drawn from the seed of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

import numpy as np

from skill_proto.messages import Acquire, Clear, Goal, Inbound, Release, Renew, ServoJoint, Skill
from skill_runtime.channel.channel import Channel
from skill_runtime.channel.messages import COMMANDS
from skill_runtime.fault_injection.virtual.processes import VirtualProcesses

ProcessFault = Literal[
    "gateway dies",
    "gateway freezes",
    "gateway writes garbage",
    "gateway fills the queue",
    "stop listener dies",
    "stop listener freezes",
]

FAULTS: tuple[ProcessFault, ...] = (
    *("gateway dies", "gateway freezes", "gateway writes garbage", "gateway fills the queue"),
    *("stop listener dies", "stop listener freezes"),
)

MEAN_INTERVAL_S = 4.0
"""Mean time between two failures [s]."""

SHORTEST_S, LONGEST_S = 0.01, 0.8
"""Range of the length of an outage, drawn log-uniformly [s]: as many are too short for a missing
heartbeat as are not."""

GARBAGE_RECORDS = 8


class ProcessFaults:
    """Injects failures into the processes of one run.

    Args:
        processes: gateway and stop listener.
        channel: the memory that they share with the controller.
        seed: seed of the draws.
        lease: returns token and last command number of the lease in force; ("", 0) without one.

    Attributes:
        counts: number of failures by name.
    """

    def __init__(
        self,
        processes: VirtualProcesses,
        channel: Channel,
        seed: int,
        lease: Callable[[], tuple[str, int]],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._processes = processes
        self._channel = channel
        self._lease = lease
        self._random = np.random.default_rng([seed, 21])
        self._next = -1.0

    def step(self, now: float) -> None:
        """Injects a failure if one is due; called once a tick."""
        if self._next < 0.0:
            self._next = now + float(self._random.exponential(MEAN_INTERVAL_S))
        if now < self._next:
            return
        self._next = now + float(self._random.exponential(MEAN_INTERVAL_S))
        fault = FAULTS[int(self._random.integers(len(FAULTS)))]
        self.counts[fault] += 1
        self._inject(fault, now)

    def _inject(self, fault: ProcessFault, now: float) -> None:
        seconds = SHORTEST_S * (LONGEST_S / SHORTEST_S) ** float(self._random.random())
        match fault:
            case "gateway dies":
                self._processes.fail("gateway", seconds, starts_anew=True)
            case "gateway freezes":
                self._processes.fail("gateway", seconds, starts_anew=False)
            case "stop listener dies":
                self._processes.fail("stop listener", seconds, starts_anew=True)
            case "stop listener freezes":
                self._processes.fail("stop listener", seconds, starts_anew=False)
            case "gateway writes garbage":
                for _ in range(GARBAGE_RECORDS):
                    self._channel.commands.put(self._draw_garbage(now))
            case "gateway fills the queue":
                while self._channel.commands.put(self._draw_garbage(now)):
                    pass

    def _draw_garbage(self, now: float) -> bytes:
        """Draws random bytes, a damaged command, or a well-formed one with wrong content."""
        random = self._random
        kind = int(random.integers(3))
        if kind == 0:
            return random.bytes(int(random.integers(0, 300)))
        record = bytearray(COMMANDS.encode(self._draw_command(now), int(random.integers(2**40))))
        if kind == 1:
            record[int(random.integers(len(record)))] = int(random.integers(256))
        return bytes(record)

    def _draw_command(self, now: float) -> Inbound:
        random = self._random
        token, seq = self._lease()
        if random.random() < 0.5:
            token = ""
        timed = {"lease": token or "0" * 32, "seq": seq + 1, "reference_time": now}
        timed |= {"valid_for_s": 0.5}
        commands: list[Inbound] = [
            Acquire(holder="x" * int(random.integers(256)), ttl_s=0.1),
            Renew(lease="0" * 32),
            Release(lease="0" * 32),
            Clear(),
            Skill.model_validate({**timed, "skill": random.normal(size=2).tolist()}),
            Skill.model_validate({**timed, "skill": [1e308] * 1024}),
            Goal.model_validate({**timed, "goal": [1e308, 1e308]}),
            ServoJoint.model_validate({**timed, "joint_position": [1e308] * 7}),
        ]
        return commands[int(random.integers(len(commands)))]
