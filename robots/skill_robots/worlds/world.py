"""The interface of a world: n scenes that are stepped together.

The design follows the vector environments of Gymnasium, with three differences. Observations are
named fields in raw units, as in a policy file. A world says what its coverage and its goals are
about (:attr:`WorldSpec.coordinates`). A scene that has ended is not restarted by itself, so that a
collector knows which transitions belong to one episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args

from skill_proto.arrays import Array, Flags, Ids
from skill_proto.manifest import ActionPart, ObservationField
from skill_robots.worlds.errors import WorldError

Split = Literal["train", "moderate", "extreme"]
"""A set of contexts: that of training, or one of two tests of growing difficulty."""


def check_split(split: str) -> None:
    """Checks the name of a set of contexts.

    Raises:
        WorldError: There is no such set.
    """
    names = get_args(Split)
    if split not in names:
        raise WorldError(f"there is no set of contexts {split!r}; choose one of {', '.join(names)}")


@dataclass(frozen=True, kw_only=True)
class Coordinates:
    """The quantities that coverage and goals of a world are about."""

    names: tuple[str, ...]
    """Observation entries, as ``field.component``. Those of a world without goals may be entries
    that it does not observe."""
    unit: str
    """SI unit; '1' if dimensionless."""
    cell: float
    """Side of a cell of coverage [``unit``]."""
    centred: bool = False
    """Whether a cell is centred on a multiple of ``cell``. False: it begins there, as in the papers
    (``floor``)."""
    relative: bool = False
    """Whether coverage is about the displacement from the start of an episode."""
    goal_low: tuple[float, ...] = ()
    """Lower end of the goals [``unit``]; () for a world without goals."""
    goal_high: tuple[float, ...] = ()
    """Upper end of the goals [``unit``]."""
    goal_radius: float = 0.0
    """Largest distance at which a goal counts as reached [``unit``]."""


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A quantity that differs between episodes and is not observed, such as a mass."""

    name: str
    unit: str = "1"
    low: float | None = None
    """Lower end of its range; None if the world does not know it."""
    high: float | None = None
    """Upper end of its range."""


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """The description of a world."""

    name: str
    """Value of ``--world``, e.g. 'ant' or 'gymnasium:Reacher-v5'."""
    title: str
    """Noun phrase for messages, e.g. "Ant of Gymnasium"."""
    observation: tuple[ObservationField, ...]
    """Named fields, in order, in raw units."""
    action: tuple[ActionPart, ...]
    """Named parts; a policy's actions lie in [-1, 1]."""
    episode_steps: int
    """Control steps of an episode."""
    control_rate_hz: float
    """Control steps per second of simulated time [Hz]."""
    coordinates: Coordinates | None = None
    """None for a world that declares none; coverage and goals need them."""
    hidden: tuple[Quantity, ...] = ()
    """Quantities that a context may be asked for."""
    has_terminals: bool = False
    """Whether :attr:`Step.terminated` is ever true."""

    @property
    def observation_size(self) -> int:
        """Length of the observation vector."""
        return sum(field.size for field in self.observation)

    @property
    def action_size(self) -> int:
        """Length of the action vector."""
        return sum(part.size for part in self.action)

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of all observation entries, as ``field.component``."""
        return tuple(
            f"{field.name}.{component}"
            for field in self.observation
            for component in range(field.size)
        )

    def indices(self, names: tuple[str, ...]) -> list[int]:
        """Returns the places of observation entries.

        Args:
            names: Entries as ``field.component``, or fields; ``*`` is every entry.

        Raises:
            ValueError: names the entry that does not exist, and those that do.
        """
        entries, found = self.entries, list[int]()
        for name in names:
            own = [
                place
                for place, entry in enumerate(entries)
                if name in ("*", entry, entry.rpartition(".")[0])
            ]
            if not own:
                fields = ", ".join(f"{field.name} ({field.size})" for field in self.observation)
                raise ValueError(
                    f"the observation of {self.title} has no entry {name!r}; its fields are "
                    f"{fields}; name a field, or an entry as 'field.component'"
                )
            found += own
        return found


class Step(NamedTuple):
    """The result of one control step in n scenes."""

    observation: Array
    """``(n, O)`` after the step, in raw units."""
    reward: Array
    """``(n,)``; zeros if the world has no reward."""
    terminated: Flags
    """``(n,)``: the task has ended in this state, whose value is 0."""
    ended: Flags
    """``(n,)``: the episode has ended, by a terminal or otherwise. The scene must be reset before
    its next step counts."""
    valid: Flags | None = None
    """``(n,)``: whether the step is one of the world; False after a numerically unstable one, which
    nothing must be learned from. None: all are."""


class World(Protocol):
    """n scenes, stepped together."""

    spec: WorldSpec
    n: int

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids`` (all by default).

        Returns:
            The observation of all scenes ``(n, O)``, in raw units.

        Raises:
            WorldError: The places are no whole numbers, or a scene does not exist.
        """
        ...

    def step(self, action: Array) -> Step:
        """Runs one control step.

        Args:
            action: ``(n, A)``, clipped to [-1, 1].

        Raises:
            WorldError: The actions have another shape, or are not finite.
        """
        ...

    def coordinates(self) -> Array:
        """Returns the exact coordinates ``(n, C)``, without sensor noise."""
        ...

    def hidden(self) -> Array:
        """Returns the hidden quantities ``(n, K)``; K may be 0."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Returns the generators, between two rounds of episodes."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state of :meth:`state_dict`."""
        ...

    def close(self) -> None:
        """Frees processes and physics engines. Further calls have no effect."""
        ...
