"""Executes the commands that the gateway has put into the queue, and replies to them.

All methods are called by the control loop. A queue has no more than a few dozen records, and each
call handles a bounded number of them, so that no client can make a tick late.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from skill_proto.messages import Error, Inbound, Message
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.channel import Channel
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.realtime.clock import Clock

log = logging.getLogger(__name__)

MAX_COMMANDS_PER_READ = 16
"""Commands that one call executes."""


class CommandReader:
    """Reads commands and writes replies.

    Args:
        channel: The shared memory.
        authority: Counts refusals and faults.
        handle: Returns the reply to a command (``Dispatcher.handle``).
        clock: Server time.
        fault_points: Hooks for fault injection.
    """

    def __init__(
        self,
        channel: Channel,
        authority: Authority,
        handle: Callable[[Inbound, float], Message],
        clock: Clock,
        fault_points: FaultPoints | None = None,
    ) -> None:
        self._channel = channel
        self._authority = authority
        self._handle = handle
        self._clock = clock
        self._fault_points = fault_points

    def read(self, until: float) -> list[tuple[int, Message]]:
        """Executes commands until server time ``until``, at least one if one waits.

        Returns:
            Request number and reply of each.
        """
        if self._fault_points is not None:
            self._fault_points.enter("receive")
        replies: list[tuple[int, Message]] = []
        for _ in range(MAX_COMMANDS_PER_READ):
            try:
                record = self._channel.commands.get()
                if record is None:
                    break
                request, message = COMMANDS.decode(record)
            except CorruptRecordError as error:
                self._authority.events.count("invalid_records")
                log.error("a record of the gateway is dropped: %s", error)
                continue
            reply = self._answer(message)
            if self._fault_points is not None:
                self._fault_points.answered(message, reply)
            replies.append((request, reply))
            if self._clock.now() >= until:
                break
        return replies

    def reply(self, replies: list[tuple[int, Message]]) -> None:
        """Writes replies for the gateway; replies that it does not read are dropped."""
        for request, message in replies:
            if not self._channel.replies.put(REPLIES.encode(message, request)):
                self._authority.events.count("lost_replies")

    def _answer(self, message: Inbound) -> Message:
        now = self._clock.now()
        try:
            if self._fault_points is not None:
                self._fault_points.enter("handle")
            return self._handle(message, now)
        except Refusal as refusal:
            return self._refuse(refusal)
        except Exception as error:  # a bug of the server: the client must get a reply
            log.exception("internal error")
            self._authority.fault(f"internal error: {error}")
            return self._refuse(
                Refusal(
                    "internal",
                    f"internal server error, and the arm is in mode 'fault': {error}",
                    "report it with the server's log; 'clear' ends the fault",
                )
            )

    def _refuse(self, refusal: Refusal) -> Error:
        self._authority.events.record_event(
            f"refused: {refusal.message}"[:200], f"rejected.{refusal.code}"
        )
        return Error(
            time=self._clock.now(),
            code=refusal.code,
            message=refusal.message,
            fix=refusal.fix,
        )
