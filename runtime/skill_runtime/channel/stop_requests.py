"""Stops on their way from the stop listener to the controller.

The listener counts the stops that it has received, and the controller the stops that it has
executed. A count cannot overflow like a queue, and a stop cannot be lost.

This module imports only the standard library, so that the stop listener stays small.
"""

from __future__ import annotations

from skill_proto.shared_memory.seqlock import HEADER_BYTES as SEQLOCK_BYTES
from skill_proto.shared_memory.seqlock import Seqlock

OFFSET = 512
"""Place of the stops in the memory of a channel [bytes]."""

BLOCKED = "the stop socket is flooded, or blocked by a message of too many frames"
"""Reason of a stop while messages wait unread."""

MAX_REASON_BYTES = 1024
"""Longest reason in UTF-8: 256 characters of four bytes."""

_REQUESTED, _EXECUTED, _BLOCKED, _BEAT, _PID = 0, 8, 16, 17, 18
_WORDS = 24

BYTES = 8 * _WORDS + SEQLOCK_BYTES + MAX_REASON_BYTES
"""Memory that a :class:`StopRequests` needs [bytes]."""


class StopRequests:
    """Counts and the newest reason in shared memory, and the heartbeat of the stop listener.

    Args:
        memory: :data:`BYTES` of shared memory.
    """

    def __init__(self, memory: memoryview) -> None:
        self._words = memory[: 8 * _WORDS].cast("Q")
        self._reason = Seqlock(memory[8 * _WORDS : BYTES])

    # The stop listener --------------------------------------------------------------------------

    def request(self, reason: str) -> int:
        """Requests a stop.

        Returns:
            Its number; the stop has been executed once :attr:`executed` has reached it.
        """
        self._reason.write(reason.encode("utf-8", "replace")[:MAX_REASON_BYTES])
        self._words[_REQUESTED] += 1
        return self._words[_REQUESTED]

    def beat(self, now_ns: int, pid: int) -> None:
        """Records that the stop listener with this process id was alive at server time [ns]."""
        self._words[_PID] = pid
        self._words[_BEAT] = now_ns

    @property
    def blocked(self) -> bool:
        """Whether messages wait on the stop socket behind others; the listener sets it."""
        return self._words[_BLOCKED] != 0

    @blocked.setter
    def blocked(self, value: bool) -> None:
        self._words[_BLOCKED] = int(value)

    # The controller -----------------------------------------------------------------------------

    @property
    def requested(self) -> int:
        """Number of stops requested since the start."""
        return self._words[_REQUESTED]

    @property
    def executed(self) -> int:
        """Number of stops executed since the start; the controller sets it."""
        return self._words[_EXECUTED]

    @executed.setter
    def executed(self, value: int) -> None:
        self._words[_EXECUTED] = value

    @property
    def reason(self) -> str:
        """The reason of the newest request; '' if it gave none."""
        return (self._reason.read() or b"").decode("utf-8", "ignore")

    @property
    def beat_ns(self) -> int:
        """Server time of the newest heartbeat [ns]; 0 before the first."""
        return self._words[_BEAT]

    @property
    def pid(self) -> int:
        """Process id of the stop listener; 0 before its first heartbeat."""
        return self._words[_PID]
