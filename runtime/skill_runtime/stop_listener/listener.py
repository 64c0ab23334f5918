"""Reads the stop socket, requests stops from the controller, and confirms those it has executed.

The socket fails safe: a message stops the arm unless it is a readable message of another kind, or
is addressed to another server. A message that is too long to be read stops the arm, too.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import zmq

from skill_runtime.channel.stop_requests import BLOCKED, StopRequests

MAX_FRAMES = 9
MAX_BYTES = 64 * 1024
"""A message with more frames or bytes stops the arm unread."""

FRAMES_PER_STEP = 256
"""Frames that one step reads; the arm stays stopped while others wait."""

MAX_DROPPED_FRAMES = 50_000
"""More surplus frames, of one message or of several, end the process, which is faster than to drop
all of them. The arm stays stopped meanwhile."""

FORGIVEN_FRAMES_HZ = 100_000.0
"""Surplus frames per second that do not count."""

MAX_REASON_LENGTH = 256
"""Characters of a reason that are kept."""

MAX_WAITING_REPLIES = 1024


Reply = dict[str, object]
"""A reply without the fields that are equal in all."""

WaitingReply = tuple[int, bytes, Reply]
"""Number of a stop, receiver, reply."""


class StopSocket(Protocol):
    """A ROUTER socket."""

    def recv(self, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq's signature
        """Returns the next frame."""
        ...

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq
        """Sends a message."""
        ...


class TooManyFramesError(Exception):
    """The messages have more than :data:`MAX_DROPPED_FRAMES` surplus frames."""


@dataclass
class StopListener:
    """Answers the messages on one stop socket."""

    socket: StopSocket
    stops: StopRequests
    wake_controller: Callable[[], None]
    now: Callable[[], float]
    """Server time [s]."""
    instance: str = ""
    """Name of this run of the server."""
    refusal: Callable[[zmq.Frame], str] | None = None
    """Returns why the sender of a frame may not stop the arm, empty if it may; None lets every
    sender."""
    _parts: list[bytes] = field(default_factory=list[bytes])
    _refused: str = ""
    """Why the sender of the message that is read may not stop the arm."""
    _bytes: int = 0
    _dropped: int = 0
    """Dropped frames of the message that is read."""
    _surplus: float = 0.0
    """Dropped frames of all messages that are not forgiven."""
    _forgiven_at: float = -math.inf
    _waiting: deque[WaitingReply] = field(default_factory=deque[WaitingReply])

    def step(self) -> None:
        """Reads waiting frames, and replies to the stops that the controller has executed.

        Raises:
            TooManyFramesError: The process must start anew.
        """
        requested, now = self.stops.requested, self.now()
        self._surplus = max(0.0, self._surplus - FORGIVEN_FRAMES_HZ * (now - self._forgiven_at))
        self._forgiven_at = now
        self.stops.blocked = self._read() or self._dropped > 0
        if self.stops.blocked:
            self.stops.request(BLOCKED)
        if self.stops.requested != requested:
            self.wake_controller()
        self.confirm()

    def confirm(self) -> None:
        """Replies to the stops that the controller has executed."""
        while self._waiting and self._waiting[0][0] <= self.stops.executed:
            _, sender, reply = self._waiting.popleft()
            self._send(sender, reply)

    def _read(self) -> bool:
        """Reads up to :data:`FRAMES_PER_STEP` frames; returns whether others may wait."""
        for _ in range(FRAMES_PER_STEP):
            try:
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return False
            self._add(frame)
        return True

    def _add(self, frame: zmq.Frame) -> None:
        if self.refusal is not None and not self._parts:
            self._refused = self.refusal(frame)
        self._bytes += len(frame)
        if len(self._parts) <= MAX_FRAMES and self._bytes <= MAX_BYTES:
            self._parts.append(frame.bytes)
        else:
            self._dropped += 1
            self._surplus += 1
        if self._dropped == 1 and not self._refused:  # the end of the message may be far away
            self.stops.request("a message on the stop socket is too long to be read")
            self.wake_controller()
        if self._surplus > MAX_DROPPED_FRAMES:
            self.stops.blocked = True  # until the next process has found the socket empty
            raise TooManyFramesError
        if frame.more:
            return
        (sender, *frames), dropped = self._parts, self._dropped
        self._parts, self._bytes, self._dropped = [], 0, 0
        self._answer(sender, frames, is_too_long=dropped > 0)

    def _answer(self, sender: bytes, frames: list[bytes], *, is_too_long: bool) -> None:
        headers = [_parse(frame) for frame in frames if frame]
        stops = [header for header in headers if _means_stop(header)]
        stop = next((header for header in stops if not self._is_foreign(header)), None)
        message_id = next((_id_of(header) for header in headers if isinstance(header, dict)), 0)
        ok: Reply = {"type": "ok", "id": message_id}
        if self._refused:
            fix = "ask the server's operator to allow it"
            self._send(sender, _error(message_id, "forbidden", self._refused, fix))
        elif is_too_long:  # it has requested a stop already
            text = "the message is too long to be read; the arm was stopped"
            self._send_after(self.stops.requested, sender, _error(message_id, "too_large", text))
        elif stop is not None:
            self._send_after(self.stops.request(_reason_of(stop)), sender, ok)
        elif stops:
            text = f"this is server {self.instance}, and the stop is meant for another"
            fix = "ask 'hello' for the stop address of the server that is meant"
            self._send(sender, _error(message_id, "wrong_server", text, fix))
        else:
            self._send(sender, _error(message_id, "unknown_type", "the message is not a stop"))

    def _is_foreign(self, header: Header) -> bool:
        """Returns whether a message names another server; no name or a broken one means this."""
        given = header.get("instance") if isinstance(header, dict) else None
        return isinstance(given, str) and given not in ("", self.instance)

    def _send_after(self, number: int, sender: bytes, reply: Reply) -> None:
        """Sends a reply once the controller has executed the stop with this number."""
        if len(self._waiting) < MAX_WAITING_REPLIES:
            self._waiting.append((number, sender, reply))

    def _send(self, sender: bytes, reply: Reply) -> None:
        whole = {"v": 1, "time": self.now(), "instance": self.instance, **reply}
        with suppress(zmq.ZMQError):  # the sender has gone, or does not read
            self.socket.send_multipart([sender, json.dumps(whole).encode()], zmq.NOBLOCK)


def _error(message_id: int, code: str, message: str, fix: str = 'send {"type": "stop"}') -> Reply:
    return {"type": "error", "id": message_id, "code": code, "message": message, "fix": fix}


Header = dict[str, Any] | bytes
"""A frame: its JSON object, or its bytes if it has none."""


def _parse(frame: bytes) -> Header:
    try:
        header = json.loads(frame)
    except (ValueError, RecursionError):
        return frame
    return header if isinstance(header, dict) else frame


def _means_stop(header: Header) -> bool:
    if isinstance(header, dict):
        return header.get("type", "stop") == "stop"
    return b"stop" in header.replace(b"\0", b"").lower()  # UTF-16 has zero bytes between letters


def _reason_of(header: Header) -> str:
    if not isinstance(header, dict):
        return "(from a malformed message)"
    return str(header.get("reason") or "")[:MAX_REASON_LENGTH]


def _id_of(header: dict[str, Any]) -> int:
    given = header.get("id")
    return given if type(given) is int and 0 <= given <= 2**53 else 0
