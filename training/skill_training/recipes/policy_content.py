"""Content of a policy file that another training begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime as ort
import torch
from onnx import numpy_helper
from torch import Tensor

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


def read_policy(path: Path, *, example: str) -> PolicyContent:
    """Reads a policy file.

    Args:
        path: The ``.onnx`` file.
        example: Such a file, for the message.

    Raises:
        ConfigError: the file does not exist, or holds no policy.
    """
    try:
        model = onnx.load(path)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        manifest = PolicyManifest.from_json(texts.get(METADATA_KEY, ""))
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except ManifestError as error:
        raise ConfigError(f"cannot start from {path}: {error}") from None
    # onnx and onnxruntime raise their own errors, derived from Exception directly.
    except Exception as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ConfigError(
            f"cannot start from {path}: {reason}; give a policy file from `skill-train csf`, such "
            f"as {example}"
        ) from None
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
    }
    return PolicyContent(manifest=manifest, weights=weights, session=session)
