"""The server that a program watches, and the ends of such programs."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Annotated

from tyro.conf import arg

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import SkillClient
from skill_runtime.console.flags import UsageError

TIMEOUT_S = 2.0
"""Longest wait for an answer, as of SkillClient [s]."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """The server."""

    address: Annotated[str, arg(metavar="ADDRESS")] = DEFAULT_ADDRESS
    """Server address for commands, which reports the one for telemetry."""
    telemetry_address: Annotated[
        str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: as the server reports)")
    ] = None
    """Address for telemetry, if a tunnel leads to it."""
    key: Annotated[
        str | None, arg(metavar="FILE", help_behavior_hint="(default: see docs/security.md)")
    ] = None
    """Key pair of this program, from `skill-keys new`; the role `observer` is enough."""
    server_key: Annotated[
        str | None, arg(metavar="KEY", help_behavior_hint="(default: see docs/security.md)")
    ] = None
    """Public key of the server in single quotes, or a file with it."""

    def client(
        self, name: str, *, timeout_s: float = TIMEOUT_S, stop_address: str | None = None
    ) -> SkillClient:
        """Returns a client of the server.

        Args:
            name: Name of the program in the server's log.
            timeout_s: Longest wait for an answer [s].
            stop_address: Address for stops; that of the server if None.

        Raises:
            ClientError: An address or a key is wrong.
        """
        return SkillClient(
            self.address,
            timeout_s=timeout_s,
            name=name,
            telemetry_address=self.telemetry_address,
            stop_address=stop_address,
            key=self.key,
            server_key=self.server_key,
        )


@dataclass(frozen=True, kw_only=True)
class SteeredServerOptions(ServerOptions):
    """The server, for a program that commands the arm."""

    stop_address: Annotated[
        str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: as the server reports)")
    ] = None
    """Address for stops, if a tunnel leads to it."""
    key: Annotated[
        str | None, arg(metavar="FILE", help_behavior_hint="(default: see docs/security.md)")
    ] = None
    """Key pair of this program, from `skill-keys new`; it needs the role `controller`."""

    def client(
        self, name: str, *, timeout_s: float = TIMEOUT_S, stop_address: str | None = None
    ) -> SkillClient:
        """Returns a client of the server, whose stops go to the address of the flag."""
        return super().client(
            name, timeout_s=timeout_s, stop_address=stop_address or self.stop_address
        )


def check_installed(program: str, extra: str, modules: Sequence[str]) -> None:
    """Checks that the libraries of a program are installed.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{program} needs {', '.join(missing)}, which is not installed; install it with: "
            f"pip install 'skill-serve[{extra}]'"
        )


class Ending:
    """Whether Ctrl-C or SIGTERM asks the program to end; it ends between two messages."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.asked = True

    def or_after(self, seconds: float, clock: Callable[[], float]) -> Callable[[], bool]:
        """Returns a function that also becomes True after this time [s]."""
        ends = clock() + seconds
        return lambda: self.asked or clock() >= ends
