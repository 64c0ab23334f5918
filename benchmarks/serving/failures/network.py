"""Two network namespaces with a virtual cable between them that can be unplugged.

The server listens on its loopback address. Its three ports are tunnelled to the same numbers on the
other side, as docs/protocol.md describes for remote access. Each namespace has one end of the
tunnel; the cable is the only connection between them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Self

from benchmarks.serving.failures.client_process import CLOCK
from benchmarks.serving.failures.rig import Rig

SERVER_ADDRESS = "10.213.77.1"
CLIENT_ADDRESS = "10.213.77.2"
"""Visible in the two namespaces only."""


class NoNamespacesError(RuntimeError):
    """Network namespaces are not available; the text gives the reason."""


class Cable:
    """The namespaces of a server and of a client; the end of the block deletes both.

    Attributes:
        server: Words that run a command in the namespace of the server.
        client: Words that run a command in the namespace of the client.
    """

    def __init__(self) -> None:
        self._names = [f"failures-{os.getpid()}-{side}" for side in ("server", "client")]
        self._ends = [f"f{os.getpid()}{side}" for side in "sc"]
        self.server, self.client = (["ip", "netns", "exec", name] for name in self._names)

    def __enter__(self) -> Self:
        check_privileges()
        try:
            self._create()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _create(self) -> None:
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        here, there = self._ends
        peer = ["peer", "name", there, "netns", self._names[1]]
        _ip("link", "add", here, "netns", self._names[0], "type", "veth", *peer)
        addresses = (SERVER_ADDRESS, CLIENT_ADDRESS)
        for name, end, address in zip(self._names, self._ends, addresses, strict=True):
            _ip("-n", name, "address", "add", f"{address}/30", "dev", end)
            _ip("-n", name, "link", "set", end, "up")

    def tunnel(self, rig: Rig) -> None:
        """Forwards the rig's ports to the same ports in the client's namespace."""
        port = str(rig.port)
        rig.peer("forward", SERVER_ADDRESS, "127.0.0.1", port, prefix=self.server)
        rig.peer("forward", "127.0.0.1", SERVER_ADDRESS, port, prefix=self.client)

    def unplug(self) -> float:
        """Cuts the connection; returns the time just before [s]."""
        return self._set("down")

    def plug(self) -> float:
        """Restores the connection; returns the time just before [s]."""
        return self._set("up")

    def _set(self, state: str) -> float:
        now = CLOCK.now()
        _ip("-n", self._names[0], "link", "set", self._ends[0], state)
        return now

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            if os.path.exists(f"/run/netns/{name}"):
                _ip("netns", "delete", name)  # this also deletes the end of the cable


def check_privileges() -> None:
    """Checks that network namespaces can be created.

    Raises:
        NoNamespacesError: The command ``ip`` or the privilege is missing.
    """
    if shutil.which("ip") is None:
        raise NoNamespacesError("the command ip is missing; install the package iproute2")
    if os.geteuid() != 0:
        raise NoNamespacesError("network namespaces need root; run the program as root")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoNamespacesError(
            f"'ip {' '.join(words)}' failed: {done.stderr.strip()}. It needs the capabilities "
            "CAP_NET_ADMIN and CAP_SYS_ADMIN, which a container may lack"
        )
