"""PolicyManifest: the whole manifest of a policy file, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator
from pydantic_core import from_json

from skill_proto.manifest.interface import (
    GIVEN_FIELDS,
    ActionPart,
    ObservationField,
    TensorNames,
)
from skill_proto.manifest.parts import (
    Context,
    Evaluation,
    GoalSpace,
    Provenance,
    Range,
    RecurrentState,
    Representation,
    SkillSpace,
)
from skill_proto.plant import ManifestPart, Name, Plant, Positive, SimulatedWorld
from skill_proto.validation_text import clip, describe_errors

METADATA_KEY = "skill_manifest"
"""Key of the manifest in an ONNX file's ``metadata_props``."""

SCHEMA_VERSION = 1
"""The only manifest version that this code reads and writes."""


class ManifestError(ValueError):
    """A manifest is missing, has an unknown version, or contradicts itself."""


class PolicyManifest(ManifestPart):
    """Everything that the runtime must know about a policy file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    algorithm: Name = "unknown"
    description: str = ""
    license: str = "Apache-2.0"
    control_rate_hz: Positive
    observation: Annotated[tuple[ObservationField, ...], Field(min_length=1)]
    action: Annotated[tuple[ActionPart, ...], Field(min_length=1)]
    skill: SkillSpace = SkillSpace(kind="none", size=0)
    goal: GoalSpace | None = None
    recurrent: tuple[RecurrentState, ...] = ()
    context: Context | None = None
    representation: Representation | None = None
    plant: Plant | None = None
    """The arm and table that the policy was trained on; None for one trained in a ``world``."""
    world: SimulatedWorld | None = None
    """The world without an arm that it was trained in; exactly one of the two is given."""
    trained_on: dict[str, Range] = Field(default_factory=dict)
    """Range of each varied quantity seen in training, e.g. 'cube_mass', 'cube_table_friction'."""
    provenance: Provenance = Provenance()
    evaluation: Evaluation | None = None
    tensors: TensorNames = TensorNames()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for kind, parts in (("action", self.action), ("recurrent", self.recurrent)):
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise ValueError(f"{kind} gives a name twice: {names}")
        if (self.plant is None) == (self.world is None):
            raise ValueError("exactly one of plant (of an arm) and world must be given")
        if len({state.beyond_horizon for state in self.recurrent}) > 1:
            raise ValueError("recurrent states differ in beyond_horizon")
        return self

    @model_validator(mode="after")
    def _observation_consistent(self) -> Self:
        sizes = self.given_sizes
        measured: dict[str, ObservationField] = {}
        for field in self.observation:
            given = sizes.get(field.name, field.size)
            if field.size != given:
                raise ValueError(
                    f"observation {field.name!r} has {field.size}, not {given} entries"
                )
            first = measured.setdefault(field.name, field)
            kinds = [(each.size, each.unit, each.frame) for each in (first, field)]
            if field.name not in GIVEN_FIELDS and kinds[0] != kinds[1]:
                raise ValueError(
                    f"observation {field.name!r} is given twice with another size, unit or frame"
                )
        if not self.measured:
            raise ValueError("the observation has no measured field")
        for name in dict.fromkeys(field.input for field in self.observation):
            lengths = {field.history for field in self.observation if field.input == name}
            if self.tensors.history.grouped_by == "step" and len(lengths) > 1:
                raise ValueError(f"fields of {name!r} differ in history, but are grouped by step")
        self._check_goal(measured)
        return self

    def _check_goal(self, measured: Mapping[str, ObservationField]) -> None:
        if self.goal is None:
            return
        field = measured.get(self.goal.field)
        if field is None and "goal" not in measured:
            raise ValueError(f"goal.field {self.goal.field!r} is not an observation field")
        if field is not None and max(self.goal.components) >= field.size:
            raise ValueError(
                f"goal.components exceed the {field.size} entries of {self.goal.field!r}"
            )

    @property
    def given_sizes(self) -> dict[str, int]:
        """Number of entries of the observation fields that the runtime fills in, by name."""
        return {
            "previous_action": self.action_size,
            "goal": self.goal_size,
            "skill": self.skill.size,
        }

    @property
    def measured(self) -> tuple[ObservationField, ...]:
        """The measured observation fields, each once, in order."""
        found = {
            field.name: field
            for field in reversed(self.observation)
            if field.name not in GIVEN_FIELDS
        }
        names = dict.fromkeys(field.name for field in self.observation)
        return tuple(found[name] for name in names if name in found)

    @property
    def is_plain(self) -> bool:
        """Whether the graph takes the measured observation itself."""
        return self.measured == self.observation and all(
            field.is_plain and field.input == "observation" for field in self.observation
        )

    @property
    def observation_size(self) -> int:
        """Length of the measured observation vector; the graph's may differ."""
        return sum(field.size for field in self.measured)

    @property
    def action_size(self) -> int:
        """Length of the action vector."""
        return sum(part.size for part in self.action)

    @property
    def goal_size(self) -> int:
        """Length of the goal vector; 0 if the policy takes no goals."""
        return 0 if self.goal is None else len(self.goal.components)

    @property
    def observation_names(self) -> tuple[str, ...]:
        """Names of the measured observation fields, in order."""
        return tuple(field.name for field in self.measured)

    @property
    def arm_plant(self) -> Plant:
        """The arm and table that the policy was trained on.

        Raises:
            ManifestError: it was trained in a world without an arm.
        """
        if self.plant is None:
            world = "unknown" if self.world is None else self.world.name
            raise ManifestError(
                f"the policy {self.name!r} was trained in the world {world!r}, which has no arm; "
                "run it with skill-eval"
            )
        return self.plant

    def trained_range(self, name: str) -> tuple[float, float] | None:
        """Returns the range of a quantity in ``trained_on``; None if the quantity is not listed."""
        found = self.trained_on.get(name)
        return None if found is None else (found.low, found.high)

    def to_json(self) -> str:
        """Returns the JSON text that travels in the file."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> PolicyManifest:
        """Reads a manifest.

        Raises:
            ManifestError: the text is not JSON, has another version, or has missing or wrong
                fields; the message lists every fault.
        """
        data = text.encode(errors="surrogatepass")
        try:
            raw: object = from_json(data)
        except ValueError as error:
            raise ManifestError(f"the manifest is not JSON: {clip(str(error), 200)}") from None
        if not isinstance(raw, dict):
            raise ManifestError("the manifest must be a JSON object")
        version = cast("dict[str, object]", raw).get("schema_version", "missing")
        if version != SCHEMA_VERSION:
            hint = (
                "upgrade skill-serve to read it"
                if isinstance(version, int) and version > SCHEMA_VERSION
                else "export the policy again"
            )
            raise ManifestError(
                f"manifest schema_version is {clip(str(version), 60)}, but this program reads "
                f"{SCHEMA_VERSION}; {hint}"
            )
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise ManifestError(f"the manifest is not valid: {describe_errors(error)}") from None
