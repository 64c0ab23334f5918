"""Calls like an earlier one of the same session: prepared frames out, known frames in.

A call costs little more than its system calls if the program pauses between calls, as a robot does,
and finds its code out of the processor's caches. So this way has few steps: a request differs from
the last one in its id and its arrays, and a reply is recognised by comparing bytes. Anything else,
such as a refusal or an unusual argument, goes the usual way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq
from numpy.typing import ArrayLike

from skill_proto.arrays import FloatArray
from skill_runtime.client.policy.acts import SPLIT, ReplyHead
from skill_runtime.client.sessions import SessionAge

_MORE, _NOW = int(zmq.SNDMORE) | int(zmq.NOBLOCK), int(zmq.NOBLOCK)
_SINGLE = np.dtype("<f4")

MAX_CALLS = 1024
"""Sessions whose calls are prepared; beyond them all are prepared anew."""


@dataclass(slots=True)
class PreparedCall:
    """The parts of a session's calls that stay the same."""

    head: bytes
    """Header of a request up to its id."""
    command: str
    """'skill', 'goal', or '' for a policy that takes neither."""
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    """Shapes of observation and command."""
    reply: bytes
    """Header of a reply up to its id."""
    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of each array of the reply."""
    age: SessionAge


class OtherFramesError(Exception):
    """A reply has other frames than its header names."""


QuickResult = tuple[dict[str, FloatArray] | None, list[bytes]]
"""The arrays of a reply and its header; or None, and the frames to read the usual way, without any
if the request cannot be sent now."""


def prepare(
    head: bytes, given: dict[str, Any], reply: bytes, described: ReplyHead, age: SessionAge
) -> PreparedCall | None:
    """Returns the prepared form of a call that was answered; None if it has none.

    Args:
        head: Header of its request up to the id.
        given: Its arrays by name.
        reply: Header of its reply up to the id.
        described: The arrays of the reply.
        age: Age of the session's recurrent state.
    """
    names = [name for name in given if name != "observation"]
    if len(names) > 1 or "previous_action" in names:
        return None
    command = names[0] if names else ""
    shapes = given["observation"].shape, given[command].shape if command else ()
    return PreparedCall(head + SPLIT, command, shapes, reply + SPLIT, described.arrays, age)


def as_frame(values: ArrayLike | None, shape: tuple[int, ...]) -> bytes | None:
    """Returns an array as it is sent; None if it needs the checks of the usual way."""
    if type(values) is not np.ndarray or values.shape != shape:
        return None
    return values.tobytes() if values.dtype == _SINGLE else None


def exchange(
    socket: zmq.Socket[bytes],
    call: PreparedCall,
    frames: tuple[bytes, bytes],
    number: bytes,
    deadline: float | None,
) -> QuickResult:
    """Sends a request and receives the next reply.

    Args:
        socket: The connected socket.
        call: The prepared call.
        frames: Observation and command.
        number: The id of the request.
        deadline: Server time by which the reply is needed [s].

    Raises:
        zmq.ZMQError: The socket failed, or no reply came in time.
        OtherFramesError: The reply has other frames than its header names.
    """
    send, receive, age = socket.send, socket.recv, call.age
    try:
        if deadline is None:
            send(call.head + number + b"}", _MORE)
        else:
            send(b'%b%b,"deadline":%.6f}' % (call.head, number, max(deadline, 0.0)), _MORE)
    except zmq.Again:
        return None, []
    if call.command:
        send(frames[0], _MORE)
        send(frames[1], _NOW)
    else:
        send(frames[0], _NOW)
    frame = receive(0, False)
    header = frame.bytes
    usual = b'%b%b,"steps":%d,' % (call.reply, number, age.steps + 1)
    if frame.more and header.startswith(usual) and not age.unanswered:
        arrays: dict[str, FloatArray] = {}
        try:
            for name, shape in call.arrays:
                frame = receive(0, False)
                arrays[name] = np.ndarray(shape, _SINGLE, frame.bytes)
                if not frame.more:
                    break
        except TypeError:  # the frame is too short for the array
            raise OtherFramesError from None
        if not frame.more and len(arrays) == len(call.arrays):
            age.steps += 1
            return arrays, [header]
        raise OtherFramesError
    received = [header]
    while frame.more:
        frame = receive(0, False)
        received.append(frame.bytes)
    return None, received
