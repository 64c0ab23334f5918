"""Requests that need no lease: STOP, which waits for nothing, and the others, one after the other.

A server that hangs makes every request wait for its timeout. STOP has threads of its own, so that
it is never behind one of them. Of the others only the newest of a kind is sent: a slider that is
dragged changes faster than a server answers.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from skill_runtime.client import ClientError, ServerReplacedError, SkillClient

log = logging.getLogger(__name__)

STOPS = 4
"""Stops that are under way at once; each ends within two timeouts of a client."""

Ask = Callable[[SkillClient], None]
Report = Callable[[str], None]
"""Receives why a request has failed, in a thread of this module."""


class Requests:
    """The threads that ask.

    Args:
        client: Client of the server, which no other thread uses.
        commander: Client that knows the server; only its ``stop`` is used, as any thread may.
        make_client: Makes a client that knows no server yet, if another one was started.
    """

    def __init__(
        self, client: SkillClient, commander: SkillClient, make_client: Callable[[], SkillClient]
    ) -> None:
        self._client = client
        self._commander = commander
        self._make_client = make_client
        self._stops = ThreadPoolExecutor(STOPS, thread_name_prefix="stop")
        self._waiting: dict[str, tuple[Ask, Report]] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="requests", daemon=True)
        self._thread.start()

    def stop(self, report: Report) -> None:
        """Stops the arm, in the background.

        Args:
            report: Called if the stop is not confirmed.
        """
        self._stops.submit(self._stop, report)

    def _stop(self, report: Report) -> None:
        with suppress(Exception):
            self._commander.stop("web page")
            return
        try:
            with self._make_client() as client:
                client.stop("web page")
        except Exception as error:  # whatever it is, the operator must know
            report(str(error) or type(error).__name__)

    def ask(self, kind: str, ask: Ask, report: Report) -> None:
        """Asks in the background; replaces a request of this kind that was not sent yet.

        Args:
            kind: Kind of the request.
            ask: Sends it.
            report: Called if it is refused.
        """
        with self._changed:
            self._waiting[kind] = ask, report
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                kind = next(iter(self._waiting))
                ask, report = self._waiting.pop(kind)
            try:
                self._send(ask)
            except ClientError as error:
                report(str(error))
            except Exception as error:  # the next request must find its thread
                log.exception("a request has failed")
                report(f"a fault of this page: {error}")

    def _send(self, ask: Ask) -> None:
        try:
            ask(self._client)
        except ServerReplacedError:
            self._client.hello()  # adopts a server that was started again
            ask(self._client)

    def close(self) -> None:
        """Ends the threads, after the stops that are under way."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._stops.shutdown()
        self._thread.join()
