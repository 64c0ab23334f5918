"""Watching: reads telemetry and publishes it, in a thread of its own, across server restarts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from skill_proto.messages import Telemetry, Welcome
from skill_runtime.client import ClientError, InvalidAddressError, ServerReplacedError, SkillClient
from skill_runtime.ros2.status import Status

RETRY_S = 0.25
"""Pause before the server is sought again [s]."""


class Publishers(Protocol):
    """Publishes the description of a server, and its states; see outputs.py."""

    def describe(self, welcome: Welcome) -> None:
        """Publishes what does not change while a server runs."""
        ...

    def publish(self, state: Telemetry) -> None:
        """Publishes a state."""
        ...


class Watching:
    """Publishes the states of the arm.

    Args:
        make_client: Makes a client of the server.
        outputs: The publishers.
        status: Receives what happens.
    """

    def __init__(
        self, make_client: Callable[[], SkillClient], outputs: Publishers, status: Status
    ) -> None:
        self._make_client = make_client
        self._outputs = outputs
        self._status = status
        self._ended = threading.Event()
        self._client: SkillClient | None = None  # connected, and knows the server's stop address

    def run(self) -> None:
        """Publishes until :meth:`end`.

        Raises:
            InvalidAddressError: The address is malformed.
        """
        while not self._ended.is_set():
            try:
                with self._make_client() as client:
                    self._publish(client)
            except InvalidAddressError:
                raise  # no server will ever answer there
            except ServerReplacedError:
                self._status.lost("the server was started again")
            except ClientError as error:
                self._status.lost(str(error))
                self._ended.wait(RETRY_S)

    def _publish(self, client: SkillClient) -> None:
        welcome = client.hello()
        self._outputs.describe(welcome)
        self._status.connected(welcome)
        self._client = client
        try:
            for state in client.telemetry():
                if self._ended.is_set():
                    return
                self._status.seen(state)
                self._outputs.publish(state)
        finally:
            self._client = None

    def stop(self, reason: str) -> None:
        """Stops the arm; any thread may call it, and it waits for no other call.

        Raises:
            ClientError: No server confirmed the stop.
        """
        known = self._client
        if known is not None:
            try:
                known.stop(reason)
                return
            except ClientError as error:
                # It may have been started again: ask anew. Whether it is lost is for run() to say.
                self._status.stop_failed(str(error))
        with self._make_client() as client:
            client.stop(reason)

    def end(self) -> None:
        """Lets :meth:`run` return after the next state."""
        self._ended.set()
