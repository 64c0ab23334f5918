"""The key that holds the lease: when it is revoked, the lease ends, and the arm holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from skill_proto.messages import Acquire, Granted, Inbound, Message

MAX_WAITING = 64
"""Requests for the lease whose reply is awaited; the oldest is forgotten."""


class LeaseKey:
    """Knows which key holds the lease.

    Args:
        refusal: Returns why a key may not send messages of a type, empty if it may; None if
            messages have no keys.
    """

    def __init__(self, refusal: Callable[[str, str], str] | None) -> None:
        self._refusal = refusal
        self._asked: OrderedDict[int, str] = OrderedDict()
        self._key = self._token = ""
        self._is_revoked = False

    def passed_on(self, request: int, key: str, message: Inbound) -> None:
        """Notes a message that was passed to the controller, and the key of its sender."""
        if self._refusal is not None and isinstance(message, Acquire):
            self._asked[request] = key
            if len(self._asked) > MAX_WAITING:
                self._asked.popitem(last=False)

    def replied(self, request: int, reply: Message) -> None:
        """Notes a reply of the controller."""
        key = self._asked.pop(request, "")
        if key and isinstance(reply, Granted):
            self._key, self._token, self._is_revoked = key, reply.lease, False

    def revoked(self) -> str:
        """Returns the token of a lease whose key may not command any more; else empty.

        The token is returned until it is forgotten, even if the key is allowed again meanwhile.
        """
        if not self._token or self._refusal is None:
            return ""
        self._is_revoked = self._is_revoked or bool(self._refusal(self._key, "renew"))
        return self._token if self._is_revoked else ""

    def forget(self) -> None:
        """Forgets the lease: the controller was told to end it."""
        self._key = self._token = ""
        self._is_revoked = False
