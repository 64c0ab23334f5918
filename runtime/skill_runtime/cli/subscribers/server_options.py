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

    def client(self, name: str) -> SkillClient:
        """Returns a client of the server.

        Args:
            name: Name of the program in the server's log.

        Raises:
            ClientError: The address is not one.
        """
        return SkillClient(
            self.address,
            name=name,
            telemetry_address=self.telemetry_address,
            key=self.key,
            server_key=self.server_key,
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
