"""The skills of a policy file, as a frozen actor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import onnxruntime as ort
import torch
from torch import Tensor

from skill_proto.manifest import PolicyManifest
from skill_training.algorithms.skills import SkillKind
from skill_training.errors import ConfigError
from skill_training.export.graph import TorchPolicy
from skill_training.export.skill_graph import SkillGraph
from skill_training.nets.actor import TanhGaussianActor
from skill_training.nets.mlp import ObservationNormalizer
from skill_training.recipes.policy_content import find_policy, kind_of_problem, read_policy

PREFIX = "actor."
"""Beginning of the names of the actor's weights in a policy file."""


@dataclass(frozen=True, kw_only=True)
class LowLevel:
    """A frozen actor and the manifest of its file."""

    manifest: PolicyManifest
    actor: TanhGaussianActor
    session: ort.InferenceSession | None = None
    """The whole graph of the file; None for skills from a checkpoint."""

    @property
    def kind(self) -> SkillKind:
        """Kind of the skills."""
        kind = self.manifest.skill.kind
        assert kind != "none"
        return kind

    @property
    def skill_size(self) -> int:
        """Z."""
        return self.manifest.skill.size

    def policy(self) -> TorchPolicy:
        """Returns the policy for rollouts, whose actions are the actor's mode."""
        return TorchPolicy(
            SkillGraph(self.actor),
            action_size=self.manifest.action_size,
            skill_size=self.skill_size,
        )

    def state_dict(self) -> dict[str, Any]:
        """Returns manifest and weights, so that the export of a run needs no policy file."""
        return {"manifest": self.manifest.to_json(), "actor": self.actor.state_dict()}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Self:
        """Returns the skills of :meth:`state_dict`."""
        manifest = PolicyManifest.from_json(state["manifest"])
        return cls(manifest=manifest, actor=build_actor(state["actor"], manifest))

    def is_that_of(self, state: Mapping[str, Any]) -> bool:
        """Returns whether :meth:`state_dict` had equal weights."""
        theirs, ours = state["actor"], self.actor.state_dict()
        return theirs.keys() == ours.keys() and all(
            torch.equal(theirs[name].cpu(), value) for name, value in ours.items()
        )


def read_low_level(path: Path) -> LowLevel:
    """Reads the skills of a policy file.

    A run reads it at its start and whenever it goes on: the graph of the file, which ``zero_shot``
    needs, is in no checkpoint.

    Raises:
        ConfigError: the file does not exist, or has no skills of ``skill-train``.
    """
    if problem := kind_of_problem(find_policy(path)):
        raise ConfigError(
            f"cannot start from {path}: {problem}; give a policy file, such as csf_ant. A run that "
            "goes on needs the one with which it began, at this path"
        )
    content = read_policy(path, example="csf_ant")
    weights = {
        name.removeprefix(PREFIX): value
        for name, value in content.weights.items()
        if name.startswith(PREFIX)
    }
    manifest = content.manifest
    if manifest.skill.kind == "none" or manifest.recurrent or "body.0.weight" not in weights:
        raise ConfigError(
            f"cannot start from {path}: it has no skills to choose from; give a policy file from "
            "`skill-train csf`, metra or a baseline of theirs"
        )
    try:
        actor = build_actor(weights, manifest)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"cannot start from {path}: its actor is not one of skill-train ({reason})"
        ) from None
    return LowLevel(manifest=manifest, actor=actor, session=content.session)


def build_actor(weights: Mapping[str, Tensor], manifest: PolicyManifest) -> TanhGaussianActor:
    """Returns the actor with these weights, frozen, on the CPU.

    Raises:
        KeyError, RuntimeError: a weight is missing or has another shape.
    """
    layers = sorted(
        (name for name in weights if name.startswith("body.") and name.endswith(".weight")),
        key=lambda name: int(name.split(".")[1]),
    )
    offset = weights.get("normalizer.offset")
    actor = TanhGaussianActor(
        ObservationNormalizer(
            weights["normalizer.scale"].tolist(), None if offset is None else offset.tolist()
        ),
        skill_size=manifest.skill.size,
        action_size=manifest.action_size,
        hidden=[len(weights[name]) for name in layers[:-1]],
    )
    actor.load_state_dict(dict(weights))
    return actor.requires_grad_(False).eval()
