"""Types and checks of flags; an error names the flag, its range, the value and the fix."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.files.shipped_models import UnknownModelError, find_model, to_path
from skill_runtime.realtime.cpus import format_cpus, online_cpus

OMIT_FOR_RANDOM = "or omit the flag for a random value in each episode"
"""Alternative fix for a parameter of the simulated object."""

_NONE = "None"
"""The word for a flag that is not given."""


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


def optional_flags() -> ConstructorRegistry:
    """Returns a context in which a word that does not fit ``T | None`` is refused as for ``T``.

    tyro's own text names both types, in terms of Python.
    """
    registry = ConstructorRegistry()
    registry.primitive_rule(_read_optional)
    return registry


def _read_optional(kind: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Returns how ``T | None`` is read; None for other types."""
    types = [each for each in get_args(kind.type) if each is not NoneType]
    if len(types) != 1 or NoneType not in get_args(kind.type):
        return None
    inner = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(types[0], kind.markers))
    if not isinstance(inner, PrimitiveConstructorSpec):
        return None
    count = inner.nargs

    def read(words: list[str]) -> object:
        if words == [_NONE]:
            return None
        if isinstance(count, int) and len(words) != count:
            raise ValueError(f"{inner.metavar} is expected, {count} words; got {' '.join(words)}")
        return inner.instance_from_str(words)

    return PrimitiveConstructorSpec(
        nargs=(1, count) if isinstance(count, int) and count > 1 else count,
        metavar=_optional_metavar(inner.metavar),
        instance_from_str=read,
        is_instance=lambda value: value is None or inner.is_instance(value),
        str_from_instance=lambda value: (
            [_NONE] if value is None else inner.str_from_instance(value)
        ),
        choices=None if inner.choices is None else (_NONE, *inner.choices),
    )


def _optional_metavar(metavar: str) -> str:
    """Returns the words of ``T | None`` in the help, as tyro has them."""
    if metavar.startswith("{"):
        return f"{{{_NONE},{metavar[1:]}"
    return f"{{{_NONE}}}|{{{metavar}}}" if " " in metavar else f"{{{_NONE}}}|{metavar}"


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
