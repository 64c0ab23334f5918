"""The gateway's end of the socket to the policy service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import REPLY, Act, Acted, Error
from skill_proto.wire import array_specs, pack, unpack
from skill_runtime.policy_service.config import MAX_ROWS
from skill_runtime.policy_service.inference.opening import open_stepper
from skill_runtime.policy_service.models import ServedModel
from skill_runtime.policy_service.process import GatewayLink
from skill_runtime.realtime.clock import ManualClock

REPLY_MS = 60_000
"""Longest wait for a reply [ms]; long, since the machine may be busy."""

INSTANCE = "run1"


class Received(NamedTuple):
    """One reply."""

    sender: bytes
    code: str
    reply: Acted | Error
    arrays: dict[str, FloatArray]


def act_frames(message: Act, arrays: dict[str, FloatArray]) -> list[bytes]:
    """Returns the frames of a request; ``arrays`` of the message are filled in."""
    return pack(message.model_copy(update={"arrays": array_specs(arrays)}), arrays)


class GatewayEnd:
    """A bound DEALER."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str) -> None:
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.bind(address)
        self.address = address

    def send(
        self,
        session: str = "s",
        *,
        sender: bytes = b"A",
        message_id: int = 0,
        episode: int | None = None,
        instance: str | None = None,
        **arrays: FloatArray | None,
    ) -> None:
        """Sends a request."""
        given = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
        message = Act(id=message_id, session=session, episode=episode, instance=instance)
        self.socket.send_multipart([sender, *act_frames(message, given)])

    def parts(self) -> list[bytes]:
        """Returns the next message of the service as it is on the wire."""
        assert self.socket.poll(REPLY_MS), "no message"
        return self.socket.recv_multipart()

    def receive(self) -> Received:
        """Returns the next reply."""
        sender, code, *frames = self.parts()
        reply, arrays = unpack(frames, REPLY)
        assert isinstance(reply, Acted | Error)
        assert reply.instance == INSTANCE
        assert code.decode() == (reply.code if isinstance(reply, Error) else "")
        return Received(sender, code.decode(), reply, arrays)


class Rig(GatewayEnd):
    """The gateway's end, and a service that the test steps on a clock of its own."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], model: Path, slots: int = MAX_ROWS
    ) -> None:
        super().__init__(context, f"inproc://service-{id(self)}")
        self.peer = context.socket(zmq.DEALER)
        self.peer.setsockopt(zmq.LINGER, 0)
        self.peer.connect(self.address)
        self.clock = ManualClock(100.0)
        self.beats = 0
        stepper = open_stepper(model, device="cpu", slots=slots)
        self.model = ServedModel(model.stem, stepper, "cpu", slots)
        self.service = GatewayLink(self.peer, self.model, INSTANCE, self.clock, self._beat)

    def _beat(self) -> None:
        self.beats += 1

    def parts(self) -> list[bytes]:
        """Steps the service until it has replied, and returns the reply."""
        if not self.socket.poll(0):
            assert self.peer.poll(REPLY_MS), "no request"
            self.service.step()
        return super().parts()

    def ask(self, session: str = "s", **fields: object) -> Received:
        """Sends a request, and returns its reply."""
        self.send(session, **fields)  # type: ignore[arg-type]
        return self.receive()

    def receive_all(self, count: int) -> list[Received]:
        """Returns the next replies."""
        return [self.receive() for _ in range(count)]


@contextmanager
def stepped(model: Path, slots: int = MAX_ROWS) -> Iterator[Rig]:
    """Yields a service that the test steps."""
    with zmq.Context() as context:
        rig = Rig(context, model, slots)
        try:
            yield rig
        finally:
            rig.socket.close()
            rig.peer.close()


def stacked(received: Iterable[Received], name: str) -> FloatArray:
    """Returns one array of several replies, stacked."""
    return np.stack([item.arrays[name] for item in received])
