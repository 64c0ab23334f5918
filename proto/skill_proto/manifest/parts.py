"""Parts of a manifest about training: skills, goals, states, context and origin."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from skill_proto.plant import Finite, ManifestPart, Name, Positive


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
    """Observation field whose desired value the goal is. The policy need not observe it, if its
    observation has the field ``goal``."""
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
    batch_axis: Annotated[int, Field(ge=0, le=8)] | None = None
    """Axis of the batch in this state's tensors, if it differs from ``tensors.batch_axis``."""
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
    action_r2: dict[str, float] = Field(default_factory=dict)
    """The test that selected ``inputs``: how well the last actions explain the change of each
    observation entry in a control step (adjusted R2). Empty if no test selected them."""


class Provenance(ManifestPart):
    """Origin of the file; enough to repeat the training. A foreign policy may lack any entry."""

    command: str = "unknown"
    code_revision: str = "unknown"
    seed: int = 0
    environment_steps: Annotated[int, Field(ge=0)] = 0
    gradient_steps: Annotated[int, Field(ge=0)] = 0
    wall_time_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    created: str = "unknown"
    """ISO 8601, UTC."""
    machine: str = "unknown"
    versions: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)


class Evaluation(ManifestPart):
    """The evaluation that the file passed: metrics by name, and the command that computes them."""

    command: str
    metrics: dict[str, float | None]
    """None if a metric is undefined, e.g. a fit to objects that never moved."""
