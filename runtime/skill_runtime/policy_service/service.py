"""Reads requests, joins those that fit into one inference, and replies."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Literal, TypedDict

import numpy as np

from skill_proto.messages import SERVICE_REQUEST, Act, Inbound
from skill_proto.printable import printable
from skill_proto.validation_text import clip
from skill_proto.wire import WireError, unpack
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy_service.act_validation import entry_name
from skill_runtime.policy_service.batch import Member
from skill_runtime.policy_service.config import Counts
from skill_runtime.policy_service.headers import KnownHeaders
from skill_runtime.policy_service.inference.stepper import StepResult
from skill_runtime.policy_service.models import ServedModel
from skill_runtime.policy_service.replies import acted, refused
from skill_runtime.policy_service.requests import (
    Known,
    describe_header,
    forbidden,
    internal_error,
    write_checked,
    write_known,
)
from skill_runtime.policy_service.sessions import MAX_CONNECTIONS
from skill_runtime.realtime.clock import Clock

log = logging.getLogger(__name__)

REQUESTS_PER_STEP = 64
"""Requests that may share one inference."""

USUAL_INPUT = 1e6
"""A policy that fails although every input is smaller than this is itself at fault. Numbers in SI
units are smaller; single precision overflows far above."""


class _Quiet(TypedDict):
    over: Literal["ignore"]
    invalid: Literal["ignore"]


QUIET: _Quiet = {"over": "ignore", "invalid": "ignore"}
"""Arguments of ``np.errstate`` around the service: numbers that are not finite are refused, not
warned about."""

Send = Callable[[bytes, str, list[bytes]], None]
"""Sends a reply: receiver, error code or '', frames."""


class PolicyService:
    """Answers requests. The reader of the socket passes each one on, then calls :meth:`flush`.

    Args:
        models: The policies.
        instance: Name of this run of the server.
        clock: Server time.
        beat: Called before every inference.
        send: Sends a reply.
        other: Answers ``hello`` and ``swap``; None if they do not come here.
        refusal: Returns why the sender with this key may not send a message of this type; empty if
            it may. None admits all.

    Attributes:
        models: the policies, by name.
        counts: counts since the start.
        has_one_session: whether there is a single session, so that no request could share the
            inference of another one.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        instance: str,
        clock: Clock,
        beat: Callable[[], None],
        send: Send,
        other: Callable[[bytes, Inbound], None] | None = None,
        refusal: Callable[[str, str], str] | None = None,
    ) -> None:
        self.models = {model.name: model for model in models}
        self.counts = Counts()
        self.has_one_session = False
        self._only = next(iter(self.models.values())) if len(self.models) == 1 else None
        self._instance = instance
        self._clock = clock
        self._beat = beat
        self._send = send
        self._other = other
        self._refusal = refusal
        self._headers = KnownHeaders[ServedModel]()

    # Requests -----------------------------------------------------------------------------------

    def receive(
        self,
        sender: bytes,
        frames: Sequence[bytes],
        now: float,
        key: str = "",
        *,
        is_alone: bool = False,
    ) -> None:
        """Takes one request; a batch that does not admit it runs first.

        Args:
            sender: Name of the client's connection.
            frames: The frames of the request.
            now: Server time [s], one for all requests until :meth:`flush`, so that no session of a
                batch can become idle before its inference.
            key: Public key of the sender.
            is_alone: Whether no other request waits; then this one is answered at once.
        """
        found = self._headers.find(frames[0]) if frames else None
        message_id = 0
        try:
            if found is None:
                known = self._read_header(sender, frames, key)
                if known is None:
                    return
                message_id, deadline = known.message.id, known.message.deadline
                self._add(sender, frames, known, message_id, deadline, now, is_known=False)
                self._headers.add(frames[0], known)
            else:
                known, message_id, deadline = found
                if self._refusal is not None:
                    self._check_sender(key, "act", message_id)
                if is_alone and self._answer_at_once(
                    sender, frames, known, message_id, deadline, now
                ):
                    return
                self._add(sender, frames, known, message_id, deadline, now)
        except WireError as error:
            error.message_id = error.message_id or message_id
            self.refuse(sender, error)

    def _answer_at_once(
        self,
        sender: bytes,
        frames: Sequence[bytes],
        known: Known,
        message_id: int,
        deadline: float | None,
        now: float,
    ) -> bool:
        """Answers a request of a known session that is alone, with as few steps as there are.

        Returns:
            False if it needs the usual way: the session is new, the policy failed, or a number
            is not finite. No slot has changed then.
        """
        model, session = known.model, known.sessions.get(sender)
        if session is None or not session.is_of(sender) or model.batch.members:
            return False
        stepper = model.stepper
        if not write_known(known, frames, stepper.rows, 0):
            return False
        session.used_at = now
        start = perf_counter()
        try:
            result = stepper.step(session.slots, _all_rows)
        except Exception:  # the usual way runs it again, and gives the reason
            return False
        inference_s = perf_counter() - start
        if result.is_finite is not None:
            return False
        counts = self.counts
        counts.inferences += 1
        counts.answered += 1
        session.steps += 1
        time_s, late_s = self._clock.now(), 0.0
        if deadline is not None and time_s > deadline:
            late_s = time_s - deadline
            counts.late += 1
        reply = acted(
            *(known, message_id, result, slice(0, known.rows), session.steps, inference_s),
            time_s,
            late_s,
            self._instance,
        )
        self._send(sender, "", reply)
        return True

    def _add(
        self,
        sender: bytes,
        frames: Sequence[bytes],
        known: Known,
        message_id: int,
        deadline: float | None,
        now: float,
        *,
        is_known: bool = True,
    ) -> None:
        model, message = known.model, known.message
        batch = model.batch
        if batch.members and (
            not batch.admits(sender, message.session, message.episode)
            or len(batch.slots) + known.rows > model.slots
        ):
            self._infer(model)
        if known.rows > model.slots:  # refused before anything is written
            model.sessions.acquire(sender, message.session, message.episode, known.rows, now)
        first, rows = len(batch.slots), model.stepper.rows
        if not is_known or not write_known(known, frames, rows, first):
            write_checked(known, frames, rows, first, message_id)
        if first and not model.stepper.mixes_commands and not _alike(model, first):
            copied = rows.copy(first, known.rows)
            self._infer(model)
            rows.restore(copied)
            first = 0
        session = known.sessions.get(sender)
        if session is None or not session.is_of(sender):
            session = model.sessions.acquire(
                sender, message.session, message.episode, known.rows, now
            )
            if len(known.sessions) >= MAX_CONNECTIONS:
                known.sessions.clear()
            known.sessions[sender] = session
            self.has_one_session = sum(m.sessions.count for m in self.models.values()) == 1
        session.used_at = now
        batch.add(Member(sender, known, message_id, deadline, session, first))

    def _check_sender(self, key: str, kind: str, message_id: int) -> None:
        reason = "" if self._refusal is None else self._refusal(key, kind)
        if reason:
            raise forbidden(reason, message_id)

    def _read_header(self, sender: bytes, frames: Sequence[bytes], key: str) -> Known | None:
        """Parses a header that is not known; returns None if its message needs no inference.

        Raises:
            WireError: The frames are not a valid request.
        """
        try:
            message, _ = unpack(frames, SERVICE_REQUEST)
        except WireError:  # any key may send 'hello', a stranger nothing
            self._check_sender(key, "hello", 0)
            raise
        self._check_sender(key, message.type, message.id)
        if message.instance not in (None, self._instance):
            raise WireError(
                "wrong_server",
                f"the message is meant for server {clip(repr(message.instance), 80)}, this is "
                f"{self._instance!r}: another server, or the same one after a restart",
                "send 'hello' to learn which server this is",
                message.id,
            )
        if isinstance(message, Act):
            model = self.model_named(message.model, message.id)
            return describe_header(message, model)
        if len(frames) > 1 or self._other is None:
            problem = f"{message.type!r} has no arrays"
            raise WireError("malformed", problem, "send the header alone", message.id)
        self.flush()
        self._other(sender, message)
        return None

    def model_named(self, name: str | None, message_id: int) -> ServedModel:
        """Returns the policy that a request means.

        Raises:
            WireError: ``not_supported``: there is no such policy; ``invalid``: no name was given,
                and the service has several.
        """
        model = self._only if name is None else self.models.get(name)
        if model is not None:
            return model
        names = clip(", ".join(map(repr, self.models)), 200)
        if name is None:
            problem = "the request names no model, and this service has several"
            raise WireError("invalid", problem, f"name one of {names}", message_id)
        problem = f"this service has no model {printable(clip(repr(name), 80))}"
        raise WireError("not_supported", problem, f"name one of {names}", message_id)

    # Inference ----------------------------------------------------------------------------------

    def flush(self) -> None:
        """Answers all requests that wait."""
        for model in self.models.values():
            if model.batch.members:
                self._infer(model)

    def _infer(self, model: ServedModel) -> None:
        """Runs a batch and replies; a request that fails leaves its session unchanged."""
        batch = model.batch
        if not batch.members:
            return
        self._beat()
        start = perf_counter()
        try:
            result = model.stepper.step(batch.slots, batch.spans)
        except Exception as error:  # a policy may raise any exception; clients must get a reply
            self._infer_alone(model, error)
            return
        inference_s = perf_counter() - start
        self.counts.inferences += 1
        now = self._clock.now()
        for member, rows in batch.parts():
            if result.is_finite is not None and not result.is_finite[rows].all():
                self._refuse_member(member, self._not_finite(model, member, result, rows))
                continue
            self._reply(member, result, rows, inference_s, now)
        batch.clear()

    def _reply(
        self, member: Member, result: StepResult, rows: slice, inference_s: float, now: float
    ) -> None:
        session, deadline = member.session, member.deadline
        session.steps += 1
        late_s = 0.0
        if deadline is not None and now > deadline:
            late_s = now - deadline
            self.counts.late += 1
        frames = acted(
            member.known,
            member.message_id,
            result,
            rows,
            session.steps,
            inference_s,
            now,
            late_s,
            self._instance,
        )
        self.counts.answered += 1
        self._send(member.sender, "", frames)

    def _infer_alone(self, model: ServedModel, error: Exception) -> None:
        """Runs the requests of a batch that failed one by one, since one may have caused it."""
        batch = model.batch
        members = list(batch.members)
        copies = [model.stepper.rows.copy(m.first, m.known.rows) for m in members]
        batch.clear()
        if len(members) == 1:
            problem = f"the policy failed: {reason_of(error)}"
            log.error("%s", problem)
            self._refuse_member(members[0], internal_error(problem, members[0].message_id))
            return
        for member, rows in zip(members, copies, strict=True):
            model.stepper.rows.restore(rows)
            member.first = 0
            batch.add(member)
            self._infer(model)

    def _not_finite(
        self, model: ServedModel, member: Member, result: StepResult, rows: slice
    ) -> WireError:
        """Returns the error for a request whose action or recurrent state is not finite."""
        assert result.is_finite is not None
        row = int(np.argmin(result.is_finite[rows]))
        observation = model.stepper.rows.tensors["observation"][rows.start + row]
        entry = int(np.argmax(np.abs(observation)))
        if abs(observation[entry]) <= USUAL_INPUT:
            problem = f"the policy failed: action or recurrent state of row {row} is not finite"
            return internal_error(problem, member.message_id)
        return WireError(
            "invalid",
            f"observation, row {row}: {entry_name(model.manifest, entry)} = "
            f"{observation[entry]!s} is too large; the policy's action or recurrent state is not "
            "finite",
            "send raw SI units; leave out rows whose sensor has failed",
            member.message_id,
        )

    # Refusals -----------------------------------------------------------------------------------

    def _refuse_member(self, member: Member, error: WireError) -> None:
        self.counts.refused += 1
        frames = refused(error, time_s=self._clock.now(), instance=self._instance)
        self._send(member.sender, error.code, frames)

    def refuse(self, sender: bytes, error: WireError) -> None:
        """Refuses a request; replies to one client keep the order of its requests."""
        for model in self.models.values():
            if model.batch.has(sender):
                self._infer(model)
        self.counts.refused += 1
        frames = refused(error, time_s=self._clock.now(), instance=self._instance)
        self._send(sender, error.code, frames)


def _all_rows() -> tuple[slice, ...]:
    """One request has all rows; it is given up if one of them is not finite."""
    return (slice(None),)


def _alike(model: ServedModel, row: int) -> bool:
    """Whether a row has the same arrays as the first one."""
    rows = model.stepper.rows
    return (
        rows.use_goal[row, 0] == rows.use_goal[0, 0] and rows.own_action[row] == rows.own_action[0]
    )
