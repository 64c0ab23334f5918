"""AsyncServoStream: servo targets at up to 1 kHz from an event loop.

::

    async with client.acquire("my controller"), client.stream() as stream:
        due = time.monotonic()
        while running:
            stream.servo_joint(target)
            await stream.sleep_until(due := due + 0.001)

``servo_joint`` and ``servo_pose`` are ordinary methods, because they never wait.
"""

from __future__ import annotations

import asyncio
import time
from typing import Self

from skill_runtime.client.servo_stream import TargetSender
from skill_runtime.client.steps import Deadline

PERIOD_S = 1e-3
"""Time between two looks for replies during a wait [s]."""


class AsyncServoStream(TargetSender):
    """Servo targets under a lease; from ``AsyncSkillClient.stream``.

    The beginning of the block connects to the server, and the end waits for the outstanding
    replies. The arm moves towards the last target until that expires, then it holds.

    Raises:
        LeaseLostError: the lease has ended.
    """

    async def sleep_until(self, deadline: float) -> None:
        """Returns at ``deadline`` of ``time.monotonic`` [s]; reads replies until then.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError, ServerReplacedError,
                InvalidUseError: as :meth:`servo_joint`.
        """
        while (left := deadline - time.monotonic()) > 0:
            self._read()
            await asyncio.sleep(min(left, PERIOD_S) if self._unanswered else left)
        self._read()

    async def finish(self) -> None:
        """Waits for the outstanding replies.

        Raises:
            LeaseLostError, CommandRefusedError, ServerUnreachableError, ServerReplacedError,
                InvalidUseError: as :meth:`servo_joint`.
        """
        self._read()
        while self._unanswered:
            await asyncio.sleep(PERIOD_S)
            self._read()

    def _read(self) -> None:
        with self._guard:
            self._collect()

    async def _connect(self) -> None:
        """Sends a renewal and waits for its reply, so that the first target is sent at once."""
        deadline = Deadline(self._timeout_s)
        while (sent := self._connection.post(self._renewal())) is None:
            if deadline.is_over:
                raise self._connection.no_answer(self._timeout_s)
            await asyncio.sleep(PERIOD_S)
        self._waiting_since = time.monotonic()
        self._unanswered.append((sent, time.monotonic()))
        await self.finish()
        self.round_trips_s.clear()

    async def __aenter__(self) -> Self:
        try:
            await self._connect()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self.finish()
        finally:
            self.close()
