"""Requests and replies of ``act`` as frames.

The messages of one session differ in a few numbers only. The first request is validated and the
first reply parsed in full; later ones are made of, and recognised by, the part that stays the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.arrays import Float32Array, FloatArray
from skill_proto.messages import Act, Acted, Error, Reply
from skill_proto.printable import printable
from skill_proto.wire import array_specs
from skill_runtime.client.connection import to_frames, to_reply
from skill_runtime.client.errors import ProtocolError
from skill_runtime.client.requests import make_request, to_arrays

MAX_HEADS = 4096
"""Requests and replies whose unchanging part is remembered; beyond them all are forgotten."""

_TAIL = re.compile(
    rb'([0-9]{1,16}),"steps":([0-9]{1,18}),"time":([0-9.]{1,24}),"inference_s":([0-9.]{1,24})'
    rb'(?:,"late_s":([0-9.]{1,24}))?\}'
)
"""End of a reply after its ``id`` key."""

SPLIT = b',"id":'
"""Between the part of a header that stays the same and its numbers."""


@dataclass(slots=True)
class Answer:
    """One reply to ``act``."""

    message_id: int
    time: float
    """Server time [s]."""
    inference_s: float
    steps: int
    late_s: float
    """How long after its deadline the reply was sent [s]; 0 if it was in time."""
    instance: str
    arrays: dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class ReplyHead:
    """The part of a reply's header that stays the same."""

    instance: str
    arrays: tuple[tuple[str, tuple[int, ...]], ...]
    """Name and shape of each array, all in single precision."""


@dataclass(slots=True)
class ActCall:
    """The arguments of one call."""

    session: str
    episode: int | None
    model: str | None
    observation: ArrayLike
    skill: ArrayLike | None = None
    goal: ArrayLike | None = None
    previous_action: ArrayLike | None = None
    instance: str = ""
    """The server that is meant."""

    @property
    def full_name(self) -> str:
        """Name of the session, apart from those of other models."""
        return self.session if self.model is None else f"{self.model}: {self.session}"


class ActFrames:
    """Makes the frames of requests, and reads those of replies.

    Args:
        address: Endpoint of the service, for errors.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._heads: dict[object, bytes] = {}
        self._replies: dict[bytes, ReplyHead] = {}

    def request(self, call: ActCall, message_id: int, deadline: float | None) -> list[bytes]:
        """Returns the frames of a request.

        Args:
            call: The arguments.
            message_id: Id of the request.
            deadline: Server time by which the reply is needed [s]; None if it has no deadline.

        Raises:
            CommandRefusedError: An argument cannot be sent; its code is the server's.
        """
        arrays = arrays_of(call)
        shapes = tuple((name, array.shape) for name, array in arrays.items())
        key = (call.session, call.episode, call.model, call.instance, shapes)
        head = self._heads.get(key)
        if head is None:
            head = self._first(call, arrays)
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[key] = head
        if deadline is None:
            header = b"%b%b%d}" % (head, SPLIT, message_id)
        else:
            header = b'%b%b%d,"deadline":%.6f}' % (head, SPLIT, message_id, max(deadline, 0.0))
        return [header, *[array.tobytes() for array in arrays.values()]]

    def head_of_reply(self, header: bytes) -> tuple[bytes, ReplyHead] | None:
        """Returns the part of a reply's header that stays the same; None if it is not known."""
        start = header.partition(SPLIT)[0]
        head = self._replies.get(start)
        return None if head is None else (start, head)

    def _first(self, call: ActCall, arrays: dict[str, Float32Array]) -> bytes:
        """Returns the header of a request up to its ``id``, after all checks."""
        message = make_request(
            Act,
            session=call.session,
            episode=call.episode,
            model=call.model,
            instance=call.instance or None,
            arrays=array_specs(arrays),
        )
        to_frames(message, arrays)  # refuses frames that are too long
        return message.model_dump_json(exclude={"id"}, exclude_none=True).encode()[:-1]

    def reply(self, frames: Sequence[bytes]) -> Answer | Reply:
        """Returns the answer in these frames, or the message if they are another one.

        Raises:
            ProtocolError: The frames are not a reply of this protocol version.
        """
        start, _, end = frames[0].partition(SPLIT)
        head, found = self._replies.get(start), _TAIL.fullmatch(end)
        if head is None or found is None or len(frames) != len(head.arrays) + 1:
            return self._full(frames)
        arrays: dict[str, FloatArray] = {}
        try:
            for frame, (name, shape) in zip(frames[1:], head.arrays, strict=True):
                arrays[name] = np.frombuffer(frame, "<f4").reshape(shape)
        except ValueError:
            raise other_frames(self._address) from None
        return self.answer(frames[0], arrays)

    def answer(self, header: bytes, arrays: dict[str, FloatArray]) -> Answer:
        """Returns the answer with a known header, of which :meth:`reply` knows the head."""
        start, _, end = header.partition(SPLIT)
        head, found = self._replies[start], _TAIL.fullmatch(end)
        assert found is not None
        message_id, steps, time_s, inference_s, late_s = found.groups()
        return Answer(
            int(message_id),
            float(time_s),
            float(inference_s),
            int(steps),
            0.0 if late_s is None else float(late_s),
            head.instance,
            arrays,
        )

    def _full(self, frames: Sequence[bytes]) -> Answer | Reply:
        reply, arrays = to_reply(list(frames), self._address)
        if isinstance(reply, Error) or not isinstance(reply, Acted):
            return reply
        start, _, end = frames[0].partition(SPLIT)
        if _TAIL.fullmatch(end) and all(spec.dtype == "float32" for spec in reply.arrays):
            if len(self._replies) >= MAX_HEADS:
                self._replies.clear()
            specs = tuple((spec.name, spec.shape) for spec in reply.arrays)
            self._replies[bytes(start)] = ReplyHead(reply.instance, specs)
        return Answer(
            reply.id,
            reply.time,
            reply.inference_s,
            reply.steps,
            reply.late_s,
            reply.instance,
            arrays,
        )


def other_frames(address: str) -> ProtocolError:
    """Returns the error for a reply with other frames than its header names."""
    return ProtocolError(
        f"the reply from {printable(address)} has other frames than its header names"
    )


def arrays_of(call: ActCall) -> dict[str, Float32Array]:
    """Returns the arrays of a call as they are sent, by name.

    Raises:
        CommandRefusedError: ``invalid``, an array cannot be sent.
    """
    given = {
        "observation": call.observation,
        "previous_action": call.previous_action,
        "skill": call.skill,
        "goal": call.goal,
    }
    return {name: _single(name, v) for name, v in given.items() if v is not None}


def _single(name: str, values: ArrayLike) -> Float32Array:
    """Returns an array in single precision; the server looks for numbers that are not finite."""
    if type(values) is np.ndarray and values.dtype == np.float32:
        return values
    return to_arrays({name: values})[name]
