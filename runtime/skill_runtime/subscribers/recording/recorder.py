"""Recorder: from a subscription to files, with a count of all that was lost on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from skill_proto.topics import COMMANDED_TOPIC, POLICY_STEP_TOPIC
from skill_runtime.subscribers.recording.recording_file import (
    COMMANDED_CHANNEL,
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
)
from skill_runtime.subscribers.recording.rotation import RecordingFiles
from skill_runtime.subscribers.subscription import Subscription

SILENT_S = 2.0
"""A server without telemetry for this long is reported [s]."""

READ_S = 0.2
"""Longest wait for a message [s]."""

FLUSH_S = 0.8
"""Longest time between two flushes of the file while messages arrive [s]. Without a message it is
flushed after :data:`READ_S`, so that no message is older than 1 s before it is in the file."""

REPORT_S = 0.5
"""Time between two reports [s]."""

_NUMBER = {TELEMETRY_CHANNEL: "seq", POLICY_STEP_CHANNEL: "step", COMMANDED_CHANNEL: "seq"}
"""The field that counts the messages of a channel."""

_CHANNELS = {POLICY_STEP_TOPIC: POLICY_STEP_CHANNEL, COMMANDED_TOPIC: COMMANDED_CHANNEL}


@dataclass
class MessageCount:
    """Messages of one kind."""

    recorded: int = 0
    lost: int = 0
    """Messages of the server that did not arrive."""
    last: int | None = None

    def count(self, number: int) -> None:
        """Counts a message with this number."""
        if self.last is not None and number > self.last:
            self.lost += number - self.last - 1
        self.last = number
        self.recorded += 1


class Recorder:
    """Records one server.

    Args:
        subscription: The messages.
        files: The files.
        clock: Time [s].
        wall_ns: Time [ns since 1970].

    Attributes:
        channels: Counts by channel.
        began: Time at which the recording began [s].
    """

    def __init__(
        self,
        subscription: Subscription,
        files: RecordingFiles,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._subscription = subscription
        self._files = files
        self._clock = clock
        self._wall_ns = wall_ns
        self.channels = {name: MessageCount() for name in _NUMBER}
        self.began = self._heard = clock()
        self._instance = subscription.welcome.instance
        self._ahead_ns = 0  # of the wall clock, relative to the server's
        self._described_at = self._flushed_at = self.began
        files.describe(subscription.welcome.model_dump_json())

    def run(self, stopping: Callable[[], bool], report: Callable[[str], None]) -> None:
        """Records until ``stopping()``.

        Args:
            stopping: Whether to end; asked after each message.
            report: Receives the text of :meth:`progress` twice a second.

        Raises:
            OutputError: The disk is full, or fails.
        """
        reported = 0.0
        while not stopping():
            self.step()
            now = self._clock()
            if now - reported >= REPORT_S:
                reported = now
                report(self.progress())

    def step(self) -> None:
        """Records the next message, or waits shortly for one.

        Raises:
            OutputError: The disk is full, or fails.
        """
        frames = self._subscription.read(READ_S)
        if frames is None or self._clock() >= self._flushed_at + FLUSH_S:
            self._files.flush()
            self._flushed_at = self._clock()
        if frames is not None:
            self._record(frames)

    def _record(self, frames: Sequence[bytes]) -> None:
        channel = TELEMETRY_CHANNEL if len(frames) == 1 else _CHANNELS.get(frames[0])
        head = _fields(frames[-1])
        if channel is None or head is None:
            return
        self._heard = self._clock()
        self._follow(str(head.get("instance", "")))
        number, server_ns = int(head.get(_NUMBER[channel], 0)), round(1e9 * head.get("time", 0.0))
        self.channels[channel].count(number)
        log_ns = self._wall_ns()
        if not self._ahead_ns:
            self._ahead_ns = log_ns - server_ns
        publish_ns = max(0, server_ns + self._ahead_ns)
        self._files.write(channel, frames[-1], log_ns, publish_ns, number)

    def _follow(self, instance: str) -> None:
        """Notices a server that was started again, and describes it in the file."""
        if instance != self._instance:
            self._instance = instance
            self._ahead_ns = 0
            for channel in self.channels.values():
                channel.last = None
        now = self._clock()
        if self._subscription.is_other(instance) and now >= self._described_at + SILENT_S:
            self._described_at = now
            self._files.flush()  # the server may be slow to answer
            if self._subscription.describe_again():
                self._files.describe(self._subscription.welcome.model_dump_json())

    def progress(self) -> str:
        """Returns duration, size and counts in words."""
        minutes = (self._clock() - self.began) / 60.0
        states, steps, commands = self.channels.values()
        text = (
            f"{self._files.paths[-1]}: {minutes:.1f} min, {self._files.size / 1e6:.2f} MB, "
            f"{states.recorded} states, {steps.recorded} policy steps, {commands.recorded} commands"
        )
        lost = sum(channel.lost for channel in self.channels.values())
        if lost:
            text += f", {lost} messages lost"
        silent_s = self._clock() - self._heard
        if silent_s > SILENT_S:
            text += f"; no telemetry for {silent_s:.0f} s, waiting for the server"
        return text


def _fields(frame: bytes) -> dict[str, Any] | None:
    """Returns the fields of a message; None if it is not one."""
    try:
        content: object = from_json(frame)
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None
