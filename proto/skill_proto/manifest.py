"""PolicyManifest: the description that a policy file carries.

The manifest travels as JSON in the ONNX file's ``metadata_props`` under :data:`METADATA_KEY`. It is
the whole contract between training and serving: the inputs and outputs of the graph, the plant that
the policy was trained on, and the conditions under which it was evaluated. docs/policy-file.md
describes every field in prose.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, ValidationError, model_validator
from pydantic_core import from_json

from skill_proto.plant import Finite, ManifestPart, Name, Plant, Positive, SimulatedWorld
from skill_proto.validation_text import clip, describe_errors

METADATA_KEY = "skill_manifest"
"""Key of the manifest in an ONNX file's ``metadata_props``."""

SCHEMA_VERSION = 1
"""The only manifest version that this code reads and writes."""


class ManifestError(ValueError):
    """A manifest is missing, has an unknown version, or contradicts itself."""


class Range(ManifestPart):
    """A closed interval ``[low, high]`` with its unit."""

    low: Finite
    high: Finite
    unit: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} exceeds high {self.high}")
        return self


class ObservationField(ManifestPart):
    """One named slice of the observation vector, in raw physical units."""

    name: Name
    size: Annotated[int, Field(ge=1, le=4096)]
    unit: str
    """SI unit; '1' if dimensionless."""
    frame: str
    """'world', 'joint' or 'none'."""


class ActionPart(ManifestPart):
    """One named slice of the action vector; the policy's output lies in [-1, 1]."""

    name: Literal[
        "end_effector_displacement",
        "joint_displacement",
        "gripper_width_displacement",
        "gripper_width",
        "grasp",
        "actuator_command",
    ]
    size: Annotated[int, Field(ge=1, le=64)]
    scale: Positive
    """Physical value of an action of 1 [``unit`` per control step; of a ``gripper_width`` and of an
    ``actuator_command`` [``unit``]]. A ``gripper_width`` is 0 at an action of -1."""
    unit: str
    frame: str


class SkillSpace(ManifestPart):
    """The skills that a policy was trained on, and how to sample one.

    ``sphere``: a vector drawn from N(0, I), divided by its norm. ``one_hot``: one entry is 1, the
    others are 0. ``none``: the policy takes no skill.
    """

    kind: Literal["sphere", "one_hot", "none"]
    size: Annotated[int, Field(ge=0, le=1024)]
    hold_steps: Annotated[int, Field(ge=1)] = 1
    """Control steps for which training held one skill."""

    @model_validator(mode="after")
    def _size_matches_kind(self) -> Self:
        if (self.kind == "none") != (self.size == 0):
            raise ValueError(f"a skill space of kind {self.kind!r} cannot have size {self.size}")
        return self


class GoalSpace(ManifestPart):
    """Goals that a policy pursues, or that its graph converts to skills (zero-shot reaching)."""

    field: Name
    """Observation field whose desired value the goal is."""
    components: tuple[Annotated[int, Field(ge=0)], ...]
    """Components of the field, in order; their number is the size of the goal input."""
    unit: str
    frame: str
    stop_radius: Positive
    """Distance within which the goal counts as reached [``unit``]; a policy that pursues goals by
    its skills stops there."""
    low: tuple[Finite, ...]
    high: tuple[Finite, ...]
    """``low`` and ``high`` are opposite corners of the box of goals that the runtime accepts."""

    @model_validator(mode="after")
    def _box_matches(self) -> Self:
        n = len(self.components)
        if n == 0 or len(self.low) != n or len(self.high) != n:
            raise ValueError("goal components, low and high must have the same, non-zero length")
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError(f"goal low {self.low} exceeds high {self.high}")
        return self


class RecurrentState(ManifestPart):
    """One recurrent state tensor: output ``next_<name>`` is the next step's input ``name``."""

    name: Name
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    """Shape without the batch axis."""
    trained_horizon_steps: Annotated[int, Field(ge=1)]
    """Longest sequence over which training unrolled the state [control steps]."""
    beyond_horizon: Literal["stagger", "carry"] = "stagger"
    """How serving continues after ``trained_horizon_steps``. ``stagger``: a second (standby) state
    starts half a horizon later and replaces the active one when that reaches the horizon, so no
    state acts at an age that training never saw. ``carry``: the state is kept for ever. All states
    of a policy have the same value."""


class ContextEstimate(ManifestPart):
    """One physical quantity that the encoder estimates, one entry of output ``estimate``."""

    name: Name
    """A name from ``trained_on``, e.g. 'cube_mass'."""
    unit: str
    """SI unit; '1' if dimensionless."""
    log_r2: Finite | None = None
    """Coefficient of determination R2 of the logarithm of the quantity on held-out episodes; None
    if not measured."""


class Context(ManifestPart):
    """The context vector that the policy's encoder infers.

    ``|whitening @ (context - center)| / typical_distance`` is the Mahalanobis distance from the
    contexts of training; above 1 it is unusual. A large distance means that training did not
    produce this state of the encoder. A small distance does not prove that mass and friction lie
    inside the trained range. The distance is calibrated on recurrent states that are at least half
    of the shortest ``trained_horizon_steps`` old, and is undefined for younger ones.
    """

    size: Annotated[int, Field(ge=1, le=1024)]
    center: tuple[Finite, ...] = ()
    """Mean of held-out contexts ``(size,)``; empty if no distance was calibrated."""
    whitening: tuple[tuple[Finite, ...], ...] = ()
    """``(size, size)``: W with ``W^T W`` the inverse of their covariance; empty like ``center``."""
    typical_distance: Positive = 1.0
    """95 % quantile of ``|whitening @ (context - center)|`` over held-out contexts."""
    estimates: tuple[ContextEstimate, ...] = ()
    """The entries of output ``estimate``, in order, in physical units."""
    unidentified: tuple[ContextEstimate, ...] = ()
    """Quantities that varied in training but cannot be estimated from the context; ``log_r2`` is
    the value that an estimate reached."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n, rows = len(self.center), [len(row) for row in self.whitening]
        if (n, rows) != (0, []) and (n, rows) != (self.size, [self.size] * self.size):
            raise ValueError(
                f"center must have {self.size} entries and whitening {self.size} rows of "
                f"{self.size}, or both must be empty; they have {n}, and {len(rows)} rows of "
                f"{set(rows)}"
            )
        names = [estimate.name for estimate in (*self.estimates, *self.unidentified)]
        if len(set(names)) != len(names):
            raise ValueError(f"estimates and unidentified give a name twice: {names}")
        return self


class Representation(ManifestPart):
    """The learned state representation phi behind the skills."""

    inputs: tuple[Name, ...]
    """Observation entries; or ``pixels``, frames of a camera, which are no input of the graph."""
    form: Literal["mlp", "linear", "rotation", "convolution"]
    size: Annotated[int, Field(ge=1)]
    singular_value_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    """Smallest over largest singular value of phi's Jacobian: 1 isotropic, 0 rank-deficient."""


class Provenance(ManifestPart):
    """Origin of the file; enough to repeat the training."""

    command: str
    code_revision: str
    seed: int
    environment_steps: Annotated[int, Field(ge=0)]
    gradient_steps: Annotated[int, Field(ge=0)]
    wall_time_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    created: str
    """ISO 8601, UTC."""
    machine: str
    versions: dict[str, str]
    config: dict[str, Any]


class Evaluation(ManifestPart):
    """The evaluation that the file passed: metrics by name, and the command that computes them."""

    command: str
    metrics: dict[str, float | None]
    """None if a metric is undefined, e.g. a fit to objects that never moved."""


class TensorNames(ManifestPart):
    """Names of a foreign graph's tensors that differ from ours (ours -> theirs)."""

    inputs: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)
    batch_axis: int | None = 0
    """Axis of the batch in every tensor; None for a graph without a batch."""
    action_low: Finite = -1.0
    action_high: Finite = 1.0
    """Upper bound of the graph's action output; [action_low, action_high] is mapped to [-1, 1]."""

    @model_validator(mode="after")
    def _bounds_ordered(self) -> Self:
        if self.action_low >= self.action_high:
            raise ValueError(
                f"action_low {self.action_low} is not below action_high {self.action_high}"
            )
        return self


class PolicyManifest(ManifestPart):
    """Everything that the runtime must know about a policy file."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    algorithm: Name
    description: str
    license: str = "Apache-2.0"
    control_rate_hz: Positive
    observation: Annotated[tuple[ObservationField, ...], Field(min_length=1)]
    action: Annotated[tuple[ActionPart, ...], Field(min_length=1)]
    skill: SkillSpace
    goal: GoalSpace | None = None
    recurrent: tuple[RecurrentState, ...] = ()
    context: Context | None = None
    representation: Representation | None = None
    plant: Plant | None = None
    """The arm and table that the policy was trained on; None for one trained in a ``world``."""
    world: SimulatedWorld | None = None
    """The world without an arm that it was trained in; exactly one of the two is given."""
    trained_on: dict[str, Range]
    """Range of each varied quantity seen in training, e.g. 'cube_mass', 'cube_table_friction'."""
    provenance: Provenance
    evaluation: Evaluation | None = None
    tensors: TensorNames = TensorNames()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for kind, parts in (
            ("observation", self.observation),
            ("action", self.action),
            ("recurrent", self.recurrent),
        ):
            names = [part.name for part in parts]
            if len(set(names)) != len(names):
                raise ValueError(f"{kind} gives a name twice: {names}")
        if (self.plant is None) == (self.world is None):
            raise ValueError("exactly one of plant (of an arm) and world must be given")
        if len({state.beyond_horizon for state in self.recurrent}) > 1:
            raise ValueError("recurrent states differ in beyond_horizon")
        if self.goal is not None:
            size = {field.name: field.size for field in self.observation}.get(self.goal.field)
            if size is None:
                raise ValueError(f"goal.field {self.goal.field!r} is not an observation field")
            if max(self.goal.components) >= size:
                raise ValueError(
                    f"goal.components exceed the {size} entries of {self.goal.field!r}"
                )
        return self

    @property
    def observation_size(self) -> int:
        """Length of the observation vector."""
        return sum(field.size for field in self.observation)

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
        """Names of the observation fields, in order."""
        return tuple(field.name for field in self.observation)

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
