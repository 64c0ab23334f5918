"""The shared memory of one server: its parts, each at a fixed place.

===================  =============================  ============================
part                 writer                         readers
===================  =============================  ============================
``state``            controller                     gateway, supervisor
``commands``         gateway                        controller
``replies``          controller                     gateway
``steps``            controller                     gateway
``stops``            stop listener and controller   each the other
``words``            each process its own           all
===================  =============================  ============================
"""

from __future__ import annotations

from enum import IntEnum
from typing import get_args

from skill_proto.messages import ErrorCode
from skill_proto.shared_memory.seqlock import Seqlock
from skill_runtime.channel import stop_requests
from skill_runtime.channel.record_queue import HEADER_BYTES, SLOT_HEADER_BYTES, RecordQueue
from skill_runtime.channel.stop_requests import StopRequests

QUEUE_SLOTS = 64
"""Commands, and replies, that may wait."""

COMMAND_BYTES = 10_240
"""Longest command record: a vector of 1,024 numbers, its header and two texts."""

REPLY_BYTES = 3_200
"""Longest reply record: three texts."""

STEP_BYTES = 16 * 1024
"""Longest record of a policy step: about 4,000 numbers."""

STATE_BYTES = 64 * 1024
"""Longest state record."""

ERROR_CODES: tuple[ErrorCode, ...] = get_args(ErrorCode)


class Word(IntEnum):
    """Index of each single word; a beat is the server time of a heartbeat [ns]."""

    CONTROLLER_BEAT = 0
    GATEWAY_BEAT = 1
    SERVICE_BEAT = 2
    ENDING = 3
    """Not 0 once the server ends; set by the supervisor."""
    SERVICE_WANTED = 4
    """Not 0 once a client has sent ``act``; set by the gateway."""
    SERVICE_STARTS = 5
    """Number of starts of the policy service; set by the supervisor."""
    GATEWAY_STARTS = 6
    LISTENER_STARTS = 7
    REJECTED = 8
    """First of the gateway's counts of refusals, one for each error code."""


WORDS = stop_requests.OFFSET // 8

_STOPS_END = stop_requests.OFFSET + stop_requests.BYTES
_STATE = -(-_STOPS_END // 64) * 64
_COMMANDS = _STATE + STATE_BYTES
_REPLIES = _COMMANDS + HEADER_BYTES + QUEUE_SLOTS * (COMMAND_BYTES + SLOT_HEADER_BYTES)
_STEPS = _REPLIES + HEADER_BYTES + QUEUE_SLOTS * (REPLY_BYTES + SLOT_HEADER_BYTES)
CHANNEL_BYTES = _STEPS + HEADER_BYTES + QUEUE_SLOTS * (STEP_BYTES + SLOT_HEADER_BYTES)
"""Memory of a channel [bytes]; pages that are never written take no space."""


class Channel:
    """The parts of the shared memory.

    Args:
        memory: :data:`CHANNEL_BYTES` of memory, zero at the start of the server. Inside one
            process, for tests and simulation, a ``bytearray`` will do.

    Attributes:
        words: single words, at the indices of :class:`Word`.
        stops: stops and the heartbeat of the stop listener.
        state: the newest state.
        commands: commands for the controller.
        replies: its replies.
        steps: its policy steps, for recorders.
    """

    def __init__(self, memory: memoryview) -> None:
        self.words = memory[: 8 * WORDS].cast("Q")
        self.stops = StopRequests(memory[stop_requests.OFFSET : _STOPS_END])
        self.state = Seqlock(memory[_STATE:_COMMANDS])
        self.commands = RecordQueue(memory[_COMMANDS:_REPLIES], COMMAND_BYTES)
        self.replies = RecordQueue(memory[_REPLIES:_STEPS], REPLY_BYTES)
        self.steps = RecordQueue(memory[_STEPS:CHANNEL_BYTES], STEP_BYTES)

    @classmethod
    def in_process(cls) -> Channel:
        """Returns a channel whose parts are all used in this process."""
        return cls(memoryview(bytearray(CHANNEL_BYTES)))

    @property
    def ending(self) -> bool:
        """Whether the server ends."""
        return self.words[Word.ENDING] != 0

    def count_refusal(self, code: str) -> None:
        """Counts a refusal of the gateway; the counts outlive a restart of the gateway.

        Args:
            code: one of :data:`ERROR_CODES`; another one is not counted.
        """
        if code in ERROR_CODES:
            self.words[Word.REJECTED + ERROR_CODES.index(code)] += 1

    def refusals(self) -> dict[str, int]:
        """Returns the gateway's refusals by counter, without those that never happened."""
        counts = zip(ERROR_CODES, self.words[Word.REJECTED :], strict=False)
        return {f"rejected.{code}": count for code, count in counts if count}
