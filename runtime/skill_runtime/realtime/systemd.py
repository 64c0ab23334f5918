"""Notifies systemd, or another service manager, that the server is ready, alive or stopping.

A service manager that receives no more notifications ends the process and starts it again. The
protocol is that of sd_notify(3): datagrams to the Unix socket in the environment variable
NOTIFY_SOCKET.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Self

log = logging.getLogger(__name__)

NOTIFY_INTERVAL_S = 0.25
"""Time between two watchdog notifications [s]."""


class SystemdNotifier:
    """Context manager whose thread notifies the service manager as long as the loop ticks.

    Args:
        last_tick: Returns the time of the loop's last tick [s], or any other number that changes
            with each tick.
        address: The service manager's socket: a path, or '@' and a name in Linux's abstract
            namespace. None takes NOTIFY_SOCKET. If that is unset, no notification is sent.
    """

    def __init__(self, last_tick: Callable[[], float], address: str | None = None) -> None:
        self._last_tick = last_tick
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = f"\0{given[1:]}" if given.startswith("@") else given
        self._ended = threading.Event()
        # A separate thread: the main thread may block while it prints to a full pipe.
        self._thread = threading.Thread(target=self._watch, name="systemd-notifier", daemon=True)

    def _watch(self) -> None:
        before = self._last_tick()
        while not self._ended.wait(NOTIFY_INTERVAL_S):
            now = self._last_tick()
            if now != before:
                self._notify("WATCHDOG=1")
            before = now

    def _notify(self, state: str) -> None:
        # A service manager that does not read must not block the server.
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.setblocking(False)
                manager.sendto(state.encode(), self._address)
        except OSError as error:
            log.debug(
                "cannot notify the service manager at %r of %s: %s", self._address, state, error
            )

    def __enter__(self) -> Self:
        if self._address:
            self._notify("READY=1")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._address:
            self._ended.set()
            self._thread.join()
            self._notify("STOPPING=1")
