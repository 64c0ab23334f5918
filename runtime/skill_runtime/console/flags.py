"""What of a command line cannot be done: the flag, what it takes, what was given, and the fix."""

from __future__ import annotations

from skill_proto.bounds import FRICTION, MASS_KG
from skill_runtime.realtime.cpus import listed, online

DRAWN = "or leave it out to have it drawn anew for each episode"


class UsageError(Exception):
    """Something that was asked cannot be done; the text says what to do instead."""


def check_number(
    flag: str, value: float | None, low: float, high: float, *, unit: str = "", fix: str = ""
) -> None:
    """Refuses a value outside ``[low, high]``; None is a flag that was not given.

    Raises:
        UsageError: names the flag, its range, the value, and ``fix`` where there is more to say.
    """
    if value is None or low <= value <= high:
        return
    what = f" {unit}" if unit else ""
    raise UsageError(
        f"--{flag} takes a number from {_plain(low)} to {_plain(high)}{what}, got {_plain(value)}; "
        f"give one in that range{f', {fix}' if fix else ''}"
    )


def check_object(mass: float | None, friction: float | None) -> None:
    """Refuses a mass [kg] or a coefficient of friction that no simulated object can have.

    Raises:
        UsageError: see :func:`check_number`.
    """
    check_number("mass", mass, *MASS_KG, unit="kg", fix=DRAWN)
    check_number("friction", friction, *FRICTION, fix=DRAWN)


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def check_cpu(cpu: int | None) -> None:
    """Refuses a processor that is not there; None is a flag that was not given.

    Raises:
        UsageError: names the flag, the processors there are, and what was given.
    """
    if cpu is not None and cpu not in online():
        raise UsageError(
            f"--cpu takes one of this machine's processors, {listed(online())}, got {cpu}; give "
            "one of these, or leave it out to let the system choose"
        )
