"""Methods of the comparison, as settings of ``skill-train context``."""

from __future__ import annotations

from skill_robots.worlds.varied.table import VARIED
from skill_training.nets.encoder import EncoderConfig
from skill_training.sweep.grid import Run, Variant, make_variant_runs

METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "tesac": ("TESAC: no objective", ("--objective", "none")),
    "ccm": ("CCM: InfoNCE over tasks", ("--objective", "infonce")),
    "satesac": ("SaTESAC: SaNCE", ("--objective", "sance")),
    "saccm": ("SaCCM", ("--objective", "saccm")),
    "told": ("told", ("--objective", "none", "--context.knowledge", "told")),
    "sance-cross": ("SaNCE across tasks", ("--objective", "sance-cross")),
    "forward-model": ("forward model", ("--objective", "forward-model")),
    "supervised": ("supervised", ("--objective", "supervised")),
    "untold": ("untold", ("--objective", "none", "--context.knowledge", "untold")),
}
"""Title and flags by name. The first four have published returns."""

PUBLISHED_METHODS = ("tesac", "ccm", "satesac", "saccm", "told")
"""Methods of the published comparison, and the upper bound."""


def runs_of(world: str, methods: tuple[str, ...], seeds: list[int], flags: list[str]) -> list[Run]:
    """Returns the runs in one world, all methods of the first seed first.

    Raises:
        ConfigError: a flag is given twice.
    """
    # A told context holds all quantities; the other methods get the same size.
    size = len(VARIED[world].contexts.names)
    larger = size > EncoderConfig().size
    own = ("--world", world, *(("--context.encoder.size", str(size)) if larger else ()))
    variants = [
        Variant(name=name, algorithm="context", flags=(*own, *METHODS[name][1])) for name in methods
    ]
    return make_variant_runs(variants, seeds, flags)
