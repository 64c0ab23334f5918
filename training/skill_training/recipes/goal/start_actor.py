"""Initial weights of an actor from the policy file of a skill policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from skill_training.errors import ConfigError
from skill_training.nets.actor import TanhGaussianActor
from skill_training.recipes.policy_content import read_policy, skill_towards

NEARBY_M = 0.1
"""Distance of the probe goals from the middle of the table [m]."""


class SkillFile:
    """Policy file from ``skill-train csf`` or ``metra`` whose policy also takes goals.

    Args:
        path: The ``.onnx`` file.
        observation: Fields that the policy must observe, in order.

    Raises:
        ConfigError: the file does not exist, or holds another kind of policy.
    """

    def __init__(self, path: Path, observation: tuple[str, ...]) -> None:
        self._path = path
        content = read_policy(path, example="csf_panda")
        self._manifest = manifest = content.manifest
        self._session, self._weights = content.session, content.weights
        fits = manifest.observation_names == observation and manifest.skill.size == 2
        if not fits or manifest.goal is None or "actor.body.0.weight" not in self._weights:
            raise ConfigError(
                f"cannot start from {path}: it is not a skill policy that observes "
                f"{', '.join(observation)} and takes goals; give a policy file from "
                "`skill-train csf`"
            )

    def skill_towards(self, goal: tuple[float, float]) -> Tensor:
        """Returns the skill ``(2,)`` for a cube at the origin and a ``goal`` on the table [m]."""
        manifest = self._manifest
        observation = np.zeros((1, manifest.observation_size))
        skills = skill_towards(self._session, manifest, observation, np.array([goal]))
        return torch.from_numpy(skills[0].astype(np.float32))

    def rotation(self) -> Tensor:
        """Returns the map ``(2, 2)`` from a direction on the table to the skill that pushes it."""
        columns = [self.skill_towards((NEARBY_M, 0.0)), self.skill_towards((0.0, NEARBY_M))]
        return torch.stack(columns, dim=1)

    @torch.no_grad()
    def start(self, actor: TanhGaussianActor) -> None:
        """Copies this policy's weights to ``actor``.

        The actor's command must begin with the skill. The weights of further entries of the
        command are set to zero, so that these entries have no effect at first.

        Raises:
            ConfigError: the hidden layers have other sizes, or observations are scaled differently.
        """
        self._check_scale(actor)
        for name, parameter in actor.named_parameters():
            weights = self._weights.get(f"actor.{name}")
            target = parameter
            if name == "body.0.weight" and weights is not None:
                # The command's entries beside the skill come last.
                parameter.zero_()
                target = parameter[:, : weights.shape[1]]
            if weights is None or weights.shape != target.shape:
                raise ConfigError(
                    f"{self._path} has an actor of other sizes: {name} is "
                    f"{None if weights is None else tuple(weights.shape)}, not "
                    f"{tuple(parameter.shape)}; use the file's sizes for --goal.hidden, or another "
                    "file"
                )
            target.copy_(weights)

    def _check_scale(self, actor: TanhGaussianActor) -> None:
        """Refuses a file with another normaliser, behind which its weights would be meaningless."""
        theirs, ours = self._weights.get("actor.normalizer.scale"), actor.normalizer.scale.cpu()
        if theirs is None or not torch.equal(theirs, ours):
            scales = "no scales" if theirs is None else "other scales"
            raise ConfigError(
                f"{self._path} divides its observation by {scales}, unlike this version of "
                "skill-serve; train it again with `skill-train csf`, or use another file"
            )
