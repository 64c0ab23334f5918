"""Checks of flags; an error names the flag, its range, the value and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.shipped_models import UnknownModelError, find_model, to_path
from skill_runtime.realtime.cpus import format_cpus, online_cpus

OMIT_FOR_RANDOM = "or omit the flag for a random value in each episode"
"""Alternative fix for a parameter of the simulated object."""


ModelFlag = Annotated[
    Path,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="MODEL",
        instance_from_str=lambda words: to_path(words[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    ),
]
"""Type of a flag for :func:`model_file`: as Path, but ``./csf_panda`` is no name of a model."""


class UsageError(Exception):
    """The command line asks for something impossible; the text names the fix."""


def check_number(
    flag: str, value: float | None, low: float, high: float, *, unit: str = "", fix: str = ""
) -> None:
    """Refuses a value outside ``[low, high]``; None is a flag that was not given.

    Args:
        flag: Name of the flag, without dashes.
        value: Value of the flag.
        low: Smallest value.
        high: Largest value.
        unit: Unit of the value.
        fix: Alternative to a value in the range.

    Raises:
        UsageError: the value is outside the range or NaN.
    """
    if value is None or low <= value <= high:
        return
    suffix = f" {unit}" if unit else ""
    raise UsageError(
        f"--{flag} takes a number from {_plain(low)} to {_plain(high)}{suffix}, "
        f"got {_plain(value)}; give one in that range{f', {fix}' if fix else ''}"
    )


def check_object(mass: float | None, friction: float | None) -> None:
    """Refuses a mass [kg] or a coefficient of friction outside the bounds of simulated objects.

    Raises:
        UsageError: see :func:`check_number`.
    """
    check_number("mass", mass, *MASS_KG, unit="kg", fix=OMIT_FOR_RANDOM)
    check_number("friction", friction, *FRICTION, fix=OMIT_FOR_RANDOM)


def model_file(given: Path | str) -> Path:
    """Returns the policy file that a flag names by its path, or as a shipped model.

    Raises:
        UsageError: The word is neither; the text lists the names.
    """
    if Path(given) == Path():
        raise UsageError(
            "the name of the policy file is empty, or '.', which is a folder; name a file, or a "
            "model such as csf_panda"
        )
    try:
        return find_model(given)
    except UnknownModelError as error:
        raise UsageError(str(error)) from None


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_cpu(cpu: int | None) -> None:
    """Refuses a processor that this machine lacks; None is a flag that was not given.

    Raises:
        UsageError: the processor does not exist or is not online.
    """
    if cpu is not None and cpu not in online_cpus():
        raise UsageError(
            f"--cpu takes one of this machine's processors, {format_cpus(online_cpus())}, "
            f"got {cpu}; give one of these, or omit the flag to let the system choose"
        )
