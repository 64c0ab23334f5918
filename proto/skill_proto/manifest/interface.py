"""Inputs and outputs of a graph in physical terms: observation fields, action parts, tensors."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skill_proto.plant import Finite, ManifestPart, Name, Positive

Numbers = Finite | tuple[Finite, ...]
"""One number for all entries of a field, or one per entry."""

GIVEN_FIELDS = ("previous_action", "goal", "skill", "constant")
"""Observation fields that no sensor measures: the runtime has them, or the manifest gives them."""


class ObservationField(ManifestPart):
    """One slice of the graph's observation.

    The graph gets ``clip((x - offset) * scale)`` for a raw value x in physical units. A field named
    ``previous_action``, ``goal`` or ``skill`` is filled in by the runtime, and a ``constant`` by
    its ``offset``, which is passed on unchanged; it has no scale and no clip.
    """

    name: Name
    size: Annotated[int, Field(ge=1, le=4096)]
    """Number of entries of the whole field."""
    unit: str
    """SI unit of the raw value; '1' if dimensionless."""
    frame: str
    """'world', 'joint' or 'none'."""
    components: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Entries of the field that the graph takes, in order; empty for all."""
    offset: Numbers = 0.0
    """Subtracted from the raw value first [``unit``], one number or one per entry of the graph."""
    scale: Numbers = 1.0
    """The difference is multiplied by this, one number or one per entry of the graph."""
    clip: tuple[Finite, Finite] | None = None
    """Bounds of the result."""
    history: Annotated[int, Field(ge=1, le=1024)] = 1
    """Control steps that the graph sees: this one and those before it; see ``tensors.history``."""
    input: Name = "observation"
    """Input of the graph that the field is a part of, by its name in ``tensors.inputs``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.components and max(self.components) >= self.size:
            raise ValueError(f"components of {self.name!r} exceed its {self.size} entries")
        for kind, given in (("offset", self.offset), ("scale", self.scale)):
            if isinstance(given, tuple) and len(given) != self.width:
                raise ValueError(
                    f"{kind} of {self.name!r} has {len(given)} numbers for {self.width} entries"
                )
        if self.name == "constant" and (self.clip is not None or not _all_ones(self.scale)):
            raise ValueError("a constant takes neither scale nor clip; give its value as offset")
        if self.clip is not None and self.clip[0] > self.clip[1]:
            raise ValueError(f"clip of {self.name!r} has low {self.clip[0]} above {self.clip[1]}")
        return self

    @property
    def width(self) -> int:
        """Number of entries that the graph takes of one control step."""
        return len(self.components) or self.size

    @property
    def is_plain(self) -> bool:
        """Whether the graph takes the raw value itself."""
        return self == ObservationField(
            name=self.name, size=self.size, unit=self.unit, frame=self.frame, input=self.input
        )


def _all_ones(numbers: Numbers) -> bool:
    return set(numbers if isinstance(numbers, tuple) else (numbers,)) == {1.0}


class ActionPart(ManifestPart):
    """One named slice of the action vector; the policy's output a lies in [-1, 1].

    The physical value is ``offset + scale * a``; of a displacement per control step. A
    ``gripper_width`` is ``scale * (1 + a) / 2``, and a ``grasp`` closes below 0 and opens to
    ``scale`` from 0 on; parts of the gripper have no offset.
    """

    name: Literal[
        "end_effector_displacement",
        "end_effector_rotation",
        "end_effector_position",
        "end_effector_quaternion",
        "end_effector_euler",
        "joint_displacement",
        "joint_position",
        "joint_velocity",
        "gripper_width_displacement",
        "gripper_width",
        "grasp",
        "actuator_command",
    ]
    size: Annotated[int, Field(ge=1, le=64)]
    scale: Positive | tuple[Positive, ...]
    """Physical value of an action of 1 above ``offset`` [``unit``], one number or one per entry."""
    offset: Numbers = 0.0
    """Physical value of an action of 0 [``unit``], one number or one per entry."""
    unit: str
    frame: str

    @model_validator(mode="after")
    def _lengths_match(self) -> Self:
        for kind, given in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(given, tuple) and len(given) != self.size:
                raise ValueError(
                    f"{kind} of {self.name!r} has {len(given)} numbers for {self.size} entries"
                )
        return self

    @property
    def max_scale(self) -> float:
        """The largest entry of ``scale``."""
        return max(self.scale) if isinstance(self.scale, tuple) else self.scale

    @property
    def max_offset(self) -> float:
        """The largest magnitude in ``offset``."""
        return max(map(abs, self.offset)) if isinstance(self.offset, tuple) else abs(self.offset)


class HistoryLayout(ManifestPart):
    """Order of the observations of several control steps in one input of a graph."""

    grouped_by: Literal["field", "step"] = "field"
    """``field``: all steps of the first field, then all of the second (Isaac Lab, mjlab). ``step``:
    all fields of one step, then those of the next (VecFrameStack of Stable-Baselines3)."""
    newest: Literal["last", "first"] = "last"
    start: Literal["repeat", "zero"] = "repeat"
    """The steps before the first one of an episode: the first observation, or zeros."""


class TensorNames(ManifestPart):
    """Names of a foreign graph's tensors that differ from ours (ours -> theirs)."""

    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    batch_axis: int | None = 0
    """Axis of the batch in every tensor; None for a graph without a batch."""
    action_low: Finite = -1.0
    action_high: Finite = 1.0
    """Upper bound of the graph's action output; [action_low, action_high] is mapped to [-1, 1]."""
    history: HistoryLayout = HistoryLayout()

    @model_validator(mode="after")
    def _bounds_ordered(self) -> Self:
        if self.action_low >= self.action_high:
            raise ValueError(
                f"action_low {self.action_low} is not below action_high {self.action_high}"
            )
        return self
