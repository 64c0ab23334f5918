"""Where a policy was trained: the arm and table, or a world without an arm."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(min_length=1, max_length=128)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ManifestPart(BaseModel):
    """A part of a manifest: frozen, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Plant(ManifestPart):
    """The arm and table that the policy was trained on; docs/plant.md describes each number."""

    robot: Name
    task: Name
    physics_step_s: Positive
    joint_stiffness: tuple[Positive, ...]
    """[N m/rad]."""
    joint_damping: tuple[Positive, ...]
    """[N m s/rad], on the velocity error."""
    max_setpoint_error_m: Positive
    workspace_low_m: tuple[Finite, Finite, Finite]
    workspace_high_m: tuple[Finite, Finite, Finite]
    velocity_limit_share: Annotated[float, Field(gt=0, le=1)]
    """Fraction of the arm's velocity, acceleration and jerk limits in the set-point shaper."""
    displacement_origin: Literal["setpoint", "measured"] = "setpoint"
    """The end effector to which a displacement is added. ``setpoint``: that of the set-point, where
    displacements accumulate. ``measured``: the measured one."""

    @model_validator(mode="after")
    def _lengths_match(self) -> Self:
        if len(self.joint_stiffness) != len(self.joint_damping):
            raise ValueError(
                f"joint_stiffness has {len(self.joint_stiffness)} entries, "
                f"joint_damping {len(self.joint_damping)}"
            )
        return self

    @model_validator(mode="after")
    def _workspace_ordered(self) -> Self:
        low, high = self.workspace_low_m, self.workspace_high_m
        if any(least >= most for least, most in zip(low, high, strict=True)):
            raise ValueError(f"workspace_low_m {low} is not below workspace_high_m {high}")
        return self


class SimulatedWorld(ManifestPart):
    """A world without an arm in which the policy was trained.

    ``skill-eval`` runs it, and ``skill-serve`` refuses the policy.
    """

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """Value of ``skill-train --world``."""
    episode_steps: Annotated[int, Field(ge=1, le=1_000_000)]
    """Control steps of an episode in training."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Further settings of the world in training, as in config.json."""
