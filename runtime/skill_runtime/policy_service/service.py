"""Reads requests, joins those that fit into one inference, and replies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import numpy as np
import zmq

from skill_proto.wire import WireError
from skill_runtime.policy import PolicyOutput
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy_service.act_validation import entry_name
from skill_runtime.policy_service.batch import Batch
from skill_runtime.policy_service.replies import acted, refused
from skill_runtime.policy_service.requests import ActRequest, internal_error, read_request
from skill_runtime.policy_service.restorable_policy import RestorablePolicy
from skill_runtime.policy_service.sessions import PolicySessions
from skill_runtime.realtime.clock import Clock
from skill_runtime.transport.interfaces import DealerSocket

log = logging.getLogger(__name__)

REQUESTS_PER_STEP = 64
"""Requests that one step reads."""

USUAL_INPUT = 1e6
"""A policy that fails although every input is smaller than this is itself at fault. Numbers in SI
units are smaller; single precision overflows far above."""


class PolicyService:
    """Answers the requests on one socket.

    Args:
        socket: Requests are ``[sender, *frames]``, replies ``[sender, error code, *frames]``.
        policy: A policy that only this service uses; all of its slots are free.
        instance: Name of this run of the server.
        clock: Server time.
        beat: Called before and after every inference, and after every request that was read.
    """

    def __init__(
        self,
        socket: DealerSocket,
        policy: RestorablePolicy,
        instance: str,
        clock: Clock,
        beat: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._policy = policy
        self._instance = instance
        self._clock = clock
        self._beat = beat
        self._sessions = PolicySessions(policy.slots, policy.reset_slot)

    def step(self) -> None:
        """Answers up to :data:`REQUESTS_PER_STEP` waiting requests."""
        batch = Batch()
        # One time for all: no session of the batch can become idle before its inference.
        now = self._clock.now()
        for _ in range(REQUESTS_PER_STEP):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            batch = self._add(batch, parts[0], parts[1:], now)
            self._beat()
        self._infer(batch)

    def _add(self, batch: Batch, sender: bytes, frames: list[bytes], now: float) -> Batch:
        """Returns the batch with one more request; a batch that does not admit it runs first."""
        message_id = 0
        try:
            request = read_request(sender, frames, self._policy.manifest)
            message, rows = request.message, request.inputs.rows
            message_id = message.id
            if not batch.admits(request):
                batch = self._infer(batch)
            session = self._sessions.acquire(sender, message.session, message.episode, rows, now)
        except WireError as error:
            error.message_id = error.message_id or message_id
            if batch.has(sender):  # replies to one client keep the order of its requests
                batch = self._infer(batch)
            self._refuse(sender, error)
            return batch
        batch.members.append((request, session))
        return batch

    def _infer(self, batch: Batch) -> Batch:
        """Runs a batch and replies; a request that fails leaves its session unchanged.

        Returns:
            The next batch, which is empty.
        """
        if not batch.members:
            return batch
        slots = batch.slots()
        saved = self._policy.save(slots)
        self._beat()
        start = time.perf_counter()
        try:
            output = self._policy.step_slots(slots, **batch.arrays())
        except Exception as error:  # a policy may raise any exception; clients must get a reply
            self._policy.restore(saved, slice(None))
            self._infer_alone(batch, error)
            return Batch()
        inference_s = time.perf_counter() - start
        self._beat()
        for request, session, rows in batch.parts():
            if not output.is_finite[rows].all():
                self._policy.restore(saved, rows)
                self._refuse(request.sender, self._not_finite(request, output, rows))
                continue
            session.steps += 1
            reply = acted(
                request,
                output,
                rows,
                steps=session.steps,
                inference_s=inference_s,
                time_s=self._clock.now(),
                instance=self._instance,
            )
            self._send(reply)
        return Batch()

    def _infer_alone(self, batch: Batch, error: Exception) -> None:
        """Runs the requests of a batch that failed one by one, since one may have caused it."""
        if len(batch.members) > 1:
            for one in batch.alone():
                self._infer(one)
            return
        request, _ = batch.members[0]
        problem = f"the policy failed: {reason_of(error)}"
        log.error("%s", problem)
        self._refuse(request.sender, internal_error(problem, request.message.id))

    def _not_finite(self, request: ActRequest, output: PolicyOutput, rows: slice) -> WireError:
        """Returns the error for a request whose action or recurrent state is not finite."""
        row = int(np.argmin(output.is_finite[rows]))
        observation = request.inputs.arrays["observation"][row]
        entry = int(np.argmax(np.abs(observation)))
        if abs(observation[entry]) <= USUAL_INPUT:
            problem = f"the policy failed: action or recurrent state of row {row} is not finite"
            return internal_error(problem, request.message.id)
        return WireError(
            "invalid",
            f"observation, row {row}: {entry_name(self._policy.manifest, entry)} = "
            f"{observation[entry]!s} is too large; the policy's action or recurrent state is not "
            "finite",
            "send raw SI units; leave out rows whose sensor has failed",
            request.message.id,
        )

    def _refuse(self, sender: bytes, error: WireError) -> None:
        time_s = self._clock.now()
        self._send(refused(sender, error, time_s=time_s, instance=self._instance))

    def _send(self, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:  # the gateway has gone, or does not read
            log.debug("a reply was dropped")
