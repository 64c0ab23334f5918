"""Content of a policy file that another training begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor

from skill_proto.arrays import Array
from skill_proto.files.shipped_models import UnknownModelError, describe_folder, find_model
from skill_proto.manifest import METADATA_KEY, ManifestError, PolicyManifest
from skill_training.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PolicyContent:
    """A policy file in memory."""

    manifest: PolicyManifest
    weights: Mapping[str, Tensor]
    """Weights by their names in the graph."""
    session: ort.InferenceSession
    """The graph on the CPU."""


def find_policy(path: Path, use: str = "start from") -> Path:
    """Returns the file of a policy, which is named by its path, or as a shipped model.

    Args:
        path: The file or the name.
        use: What the policy is for, as "start from", for the message.

    Raises:
        ConfigError: no model has this name.
    """
    try:
        return find_model(path)
    except UnknownModelError as error:
        raise ConfigError(f"cannot {use} {path}: {error}") from None


def kind_of_problem(path: Path) -> str:
    """Returns the reason why a path is no file with content; '' if it is one.

    Args:
        path: Path of a policy file, from :func:`find_policy`.
    """
    if not path.exists():
        return f"there is no such file in {Path.cwd()}"
    if path.is_dir():
        return f"it is {describe_folder(path)}"
    if not path.is_file():
        return "it is not a regular file"
    return "" if path.stat().st_size else "the file is empty"


def read_policy(path: Path, *, example: str, use: str = "start from") -> PolicyContent:
    """Reads a policy file.

    Args:
        path: The ``.onnx`` file, or the name of a model that comes with skill-serve.
        example: Such a file, for the message.
        use: What the policy is for, as "start from", for the message.

    Raises:
        ConfigError: the file does not exist, or holds no policy.
    """
    path = find_policy(path, use)
    if problem := kind_of_problem(path):
        raise ConfigError(
            f"cannot {use} {path}: {problem}; give a policy file from `skill-train csf`, such as "
            f"{example}"
        )
    try:
        model = onnx.load(path)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        manifest = PolicyManifest.from_json(texts.get(METADATA_KEY, ""))
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except ManifestError as error:
        raise ConfigError(f"cannot {use} {path}: {error}") from None
    # onnx and onnxruntime raise their own errors, derived from Exception directly.
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ConfigError(
            f"cannot {use} {path}: {reason}; give a policy file from `skill-train csf`, such "
            f"as {example}"
        ) from None
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
    return PolicyContent(manifest=manifest, weights=weights, session=session)


def skill_towards(
    session: ort.InferenceSession, manifest: PolicyManifest, observation: Array, goal: Array
) -> Array:
    """Returns the skills ``(n, Z)`` with which a policy pursues goals; see :func:`pursue`."""
    return pursue(session, manifest, observation, goal, output="skill_used")


def pursue(
    session: ort.InferenceSession,
    manifest: PolicyManifest,
    observation: Array,
    goal: Array,
    *,
    output: str,
) -> Array:
    """Runs a policy without recurrent state towards goals and returns one of its outputs.

    Args:
        session: Graph of a policy that takes skills and goals.
        manifest: Its manifest.
        observation: ``(n, O)``, raw.
        goal: ``(n, G)``, in the unit of the goals.
        output: Name of the output.
    """
    n = len(observation)
    feed = {
        "observation": observation,
        "previous_action": np.zeros((n, manifest.action_size)),
        "skill": np.zeros((n, manifest.skill.size)),
        "goal": goal,
        "use_goal": np.ones((n, 1)),
    }
    wanted = {tensor.name for tensor in session.get_inputs()}
    inputs = {name: part.astype(np.float32) for name, part in feed.items() if name in wanted}
    return np.asarray(session.run([output], inputs)[0], dtype=np.float64)
