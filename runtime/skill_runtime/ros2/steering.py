"""Steering: the lease, and targets sent to the server, in a thread of its own.

The newest target counts. The lease is acquired with the first one and released after a silence. A
lease that was lost (a stop, a fault, another holder, a restart of the server) is not acquired again
for the same stream of targets: the arm must not move as soon as someone clears the stop. Nor is a
lease acquired that another program held when the stream began. Both take a silence, or the service
``clear`` of this node.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from skill_runtime.client import (
    TRANSIENT_ERRORS,
    ClientError,
    ClientLease,
    CommandRefusedError,
    LeaseLostError,
    ServerReplacedError,
    ServerUnreachableError,
    SkillClient,
)
from skill_runtime.ros2.parameters import Ros2Parameters
from skill_runtime.ros2.status import Status
from skill_runtime.ros2.targets import Target

RETRY_S = 0.25
"""Time between two attempts to acquire a lease, or to reach a server [s]."""

RESUME = "pause the targets for {silence_s:g} s, or call the service clear, to move the arm again"

Job = Callable[[SkillClient], None]


class Steering:
    """Sends targets to the server while the lease is held.

    Args:
        make_client: Makes a client of the server.
        parameters: Parameters of the node.
        status: Receives what happens.
    """

    def __init__(
        self, make_client: Callable[[], SkillClient], parameters: Ros2Parameters, status: Status
    ) -> None:
        self._make_client = make_client
        self._parameters = parameters
        self._status = status
        self._changed = threading.Condition()
        self._target: Target | None = None
        self._jobs: deque[Job] = deque()
        self._holds = False  # whether the arm is to hold, because a message was refused
        self._heard = float("-inf")  # time of the newest message; a silence is without any
        self._valid = float("-inf")  # time of the newest valid target, which keeps the lease
        self._paused = False  # whether targets of the present stream are ignored
        self._ended = False
        # Of the thread alone:
        self._lease: ClientLease | None = None
        self._next_try = float("-inf")

    # Called by other threads ----------------------------------------------------------------------

    def offer(self, target: Target) -> None:
        """Takes a target; the newest one counts."""
        with self._changed:
            self._hear()
            self._valid = self._heard
            if not self._paused:
                self._target = target
                self._changed.notify()

    def refuse(self) -> None:
        """Drops the target and lets the arm hold: a message was refused.

        It is no silence, but it does not keep the lease either.
        """
        with self._changed:
            self._hear()
            self._target, self._holds = None, True
            self._changed.notify()

    def pause(self, reason: str) -> None:
        """Drops the target, and ignores the stream of targets until it pauses from now on."""
        with self._changed:
            self._target, self._paused = None, True
            self._heard = time.monotonic()
        fix = RESUME.format(silence_s=self._parameters.silence_s)
        self._status.block(f"{reason}; {fix}")

    def resume(self) -> None:
        """Obeys targets again."""
        with self._changed:
            self._resume()

    def notice_silence(self) -> None:
        """Forgets why targets did not move the arm, once there are none any more."""
        with self._changed:
            if time.monotonic() - self._heard > self._parameters.silence_s and not self._jobs:
                self._paused = False
                self._status.block("")

    def release(self, reason: str) -> None:
        """Releases the lease, and ignores the present stream of targets."""
        self.pause(reason)
        self._do(self._release)

    def stop(self, stop_arm: Callable[[], None]) -> None:
        """Stops the arm before anything else, and releases the lease even if that fails.

        Held on, the lease would be lost after the next clear, and end the stream once more.

        Args:
            stop_arm: Stops the arm.

        Raises:
            ClientError: No server confirmed the stop.
        """
        try:
            stop_arm()
        finally:
            self.release("stopped by the service stop")

    def clear(self, clear_arm: Callable[[], None]) -> None:
        """Ends a stop or a fault, and obeys targets again.

        The lease is released first: a stop may have ended it, and nobody has noticed yet.

        Args:
            clear_arm: Ends the stop or fault.

        Raises:
            ClientError: The server refused it, or does not answer.
        """
        self._do(self._release)
        clear_arm()
        self.resume()

    def reset(self, within_s: float) -> None:
        """Starts a new episode of a simulated arm.

        Raises:
            ClientError: The server refused it, or does not answer.
            TimeoutError: It was not done in time.
        """
        done: Future[None] = Future()
        ends = time.monotonic() + within_s

        def job(client: SkillClient) -> None:
            if time.monotonic() > ends:
                return
            try:
                self._reset(client)
            except ClientError as error:
                done.set_exception(error)
                if not isinstance(error, CommandRefusedError):
                    raise
            else:
                done.set_result(None)

        self._do(job)
        done.result(within_s)

    def end(self) -> None:
        """Lets :meth:`run` release the lease and return."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _do(self, job: Job) -> None:
        with self._changed:
            self._target = None
            self._jobs.append(job)
            self._changed.notify()

    def _hear(self) -> None:
        """Notes a message; the first one after a silence begins another stream."""
        now = time.monotonic()
        quiet_s, self._heard = now - self._heard, now
        if quiet_s > self._parameters.silence_s:
            self._resume()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._status.block("")

    # The thread -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Steers until :meth:`end`; a server that goes away is sought again."""
        while not self._ended:
            try:
                with self._make_client() as client:
                    client.repeats_stale = False  # a target must not move the arm after its end
                    self._steer(client)
            except ClientError as error:  # no client can be made
                self._status.block(str(error))
                time.sleep(RETRY_S)
            finally:
                self._lease = None
                self._status.led(leads=False)

    def _steer(self, client: SkillClient) -> None:
        """Performs the work until :meth:`end`, or until the server is lost."""
        while (job := self._next_job()) is not None:
            try:
                job(client)
            except LeaseLostError as error:
                self._lose(error)
            except CommandRefusedError as error:
                self._status.block(str(error))
            except ClientError as error:
                # Here, and not after the client is closed, which takes long without a server.
                self._lose(error)
                self._next_try = time.monotonic() + RETRY_S
                return

    def _next_job(self) -> Job | None:
        """Waits for work; returns None at the end."""
        with self._changed:
            while not self._ended:
                if self._holds:
                    self._holds = False
                    return self._hold
                if self._jobs:
                    return self._jobs.popleft()
                if self._target is not None:
                    target, self._target = self._target, None
                    return lambda client: self._move(client, target)
                left_s = None
                if self._lease is not None:
                    left_s = self._valid + self._parameters.silence_s - time.monotonic()
                    if left_s <= 0.0:
                        return self._release
                self._changed.wait(left_s)
        return None

    def _move(self, client: SkillClient, target: Target) -> None:
        if self._lease is None and not self._acquire(client):
            return
        left_s = target.ends - time.monotonic()
        if left_s <= 0.0:
            return
        try:
            self._send(client, target, left_s)
        except LeaseLostError:
            raise
        except CommandRefusedError as error:
            if error.code in TRANSIENT_ERRORS:
                raise
            self._status.refuse(target.topic, str(error))
            self._hold(client)
        else:
            self._status.carry_out()
            with self._changed:
                if not self._paused:  # else the reason of the pause remains
                    self._status.block("")

    def _send(self, client: SkillClient, target: Target, left_s: float) -> None:
        match target.kind:
            case "servo_pose":
                client.servo_pose(target.values, left_s)
            case "servo_joint":
                client.servo_joint(target.values, left_s)
            case "skill":
                client.skill(target.values, left_s)
            case "goal":
                client.goal(target.values, left_s)

    def _acquire(self, client: SkillClient) -> bool:
        """Returns whether the lease is held now."""
        now, parameters = time.monotonic(), self._parameters
        if now < self._next_try:
            return False
        self._next_try = now + RETRY_S
        try:
            self._lease = client.acquire(
                parameters.holder, parameters.lease_ttl_s, priority=parameters.priority
            )
        except CommandRefusedError as error:
            if error.code == "busy":
                self._status.block(str(error))
            else:  # a stop, a fault, another holder: the end of it must not move the arm
                self.pause(error.message)
            return False
        except ServerUnreachableError as error:  # it may have granted the lease, or come back later
            self.pause(str(error))
            return False
        self._status.led(leads=True)
        return True

    def _hold(self, client: SkillClient) -> None:
        if self._lease is not None:
            client.hold()

    def _release(self, client: SkillClient) -> None:
        del client
        if self._lease is not None:
            with suppress(LeaseLostError):  # a stop has ended it
                self._lease.release()
            self._lease = None
            self._status.led(leads=False)

    def _reset(self, client: SkillClient) -> None:
        borrowed = self._lease is None
        # Borrowed with the lowest priority: a reset takes the arm from nobody.
        lease = self._lease or client.acquire(
            self._parameters.holder, self._parameters.lease_ttl_s, priority=0
        )
        try:
            client.reset()
        finally:
            if borrowed:
                lease.release()

    def _lose(self, error: ClientError) -> None:
        """Records that the lease, or the server, is lost."""
        if self._lease is not None:
            self._lease = None
            self._status.led(leads=False)
            self.pause(str(error).partition(". Fix: ")[0])
        elif not isinstance(error, ServerReplacedError):
            self._status.block(str(error))
