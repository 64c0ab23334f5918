"""Two network namespaces with a cable between them that can be pulled, for failures.py.

The server stays on its loopback address. As docs/protocol.md says for access from elsewhere, the
three ports are tunnelled, each to the same number: one end of the tunnel is in either namespace,
and the cable is all that they have in common.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

from benchmarks.serving.failures.rig import CLOCK, Rig

SERVER_ADDRESS = "10.213.77.1"
CONTROLLER_ADDRESS = "10.213.77.2"
"""Seen in the two namespaces alone."""


class NoNamespacesError(RuntimeError):
    """This machine, or this user, has no network namespaces to give; the text says why."""


class Cable:
    """The namespaces of a server and of a controller; leaving the block deletes both.

    Attributes:
        server: words that run a command where the server is.
        controller: words that run a command where the controller is.
    """

    def __init__(self) -> None:
        self._names = [f"failures-{os.getpid()}-{side}" for side in ("server", "controller")]
        self._ends = [f"f{os.getpid()}{side}" for side in "sc"]
        self.server, self.controller = (["ip", "netns", "exec", name] for name in self._names)

    def __enter__(self) -> Self:
        check_privileges()
        try:
            self._lay()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _lay(self) -> None:
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        here, there = self._ends
        peer = ["peer", "name", there, "netns", self._names[1]]
        _ip("link", "add", here, "netns", self._names[0], "type", "veth", *peer)
        addresses = (SERVER_ADDRESS, CONTROLLER_ADDRESS)
        for name, end, address in zip(self._names, self._ends, addresses, strict=True):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", end)
            _ip("-n", name, "link", "set", end, "up")

    def tunnel(self, rig: Rig) -> None:
        """Carries the rig's ports to the same ports on the controller's side."""
        port = str(rig.port)
        rig.peer("forward", SERVER_ADDRESS, "127.0.0.1", port, prefix=self.server)
        rig.peer("forward", "127.0.0.1", SERVER_ADDRESS, port, prefix=self.controller)

    def pull(self) -> float:
        """Cuts the connection; returns the time just before [s]."""
        return self._set("down")

    def plug(self) -> float:
        """Brings it back; returns the time just before [s]."""
        return self._set("up")

    def _set(self, state: str) -> float:
        now = CLOCK.now()
        _ip("-n", self._names[0], "link", "set", self._ends[0], state)
        return now

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            if os.path.exists(f"/run/netns/{name}"):
                _ip("netns", "delete", name)  # its end of the cable goes with it


def check_privileges() -> None:
    """Returns where namespaces can be made.

    Raises:
        NoNamespacesError: says what is missing.
    """
    if shutil.which("ip") is None:
        raise NoNamespacesError("the command ip is missing; it is in the package iproute2")
    if os.geteuid() != 0:
        raise NoNamespacesError("network namespaces need root")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespacesError(
            f"'ip {' '.join(words)}' failed, {done.stderr.strip()}; it needs CAP_NET_ADMIN and "
            "CAP_SYS_ADMIN, which a container may lack"
        )
