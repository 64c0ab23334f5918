"""How a test deals with a command of a page."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Change:
    """A difference between the command on the page and the one that is run."""

    because: str
    """The reason."""
    words: dict[str, str] = field(default_factory=dict)
    """Parts of the command, and what stands in their place."""
    adds: str = ""
    """Further flags; a flag that is given twice has its last value."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command that ends by itself."""

    says: str = ""
    """Part of its output."""
    makes: str = ""
    """File or folder of the page's scratch folder that is there afterwards."""
    code: int = 0
    """Its exit code."""
    home: str = "home"
    """Folder of the scratch folder that is the user's home."""
    change: Change | None = None
    """The difference from the page; free ports replace those of the page in any case."""
    beside: bool = False
    """Whether another program pushes the cube meanwhile."""
    once: bool = False
    """Whether the same command on other pages is not run again; a server is shared by them."""


@dataclass(frozen=True, kw_only=True)
class Interrupted(Run):
    """A command that runs until Ctrl-C, which comes once it has said and made what it should."""


@dataclass(frozen=True, kw_only=True)
class Stays(Run):
    """A command that runs while the next ones do; then Ctrl-C ends it.

    A server ends when the next server of the page begins. ``makes`` has no meaning here.
    """

    with_block: bool = False
    """Whether it ends with the block."""


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A command that cannot be run here; flags of programs of this repository are checked."""

    because: str
    """The reason."""
    instead: str = ""
    """Command of the README that is run in its place, with a server for the next commands."""


Step = Run | Absent
