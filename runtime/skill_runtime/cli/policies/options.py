"""The command line of ``skill-serve --service-only``, and the checks of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, UseAppendAction, arg

from skill_proto.ports import COMMAND_PORT, DEFAULT_HOST, MAX_PORT
from skill_runtime.console.flags import UsageError, check_number, model_file
from skill_runtime.console.logs import LogLevel

MAX_NAME = 64
"""Characters of the name of a model, as on the wire."""

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, kw_only=True)
class PolicyServiceOptions:
    """The command line."""

    service_only: FlagCreatePairsOff[bool] = False
    """Serve policies without an arm."""
    model: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="[NAME=]MODEL")] = ()
    """Policy file, or the name of a model that comes with skill-serve; once for each policy.
    Requests name it NAME, or as the file without .onnx."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the policies; there is no fallback from one to the other."""
    host: Annotated[str | None, arg(metavar="HOST", help_behavior_hint="(default: 127.0.0.1)")] = (
        None
    )
    """Address of this machine to serve on, e.g. 192.168.1.5, or 0.0.0.0 for all of its networks.
    Any but 127.0.0.1 needs keys."""
    port: int = COMMAND_PORT
    """Port for requests."""
    address: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="")] = None
    """Replaces host and port, e.g. ipc:///run/policies."""
    keys: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help_behavior_hint="(default: none on 127.0.0.1, else ~/.config/skill-serve)",
        ),
    ] = None
    """Admit only clients whose keys are in FOLDER/authorized_keys, and encrypt."""
    log_level: LogLevel = "info"
    """Least severe messages that are printed."""

    @property
    def endpoint(self) -> str:
        """The address to bind."""
        host = self.host or DEFAULT_HOST
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return self.address or f"tcp://{host}:{self.port}"


def read_models(arguments: PolicyServiceOptions) -> tuple[tuple[str, Path], ...]:
    """Returns name and file of each policy, after the checks of all flags.

    Raises:
        UsageError: A value is out of range, a model is unknown, or the names are not distinct.
    """
    check_number("port", arguments.port, 1, MAX_PORT)
    if not arguments.model:
        raise UsageError("--service-only needs a policy; give one or more, e.g. --model csf_panda")
    models: dict[str, Path] = {}
    for given in arguments.model:
        name, equals, file = given.partition("=")
        path = model_file(file if equals else given)
        name = name if equals else path.stem
        if not _NAME.fullmatch(name) or len(name) > MAX_NAME or not str(path):
            raise UsageError(
                f"--model {given!r}: {name!r} is not a name; give NAME=FILE with letters, digits, "
                f"'_', '-' and '.', up to {MAX_NAME} of them"
            )
        if name in models:
            raise UsageError(
                f"--model {given!r}: {name!r} is the name of {models[name]} already; give "
                "NAME=FILE with another name"
            )
        models[name] = path
    return tuple(models.items())
