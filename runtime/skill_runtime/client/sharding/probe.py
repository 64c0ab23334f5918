"""Probe: asks an address that did not answer whether it answers again, without waiting."""

from __future__ import annotations

from skill_proto.messages import Hello
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ClientError

INTERVAL_S = 0.25
"""Shortest time between two questions [s]."""


class Probe:
    """Questions to one address; ZeroMQ connects in the background.

    Args:
        connection: A connection of its own.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked_at = float("-inf")

    def is_answered(self, now: float) -> bool:
        """Returns whether a reply has arrived; asks again from time to time.

        Args:
            now: Monotonic time [s].
        """
        try:
            # An error is a reply, too: the process at the address reads its messages. So is the
            # refusal of a key: the next call then raises its reason.
            if any(True for _ in self._connection.replies()) or self._connection.refusal():
                return True
            if now - self._asked_at >= INTERVAL_S and self._connection.post(Hello()) is not None:
                self._asked_at = now
        except ClientError:
            self._connection.close()
        return False

    def close(self) -> None:
        """Closes the socket."""
        self._connection.close()
