"""Publishes policy steps and commands for recorders, if one listens."""

from __future__ import annotations

import logging
from collections import OrderedDict
from hashlib import sha256
from typing import TypeVar

import numpy as np

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    Acquire,
    Commanded,
    Error,
    Granted,
    Hello,
    Inbound,
    Message,
    PolicyStep,
)
from skill_proto.topics import COMMANDED_TOPIC, POLICY_STEP_TOPIC
from skill_runtime.channel.record_queue import CorruptRecordError, RecordQueue
from skill_runtime.channel.step_record import StepRecord, unpack_step
from skill_runtime.transport.interfaces import Transport

K = TypeVar("K")
V = TypeVar("V")

log = logging.getLogger(__name__)

MAX_NAMES = 1024
"""Connections whose name is remembered; the oldest is forgotten."""

MAX_WAITING = 1024
"""Commands whose reply is awaited; the oldest is forgotten."""

LEASE_DIGITS = 8
"""Hexadecimal digits that tell leases apart; a token has 16 that nobody can guess from them."""

_DISCARD = frozenset({"lease", "instance"})


class RecordFeed:
    """The messages of one gateway for recorders.

    Args:
        transport: The sockets, of which the topics are used; they may be replaced meanwhile.
        steps: Policy steps of the controller.
        instance: Name of this run of the server.
    """

    def __init__(self, transport: Transport, steps: RecordQueue, instance: str) -> None:
        self._transport = transport
        self._steps = steps
        self._instance = instance
        self._names: OrderedDict[bytes, str] = OrderedDict()
        self._holders: OrderedDict[str, str] = OrderedDict()
        self._waiting: OrderedDict[int, tuple[bytes, Inbound]] = OrderedDict()
        self._seq = 0

    def publish_steps(self) -> None:
        """Reads subscriptions, then publishes the policy steps that wait."""
        topics = self._transport.topics
        if topics is not None:
            topics.accept()
        for _ in range(len(self._steps)):
            try:
                record = self._steps.get()
                if record is not None and self._wanted(POLICY_STEP_TOPIC):
                    step = policy_step(unpack_step(record), self._instance)
                    self._publish(POLICY_STEP_TOPIC, step)
            except CorruptRecordError as error:
                log.error("a policy step is dropped: %s", error)

    # Commands -----------------------------------------------------------------------------------

    def name(self, sender: bytes, message: Inbound) -> None:
        """Remembers the name that a client gives itself."""
        name = message.client if isinstance(message, Hello) else None
        name = message.holder if isinstance(message, Acquire) else name
        if name:
            _remember(self._names, sender, name, MAX_NAMES)

    def passed_on(self, request: int, sender: bytes, message: Inbound) -> None:
        """Remembers a command until the controller replies to it."""
        if self._wanted(COMMANDED_TOPIC):
            _remember(self._waiting, request, (sender, message), MAX_WAITING)

    def replied(self, request: int, reply: Message) -> None:
        """Publishes a command with the reply of the controller."""
        sender, message = self._waiting.pop(request, (b"", None))
        if message is not None:
            self._publish_command(sender, message, reply)

    def refused(self, sender: bytes, message: Inbound | None, reply: Error) -> None:
        """Publishes a command that the gateway has refused; None if it could not be read."""
        if self._wanted(COMMANDED_TOPIC):
            self._publish_command(sender, message, reply)

    def _publish_command(self, sender: bytes, message: Inbound | None, reply: Message) -> None:
        self._seq += 1
        token: str | None = getattr(reply if isinstance(reply, Granted) else message, "lease", None)
        refusal = reply if isinstance(reply, Error) else None
        lease = None if token is None else sha256(token.encode()).hexdigest()[:LEASE_DIGITS]
        if isinstance(message, Acquire) and lease is not None:
            _remember(self._holders, lease, message.holder, MAX_NAMES)
        content: dict[str, object] = {"type": "unknown"}
        if message is not None:
            content = message.model_dump(exclude=set(_DISCARD), exclude_none=True)
        commanded = Commanded.model_construct(
            instance=self._instance,
            seq=self._seq,
            time=getattr(reply, "time", 0.0),
            # A client may renew and release its lease on another connection.
            client=self._names.get(sender) or self._holders.get(lease or "", ""),
            lease=lease,
            command=content,
            result="ok" if refusal is None else refusal.code,
            message="" if refusal is None else refusal.message,
        )
        self._publish(COMMANDED_TOPIC, commanded)

    def _wanted(self, topic: bytes) -> bool:
        topics = self._transport.topics
        return topics is not None and topics.is_subscribed(topic)

    def _publish(self, topic: bytes, message: Message) -> None:
        topics = self._transport.topics
        if topics is not None:
            topics.send(topic, message.model_dump_json().encode())


def _remember(memory: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    """Adds an entry; the oldest one beyond ``most`` is forgotten."""
    memory[key] = value
    if len(memory) > most:
        memory.popitem(last=False)


def policy_step(record: StepRecord, instance: str) -> PolicyStep:
    """Returns the message of a policy step."""
    vector = exact(record.vector)
    return PolicyStep.model_construct(
        instance=instance,
        step=record.step,
        time=record.time,
        tick=record.tick,
        state_age=record.age,
        observation=exact(record.observation),
        previous_action=None if record.applied is None else exact(record.applied),
        skill=None if record.by_goal else vector,
        goal=vector if record.by_goal else None,
        action=exact(record.action),
    )


def exact(values: FloatArray) -> tuple[float, ...]:
    """Returns the shortest decimals that are exact in single precision."""
    return tuple(float(str(value)) for value in np.asarray(values, np.float32))
