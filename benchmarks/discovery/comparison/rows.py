"""The compared settings: each row is a name, an algorithm, and flags of ``skill-train``.

A flag that begins with ``--algorithm.`` is one of the row's own algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skill_training.sweep.grid import Variant

OWN = "--algorithm."
"""Beginning of a flag that every algorithm has under its own name, as ``--csf.hidden``."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table."""

    key: str
    """Name in ``--rows`` and of its run directories."""
    title: str
    """First column of the table."""
    algorithm: str | None = None
    """Algorithm of ``skill-train``; None for random actions, which are not trained."""
    flags: tuple[str, ...] = ()
    """Flags of ``skill-train`` in addition to those of all rows."""

    def variant(self, common: Sequence[str] = ()) -> Variant:
        """Returns the row as a setting of a sweep, with the flags of all rows.

        Raises:
            ValueError: the row is not trained.
        """
        if self.algorithm is None:
            raise ValueError(f"the row {self.key} is not trained")
        own = f"--{self.algorithm}."
        words = [
            own + word.removeprefix(OWN) if word.startswith(OWN) else word
            for word in (*common, *self.flags)
        ]
        return Variant(name=self.key, algorithm=self.algorithm, flags=tuple(words))


def row(key: str, title: str, algorithm: str | None, flags: str = "") -> Row:
    """Returns a row from its flags in one text."""
    return Row(key=key, title=title, algorithm=algorithm, flags=tuple(flags.split()))


RANDOM = row("random", "random actions", None)

FROZEN = "--algorithm.representation.frozen"

# --- the tabletop ---------------------------------------------------------------------------------

AIDS = {
    "rate": ("--algorithm.learning-rate 1e-3", "learning rate 1e-3"),
    "starts": ("--task.beside-share 0.5", "half of the starts beside the cube"),
    "unusual": ("--unusual-share 0.25", "a quarter of each batch from unusual steps"),
}
"""Flags and text of each aid. None names an entry of the observation."""

PHI = "--algorithm.representation."


def phi(form: str, size: int, inputs: str) -> str:
    """Returns the flags of a representation whose inputs are divided by their typical step."""
    return f"{PHI}inputs {inputs} {PHI}input-scale step {PHI}form {form} {PHI}size {size}"


def aids(names: Sequence[str]) -> str:
    """Returns the flags of these aids."""
    return " ".join(AIDS[name][0] for name in names)


ALL_AIDS = aids(tuple(AIDS))

LINEAR = phi("linear", 2, "unactuated")
MLP = phi("mlp", 3, "unactuated") + f" {PHI}learning-rate 1e-3"

PANDA = (
    row("frozen_xy", "x, y by hand, φ frozen", "csf", f"{FROZEN} {ALL_AIDS}"),
    row("rotation", "x, y by hand, φ a rotation", "csf", ALL_AIDS),
    row("linear", "unactuated, linear, d = 2", "csf", f"{LINEAR} {ALL_AIDS}"),
    row("linear_frozen", "the same, φ frozen", "csf", f"{LINEAR} {FROZEN} {ALL_AIDS}"),
    row("mlp", "unactuated, MLP, d = 3", "csf", f"{MLP} {ALL_AIDS}"),
    row("mlp_frozen", "the same, φ frozen", "csf", f"{MLP} {FROZEN} {ALL_AIDS}"),
    row("all_linear", "all 28, linear, d = 4", "csf", f"{phi('linear', 4, '*')} {ALL_AIDS}"),
    row(
        "all_mlp",
        "all 28, MLP, d = 4",
        "csf",
        f"{phi('mlp', 4, '*')} {PHI}learning-rate 1e-3 {ALL_AIDS}",
    ),
    RANDOM,
)
"""The tabletop. ``unactuated`` are the entries that the actions do not drive directly."""


def _aid_rows() -> tuple[Row, ...]:
    """Returns the row ``mlp`` with no aid, with each alone, and with all but each."""
    alone = [
        row(f"aids_{name}", f"only {text}", "csf", f"{MLP} {aids([name])}")
        for name, (_, text) in AIDS.items()
    ]
    others = {name: aids([other for other in AIDS if other != name]) for name in AIDS}
    without = [
        row(f"aids_but_{name}", f"without {text}", "csf", f"{MLP} {others[name]}")
        for name, (_, text) in AIDS.items()
    ]
    return (row("aids_none", "no aid", "csf", MLP), *alone, *without)


PANDA_AIDS = _aid_rows()
"""The ablation of the aids on the row ``mlp``, which has all of them."""

# --- any world ------------------------------------------------------------------------------------

ABLATIONS = (
    row("csf", "CSF, skill dimension 2", "csf"),
    row("no_bottleneck", "bottleneck removed", "misl", "--misl.no-bottleneck"),
    row("mlp_critic", "inner product → MLP", "misl", "--misl.kernel mlp"),
    row("gaussian", "Gaussian kernel", "misl", "--misl.kernel gaussian"),
    row("laplacian", "Laplacian kernel", "misl", "--misl.kernel laplacian"),
    row("skills_8", "skill dimension 8", "csf", f"{PHI}size 8"),
    row("skills_32", "skill dimension 32", "csf", f"{PHI}size 32"),
    row("metra", "METRA", "metra"),
    row("metra_contrastive", "METRA, contrastive loss", "misl", "--misl.kernel inner"),
    row("csf_frozen", "CSF, φ frozen", "csf", FROZEN),
)
"""The ablations of CSF's paper, section 6, and a control whose phi does not learn."""

BASELINES = (
    row("csf", "CSF", "csf"),
    row("metra", "METRA", "metra"),
    row("misl", "METRA, contrastive loss", "misl"),
    row("lsd", "LSD", "lsd"),
    row("csd", "CSD", "csd"),
    row("diayn", "DIAYN", "diayn"),
    row("dads", "DADS", "dads"),
    row("cic", "CIC", "cic"),
    row("csf_frozen", "CSF, φ frozen", "csf", FROZEN),
    RANDOM,
)
"""All algorithms, and two controls."""
