"""The policy service: observations in, actions out, for robots that run elsewhere.

It runs in a thread of its own with its own copy of the policy, so that no request, however large,
makes a tick late. Requests that wait together are answered by one inference.
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
from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyOutput
from skill_runtime.realtime.clock import Clock
from skill_runtime.server.policy_sessions import Sessions

QUEUE = 64
"""Requests that may wait."""

POLL_MS = 50
"""How often the idle thread looks whether it is to end [ms]."""


@dataclass(frozen=True)
class Request:
    """One valid ``act``."""

    sender: bytes
    message: Act
    arrays: Mapping[str, Array]
    slots: list[int]


class PolicyService:
    """The thread, and the queues to and from it.

    :meth:`submit` and :meth:`finished` belong to the loop's thread.

    Args:
        policy: used by this service alone.
        context: of the server's sockets.
        clock: server time.
    """

    def __init__(
        self, policy: OnnxPolicy, context: zmq.Context[zmq.Socket[bytes]], clock: Clock
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._sessions = Sessions(policy)
        name = f"inproc://policy-service-{id(self)}"
        self._out, self._in = _pipe(context, name)
        self._answers, self.replies = _pipe(context, f"{name}-replies")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="policy-service", daemon=True)
        self._thread.start()

    def submit(self, sender: bytes, frames: list[zmq.Frame]) -> bool:
        """Queues a request, unread; False where too many wait."""
        try:
            self._out.send_multipart([sender, *frames], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    def finished(self) -> Iterator[tuple[bytes, str, list[bytes]]]:
        """Replies that are ready: receiver, error code or '', frames."""
        while True:
            try:
                sender, refused, *frames = self.replies.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            yield sender, refused.decode(), frames

    def close(self) -> None:
        """Ends the thread; requests that wait are dropped."""
        self._closing.set()
        while self._thread.is_alive():
            for _ in self.finished():  # the thread may be waiting for room
                pass
            self._thread.join(0.01)
        self._out.close()
        self.replies.close()

    # In the service's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            waiting = 0
            batch: list[Request] = []
            while waiting < QUEUE and self._in.poll(0 if waiting else POLL_MS):
                waiting += 1
                batch = self._add(batch, self._in.recv_multipart())
            self._infer(batch)
        self._in.close()
        self._answers.close()

    def _add(self, batch: list[Request], parts: list[bytes]) -> list[Request]:
        """The batch with one more request; what cannot share its inference is served before."""
        sender, *frames = parts
        message_id = 0
        try:
            message, arrays = unpack(frames, COMMAND)
            message_id = message.id
            if not isinstance(message, Act):
                raise WireError("malformed", f"{message.type!r} has no arrays", "send one frame")
            rows = self._check(arrays)
            if not self._joins(batch, message, arrays):
                self._infer(batch)
                batch = []
            slots = self._sessions.slots(message.session, message.episode, rows)
        except WireError as error:
            self._refuse(sender, error.message_id or message_id, error)
            return batch
        values = {name: array.astype(np.float64) for name, array in arrays.items()}
        return [*batch, Request(sender, message, values, slots)]

    def _joins(self, batch: list[Request], message: Act, arrays: Mapping[str, FloatArray]) -> bool:
        # A new episode may take slots from a session that waits in the batch.
        return (
            self._sessions.running(message.session, message.episode)
            and all(message.session != other.message.session for other in batch)
            and (not batch or arrays.keys() == batch[0].arrays.keys())
        )

    def _check(self, arrays: dict[str, FloatArray]) -> int:
        """Number of rows of a request's arrays."""
        manifest = self._policy.manifest
        takes = {"observation": manifest.observation_size, "previous_action": manifest.action_size}
        commands = {"skill": manifest.skill.size, "goal": manifest.goal_size}
        takes |= {name: size for name, size in commands.items() if size}
        usage = "send " + ", ".join(f"{name} [n, {size}]" for name, size in takes.items())
        if "observation" not in arrays:
            raise WireError("invalid", "the request has no observation", usage)
        if any(commands.values()) and not commands.keys() & arrays.keys():
            missing = " and no ".join(name for name, size in commands.items() if size)
            raise WireError("invalid", f"the request has no {missing}", usage)
        rows = len(arrays["observation"]) if arrays["observation"].ndim == 2 else 0
        for name, array in arrays.items():
            if name not in takes or array.shape != (max(rows, 1), takes[name]):
                raise WireError(
                    "invalid",
                    f"array {name!r} of shape {list(array.shape)} is not what the policy takes",
                    usage,
                )
        return rows

    def _infer(self, batch: list[Request]) -> None:
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
        except Exception as error:  # a policy may raise anything; its clients must hear of it
            for request in batch:
                self._fail(request, str(error))
            return
        took = time.perf_counter() - start
        first = 0
        for request in batch:
            rows = slice(first, first + len(request.slots))
            first = rows.stop
            if output.sound[rows].all():
                self._reply(request, _rows_of(output, rows), took)
            else:  # the others in the batch have nothing to do with it
                self._fail(request, "its action or recurrent state is not finite")

    def _reply(self, request: Request, arrays: dict[str, FloatArray], took: float) -> None:
        reply = Acted(
            id=request.message.id,
            time=self._clock.now(),
            inference_s=took,
            arrays=array_specs(arrays),
        )
        self._answers.send_multipart([request.sender, b"", *pack(reply, arrays)])

    def _fail(self, request: Request, reason: str) -> None:
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
        self._answers.send_multipart([sender, error.code.encode(), *pack(reply)])


def _rows_of(output: PolicyOutput, rows: slice) -> dict[str, FloatArray]:
    """What a reply carries: whatever the policy gives of these, no distance of a young state."""
    distance = output.context_distance
    given: dict[str, FloatArray | None] = {
        "action": output.action,
        "context": output.context,
        "context_distance": distance if _is_finite(distance, rows) else None,
        "estimate": output.estimate,
    }
    return {name: array[rows] for name, array in given.items() if array is not None}


def _is_finite(array: FloatArray | None, rows: slice) -> bool:
    return array is not None and bool(np.isfinite(array[rows]).all())


def _pipe(
    context: zmq.Context[zmq.Socket[bytes]], name: str
) -> tuple[zmq.Socket[bytes], zmq.Socket[bytes]]:
    """A bounded queue between two threads: where to put in, where to take out."""
    put, take = context.socket(zmq.PUSH), context.socket(zmq.PULL)
    for socket in (put, take):
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, QUEUE)
        socket.setsockopt(zmq.RCVHWM, QUEUE)
    take.bind(name)
    put.connect(name)
    return put, take
