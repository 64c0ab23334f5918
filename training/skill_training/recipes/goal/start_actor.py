"""Starting an actor from the policy file of a skill policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor

from skill_proto.manifest import METADATA_KEY, ManifestError, PolicyManifest
from skill_training.errors import ConfigError
from skill_training.nets.actor import TanhGaussianActor

NEARBY_M = 0.1


class SkillFile:
    """A goal-taking skill policy from ``skill-train csf`` or ``metra``.

    Args:
        path: The ``.onnx`` file.
        observation: Fields that the policy must observe, in order.

    Raises:
        ConfigError: there is no such file, or it is not such a policy.
    """

    def __init__(self, path: Path, observation: tuple[str, ...]) -> None:
        self._path = path
        try:
            model = onnx.load(path)
            texts = {entry.key: entry.value for entry in model.metadata_props}
            self._manifest = PolicyManifest.from_json(texts.get(METADATA_KEY, ""))
            self._session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        except ManifestError as error:
            raise ConfigError(f"cannot start from {path}: {error}") from None
        # onnx and onnxruntime raise errors of their own, derived from Exception directly.
        except Exception as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ConfigError(
                f"cannot start from {path}: {reason}; give a file of `skill-train csf`, such as "
                "models/csf_panda.onnx"
            ) from None
        self._weights: Mapping[str, Tensor] = {
            tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
            for tensor in model.graph.initializer
        }
        manifest = self._manifest
        fits = manifest.observation_names == observation and manifest.skill.size == 2
        if not fits or manifest.goal is None or "actor.body.0.weight" not in self._weights:
            raise ConfigError(
                f"cannot start from {path}: it is no skill policy that observes "
                f"{', '.join(observation)} and takes goals"
            )

    def skill_towards(self, way: tuple[float, float]) -> Tensor:
        """The skill ``(2,)`` with which the policy would push from the table's middle this way."""
        manifest = self._manifest
        zeros = {
            "observation": (1, manifest.observation_size),
            "previous_action": (1, manifest.action_size),
            "skill": (1, manifest.skill.size),
        }
        feed = {name: np.zeros(shape, np.float32) for name, shape in zeros.items()}
        feed["goal"] = np.array([way], np.float32)
        feed["use_goal"] = np.ones((1, 1), np.float32)
        wanted = {tensor.name for tensor in self._session.get_inputs()}
        values = self._session.run(
            ["skill_used"], {name: value for name, value in feed.items() if name in wanted}
        )
        return torch.from_numpy(np.asarray(values[0])[0].copy())

    def rotation(self) -> Tensor:
        """``(2, 2)`` from a direction on the table to the skill that pushes there."""
        columns = [self.skill_towards((NEARBY_M, 0.0)), self.skill_towards((0.0, NEARBY_M))]
        return torch.stack(columns, dim=1)

    @torch.no_grad()
    def start(self, actor: TanhGaussianActor) -> None:
        """Gives ``actor`` this policy's weights; whatever else it is given starts without effect.

        The actor's command must begin with the skill.

        Raises:
            ConfigError: the hidden layers have other sizes, or observations are scaled differently.
        """
        self._check_scale(actor)
        for name, parameter in actor.named_parameters():
            weights = self._weights.get(f"actor.{name}")
            target = parameter
            if name == "body.0.weight" and weights is not None:
                # What the command holds beside the skill comes last.
                parameter.zero_()
                target = parameter[:, : weights.shape[1]]
            if weights is None or weights.shape != target.shape:
                raise ConfigError(
                    f"{self._path} has an actor of other sizes: {name} is "
                    f"{None if weights is None else tuple(weights.shape)}, not "
                    f"{tuple(parameter.shape)}; take its --goal.hidden, or another file"
                )
            target.copy_(weights)

    def _check_scale(self, actor: TanhGaussianActor) -> None:
        """Its weights are worth nothing behind another normalisation."""
        theirs, ours = self._weights.get("actor.normalizer.scale"), actor.normalizer.scale.cpu()
        if theirs is None or not torch.equal(theirs, ours):
            raise ConfigError(
                f"{self._path} divides its observation by "
                f"{'nothing' if theirs is None else 'other scales'} than this version of "
                "skill-serve; train it again with `skill-train csf`, or take another file"
            )
