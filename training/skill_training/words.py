"""The words of a command line of ``skill-train``: flags that are given twice, and parts of it."""

from __future__ import annotations

from collections.abc import Sequence

from skill_training.errors import ConfigError

COMMON = "--"
"""Word between the flags of a sweep and those of all its runs."""

GATHERED = ("set", "task.settings")
"""Flags that may be given several times; the values of all are used."""


def before_common(typed: Sequence[str]) -> Sequence[str]:
    """Returns the words of a sweep before those of all its runs."""
    return typed[: typed.index(COMMON)] if COMMON in typed else typed


def value_of(flag: str, typed: Sequence[str]) -> str | None:
    """Returns the value of a flag on which other flags depend; None if it is not given."""
    found = None
    for place, word in enumerate(typed):
        name, equals, value = word.partition("=")
        if name == flag:
            following = typed[place + 1] if place + 1 < len(typed) else None
            found = value if equals else following
    return found


def flag_names(words: Sequence[str]) -> list[str]:
    """Returns the names of the flags among words, without dashes in front and with '-' for '_'."""
    return [_name(word) for word in words if _is_flag(word)]


def gathered(words: Sequence[str]) -> list[str]:
    """Returns the words with each flag once.

    The values of a flag of :data:`GATHERED` that is given several times follow its first place.

    Raises:
        ConfigError: another flag is given twice, of which the parser would take the last one.
    """
    _refuse_twice(words)
    names = flag_names(words)
    twice = {name for name in GATHERED if names.count(name) > 1}
    groups: list[list[str]] = []
    found: dict[str, list[str]] = {}
    for group in _groups(words):
        name = _name(group[0]) if _is_flag(group[0]) else ""
        if name not in twice:
            groups.append(group)
            continue
        if name not in found:
            found[name] = [f"--{name}"]
            groups.append(found[name])
        _, equals, value = group[0].partition("=")
        found[name] += [value, *group[1:]] if equals else group[1:]
    return [word for group in groups for word in group]


def _groups(words: Sequence[str]) -> list[list[str]]:
    """Returns each flag with the words after it; the words before the first flag come first."""
    groups: list[list[str]] = []
    for word in words:
        if _is_flag(word) or not groups:
            groups.append([])
        groups[-1].append(word)
    return groups


def _refuse_twice(words: Sequence[str]) -> None:
    """Refuses flags that are given twice.

    Raises:
        ConfigError: there are some.
    """
    given: dict[str, str] = {}
    for word in words:
        if not _is_flag(word):
            continue
        flag, switch = word.partition("=")[0], _switch(_name(word))
        if switch in GATHERED or switch not in given:
            given[switch] = flag
        elif _name(given[switch]) != _name(word):
            raise ConfigError(f"{given[switch]} and {flag} contradict each other; leave one out")
        else:
            raise ConfigError(f"{flag} is given twice; give it once, with all its values after it")


def _is_flag(word: str) -> bool:
    return word.startswith("--") and word != COMMON


def _name(word: str) -> str:
    return word.partition("=")[0].removeprefix("--").replace("_", "-")


def _switch(name: str) -> str:
    """Returns the name of a flag; of a switch that is turned off, that which turns it on."""
    group, dot, last = name.rpartition(".")
    return f"{group}{dot}{last.removeprefix('no-')}"
