"""Keeps a flood of messages with a token that is not in force away from the controller.

Each message that is passed on wakes the control loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from skill_proto.messages import Granted, Inbound, Message
from skill_runtime.authority.lease import ACQUIRE, ENDS_KEPT, UNKNOWN_TOKEN
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.state_layout import State
from skill_runtime.realtime.clock import Clock

UNKNOWN_RATE_HZ = 20.0
"""Messages per second with an unknown token that are passed on in the long run. Only the controller
knows why the lease of an earlier gateway's client has ended."""

UNKNOWN_BURST = 20.0
"""Messages with an unknown token that are passed on at once after a pause."""


class LeaseCheck:
    """Refuses messages whose token was never granted, beyond a few a second.

    A token is known if it is that of the newest state, or if this gateway has passed it on to a
    client. The controller writes the state before it replies, so the token of a lease in force is
    always known.

    Args:
        clock: Server time.
        newest_state: Returns the newest state; None before the first.
    """

    def __init__(self, clock: Clock, newest_state: Callable[[], State | None]) -> None:
        self._clock = clock
        self._newest_state = newest_state
        self._granted: deque[str] = deque(maxlen=1 + ENDS_KEPT)
        self._credit, self._credited = UNKNOWN_BURST, clock.now()

    def note(self, reply: Message) -> None:
        """Remembers the token of a lease that the controller has granted."""
        if isinstance(reply, Granted):
            self._granted.append(reply.lease)

    def check(self, message: Inbound) -> None:
        """Returns if the message has no token or a known one, or while a few have an unknown one.

        Raises:
            Refusal: ``no_lease``.
        """
        token: str | None = getattr(message, "lease", None)
        if token is None or token in self._granted:
            return
        state = self._newest_state()
        if state is None or token == state.texts["lease"]:
            return
        now = self._clock.now()
        gained = UNKNOWN_RATE_HZ * (now - self._credited)
        self._credit, self._credited = min(UNKNOWN_BURST, self._credit + gained), now
        if self._credit < 1.0:
            raise Refusal("no_lease", UNKNOWN_TOKEN, ACQUIRE)
        self._credit -= 1.0
