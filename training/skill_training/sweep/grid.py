"""The runs of a sweep: the product of settings and seeds."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from skill_training.errors import ConfigError
from skill_training.words import flag_names

LARGEST_SWEEP = 10_000
"""Number of runs from which a sweep is taken for a mistake."""

LONGEST_NAME = 200
"""Longest name of a setting in the name of a directory; file systems allow 255 bytes in all."""

OWN = {
    "seed": "give its seeds as --seeds, such as --seeds 0..4",
    "run-dir": "each run gets a directory below --folder; leave it out",
    "resume": "the same command continues a sweep; leave it out",
}
"""Flags of ``skill-train`` that a sweep has no use for, and what to do instead."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A named setting of a sweep that compares algorithms."""

    name: str
    algorithm: str
    flags: tuple[str, ...] = ()
    """Flags of ``skill-train`` in addition to those of all runs."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a sweep."""

    name: str
    """Name of its directory."""
    algorithm: str
    setting: str
    """Its settings without the seed, as in the table; empty for a sweep over seeds alone."""
    seed: int
    flags: tuple[str, ...]
    """Flags of ``skill-train``, without the run directory."""


def parse_seeds(text: str, flag: str = "--seeds") -> list[int]:
    """Returns the seeds of a text such as ``0..9``, ``3`` or ``0,4,7..9``.

    Args:
        text: The seeds.
        flag: Name of the flag, for the message.

    Raises:
        ConfigError: the text is no list of seeds, or names one twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,10})(?:\.\.(\d{1,10}))?", part.strip())
        if match is None:
            raise ConfigError(f"{flag} takes numbers such as 0..9 or 0,4,7, got {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > LARGEST_SWEEP:
            raise ConfigError(f"{flag} {part} is no range of at most {LARGEST_SWEEP} seeds")
        seeds += range(first, last + 1)
    if len(set(seeds)) != len(seeds):
        raise ConfigError(f"{flag} {text} names a seed twice")
    return seeds


def parse_setting(text: str) -> tuple[str, list[str]]:
    """Returns flag and values of a text such as ``csf.contrast_weight=1,5,25``.

    Raises:
        ConfigError: the text has another form, or gives a value twice.
    """
    name, equals, values = text.partition("=")
    listed = [value.strip() for value in values.split(",")]
    if not equals or not name or not all(listed):
        raise ConfigError(f"--set takes 'flag=value,value', got {text!r}")
    if len(set(listed)) != len(listed):
        raise ConfigError(f"--set {text} gives a value twice")
    return name.strip().removeprefix("--").replace("_", "-"), listed


def flags_of(name: str, value: str) -> list[str]:
    """Returns the words of one setting: a flag and its values, or a switch."""
    if value in ("true", "false"):
        group, dot, last = name.rpartition(".")
        return [f"--{name}" if value == "true" else f"--{group}{dot}no-{last}"]
    return [f"--{name}", *value.split()]


def make_runs(
    algorithm: str,
    seeds: Sequence[int],
    settings: Sequence[tuple[str, list[str]]],
    common: Sequence[str],
) -> list[Run]:
    """Returns the runs: all seeds of the first settings, then of the next ones.

    Args:
        algorithm: Name of the algorithm.
        seeds: Seeds.
        settings: Name and values of each setting that varies.
        common: Flags of all runs.

    Raises:
        ConfigError: there are too many, a flag is given twice, or a sweep sets it itself.
    """
    names = [name for name, _ in settings]
    given = flag_names(common)
    _refuse_own((*given, *names))
    _refuse_twice(sorted({name for name in names if names.count(name) > 1 or name in given}))
    choices = list(product(*(values for _, values in settings)))
    if len(choices) * len(seeds) > LARGEST_SWEEP:
        raise ConfigError(f"{len(choices) * len(seeds):,} runs are too many; leave out settings")
    runs: list[Run] = []
    for values in choices:
        chosen = dict(zip(names, values, strict=True))
        setting = " ".join(f"{name}={value}" for name, value in chosen.items())
        words = [word for name, value in chosen.items() for word in flags_of(name, value)]
        runs += [
            Run(
                name=_directory_name(setting, seed),
                algorithm=algorithm,
                setting=setting,
                seed=seed,
                flags=(*common, *words, "--seed", str(seed)),
            )
            for seed in seeds
        ]
    if len({run.name for run in runs}) != len(runs):
        raise ConfigError("two settings of the sweep have the same name; use other values")
    return runs


def make_variant_runs(
    variants: Sequence[Variant], seeds: Sequence[int], common: Sequence[str]
) -> list[Run]:
    """Returns the runs of named settings: all of them for the first seed, then for the next one.

    A table of the first seed is thus complete early.

    Raises:
        ConfigError: two settings have one name or one directory, a flag is given twice, or a sweep
            sets it itself.
    """
    runs: list[Run] = []
    for seed in seeds:
        for variant in variants:
            _refuse_own(flag_names((*common, *variant.flags)))
            _refuse_twice(sorted(set(flag_names(variant.flags)) & set(flag_names(common))))
            runs.append(
                Run(
                    name=_directory_name(variant.name, seed),
                    algorithm=variant.algorithm,
                    setting=variant.name,
                    seed=seed,
                    flags=(*common, *variant.flags, "--seed", str(seed)),
                )
            )
    if len({run.name for run in runs}) != len(runs):
        raise ConfigError("two settings of the sweep have the same name; use other names")
    return runs


def _refuse_own(names: Iterable[str]) -> None:
    """Refuses flags that a sweep sets itself.

    Raises:
        ConfigError: there is one.
    """
    for name in names:
        if name in OWN:
            raise ConfigError(f"a sweep takes no --{name}: {OWN[name]}")


def _refuse_twice(names: Sequence[str]) -> None:
    """Refuses flags of which a sweep would have two.

    Raises:
        ConfigError: there are some.
    """
    if names:
        flags = ", ".join(f"--{name}" for name in names)
        raise ConfigError(f"a sweep cannot set {flags} a second time; leave one of the two out")


def _directory_name(setting: str, seed: int) -> str:
    plain = re.sub(r"[^A-Za-z0-9.=+-]+", "_", setting)
    if len(plain) > LONGEST_NAME:
        plain = f"{plain[: LONGEST_NAME - 9]}-{zlib.crc32(setting.encode()):08x}"
    return f"{plain}_seed{seed}" if plain else f"seed{seed}"
