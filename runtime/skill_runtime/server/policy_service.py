"""Answers ``act`` requests: observations in, actions out, for robots that run elsewhere.

The service has its own thread and its own copy of the policy, so that a large request does not
delay the control loop. Waiting requests are answered by one inference.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import zmq

from skill_proto.arrays import Array, FloatArray
from skill_proto.messages import COMMAND, Act, Acted, Error
from skill_proto.wire import WireError, array_specs, pack, unpack
from skill_runtime.policy import OnnxPolicy, PolicyOutput
from skill_runtime.realtime.clock import Clock
from skill_runtime.server.policy_sessions import PolicySessions
from skill_runtime.server.validation import validate_act

MAX_WAITING_REQUESTS = 64
"""Capacity of the queue of requests, and of the queue of replies."""

POLL_MS = 50
"""Interval at which the idle thread checks whether the service is closing [ms]."""


@dataclass(frozen=True)
class ActRequest:
    """One valid ``act``."""

    sender: bytes
    message: Act
    arrays: Mapping[str, Array]
    slots: list[int]


class PolicyService:
    """The thread of the policy, and the queues to and from it.

    :meth:`submit`, :meth:`finished` and :meth:`close` are called from the loop's thread.

    Args:
        policy: A policy that only this service uses.
        context: ZeroMQ context of the server's sockets.
        clock: Server time.

    Attributes:
        replies: Socket that becomes readable when a reply is ready.
    """

    def __init__(
        self, policy: OnnxPolicy, context: zmq.Context[zmq.Socket[bytes]], clock: Clock
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._sessions = PolicySessions(policy)
        name = f"inproc://policy-service-{id(self)}"
        self._request_sender, self._requests = _pipe(context, name)
        self._reply_sender, self.replies = _pipe(context, f"{name}-replies")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy-service", daemon=True)
        self._thread.start()

    def submit(self, sender: bytes, frames: list[zmq.Frame]) -> bool:
        """Queues a request without reading it; returns False if the queue is full."""
        try:
            self._request_sender.send_multipart([sender, *frames], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def finished(self) -> Iterator[tuple[bytes, str, list[bytes]]]:
        """Yields the ready replies: receiver, error code or '', frames."""
        while True:
            try:
                receiver, error_code, *frames = self.replies.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            yield receiver, error_code.decode(), frames

    def close(self) -> None:
        """Ends the thread and drops the waiting requests."""
        self._closing.set()
        while self._thread.is_alive():
            for _ in self.finished():  # the thread may be waiting for space in the queue
                pass
            self._thread.join(0.01)
        self._request_sender.close()
        self.replies.close()

    # In the service's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            waiting = 0
            batch: list[ActRequest] = []
            while waiting < MAX_WAITING_REQUESTS and self._requests.poll(0 if waiting else POLL_MS):
                waiting += 1
                batch = self._add(batch, self._requests.recv_multipart())
            self._infer(batch)
        self._requests.close()
        self._reply_sender.close()

    def _add(self, batch: list[ActRequest], parts: list[bytes]) -> list[ActRequest]:
        """Adds a request to the batch, which runs first if they cannot share an inference."""
        sender, *frames = parts
        message_id = 0
        try:
            message, arrays = unpack(frames, COMMAND)
            message_id = message.id
            if not isinstance(message, Act):
                raise WireError("malformed", f"{message.type!r} has no arrays", "send one frame")
            rows = validate_act(arrays, self._policy.manifest)
            if not self._can_join(batch, message, arrays):
                self._infer(batch)
                batch = []
            slots = self._sessions.acquire(message.session, message.episode, rows)
        except WireError as error:
            self._refuse(sender, error.message_id or message_id, error)
            return batch
        values = {name: array.astype(np.float64) for name, array in arrays.items()}
        return [*batch, ActRequest(sender, message, values, slots)]

    def _can_join(
        self, batch: list[ActRequest], message: Act, arrays: Mapping[str, FloatArray]
    ) -> bool:
        # A new episode may take slots from a session that waits in the batch.
        return (
            self._sessions.is_running(message.session, message.episode)
            and all(message.session != other.message.session for other in batch)
            and (not batch or arrays.keys() == batch[0].arrays.keys())
        )

    def _infer(self, batch: list[ActRequest]) -> None:
        if not batch:
            return
        start = time.perf_counter()
        joined = {
            name: np.concatenate([request.arrays[name] for request in batch])
            for name in batch[0].arrays
        }
        slots = [slot for request in batch for slot in request.slots]
        try:
            output = self._policy.step_slots(slots, **joined)
        except Exception as error:  # a policy may raise any exception; clients must get a reply
            for request in batch:
                self._fail(request, str(error))
            return
        inference_s = time.perf_counter() - start
        first = 0
        for request in batch:
            rows = slice(first, first + len(request.slots))
            first = rows.stop
            if output.is_finite[rows].all():
                self._reply(request, _reply_arrays(output, rows), inference_s)
            else:  # other requests of the batch are not affected
                self._fail(request, "its action or recurrent state is not finite")

    def _reply(
        self, request: ActRequest, arrays: dict[str, FloatArray], inference_s: float
    ) -> None:
        reply = Acted(
            id=request.message.id,
            time=self._clock.now(),
            inference_s=inference_s,
            arrays=array_specs(arrays),
        )
        self._reply_sender.send_multipart([request.sender, b"", *pack(reply, arrays)])

    def _fail(self, request: ActRequest, reason: str) -> None:
        problem = WireError("internal", f"the policy failed: {reason}", "start a new episode")
        self._refuse(request.sender, request.message.id, problem)

    def _refuse(self, sender: bytes, message_id: int, error: WireError) -> None:
        reply = Error(
            id=message_id,
            time=self._clock.now(),
            code=error.code,
            message=str(error),
            fix=error.fix,
        )
        self._reply_sender.send_multipart([sender, error.code.encode(), *pack(reply)])


def _reply_arrays(output: PolicyOutput, rows: slice) -> dict[str, FloatArray]:
    """Returns the arrays of a reply; a distance that is not finite is left out."""
    distance = output.context_distance
    arrays: dict[str, FloatArray | None] = {
        "action": output.action,
        "context": output.context,
        "context_distance": distance if _is_finite(distance, rows) else None,
        "estimate": output.estimate,
    }
    return {name: array[rows] for name, array in arrays.items() if array is not None}


def _is_finite(array: FloatArray | None, rows: slice) -> bool:
    return array is not None and bool(np.isfinite(array[rows]).all())


def _pipe(
    context: zmq.Context[zmq.Socket[bytes]], name: str
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """Returns sender and receiver of a bounded queue between two threads."""
    sender, receiver = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    for socket in (sender, receiver):
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, MAX_WAITING_REQUESTS)
        socket.setsockopt(zmq.RCVHWM, MAX_WAITING_REQUESTS)
    receiver.bind(name)
    sender.connect(name)
    return sender, receiver
