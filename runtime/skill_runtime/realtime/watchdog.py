"""Word to a supervisor, such as systemd: the server is ready, its loop ticks, it is ending.

A supervisor that hears nothing more ends the process and starts it again. The protocol is that of
sd_notify(3): datagrams to the Unix socket that the environment variable NOTIFY_SOCKET names.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Self

log = logging.getLogger(__name__)

BEAT_S = 0.25
"""Time between two words that the loop ticks [s]."""


class SystemdNotifier:
    """While its block lasts a thread tells the supervisor that the loop ticks, as long as it does.

    Args:
        ticked: Server time of the loop's last tick [s]; anything that changes with each will do.
        address: The supervisor's socket, a path, or '@' and a name of Linux's abstract namespace;
            None takes NOTIFY_SOCKET's. Where that is not set either nothing is sent.
    """

    def __init__(self, ticked: Callable[[], float], address: str | None = None) -> None:
        self._ticked = ticked
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = f"\0{given[1:]}" if given.startswith("@") else given
        self._ended = threading.Event()
        # A thread of its own: output that nobody reads holds up the one that prints.
        self._thread = threading.Thread(target=self._beat, name="supervision", daemon=True)

    def _beat(self) -> None:
        before = self._ticked()
        while not self._ended.wait(BEAT_S):
            now = self._ticked()
            if now != before:
                self._say("WATCHDOG=1")
            before = now

    def _say(self, what: str) -> None:
        # Whoever does not listen must hold up nothing here.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
                supervisor.setblocking(False)
                supervisor.sendto(what.encode(), self._address)
        except OSError as error:
            log.debug("the supervisor at %r was not told %s: %s", self._address, what, error)

    def __enter__(self) -> Self:
        if self._address:
            self._say("READY=1")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._address:
            self._ended.set()
            self._thread.join()
            self._say("STOPPING=1")
