"""The command line of skill-doctor, and what of it cannot be done.

Nothing heavy is imported: '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from skill_runtime.console.flags import check_cpu, check_number
from skill_runtime.console.output_file import check_writable

DEFAULT_MODEL = Path("models/csf_panda.onnx")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line."""

    model: Annotated[Path | None, arg(metavar="FILE")] = None
    """The policy file to time; otherwise models/csf_panda.onnx, if it is there."""
    seconds: float = 5.0
    """How long each of the fifteen measurements takes [s]."""
    spin_us: float = 200.0
    """Busy waiting before each tick, where that is tried [us]."""
    cpu: Annotated[int | None, arg(metavar="N")] = None
    """Keep the measured loops on processor N, as skill-serve --cpu does."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write everything here."""


def check(arguments: Arguments) -> None:
    """Refuses what cannot be measured.

    Raises:
        UsageError: names the flag, what it takes, and what was given.
    """
    check_number("seconds", arguments.seconds, 0.1, 3600, unit="s")
    check_number("spin-us", arguments.spin_us, 1, 1000, unit="us")
    check_cpu(arguments.cpu)
    if arguments.json is not None:
        check_writable(arguments.json)


def model_to_time(arguments: Arguments) -> Path | None:
    """The policy file that was named, or the default one if it is there."""
    if arguments.model is None and not DEFAULT_MODEL.exists():
        return None
    return arguments.model or DEFAULT_MODEL
