"""Export: a trained policy as one self-describing ONNX file, checked against torch each time."""

from __future__ import annotations

import copy
import logging
import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.observation import scales
from skill_training.errors import ExportError
from skill_training.matmul import exact_matmul
from skill_training.policy_graph import GoalGraph, Graph

OPSET = 20
"""The dynamo exporter's own default in torch 2.13, named so that an upgrade does not move it."""

PARITY_TOLERANCE = 1e-5
"""Largest difference allowed between torch and ONNX Runtime, on values of order one."""

PARITY_BATCHES = (1, 64)
PARITY_SAMPLES = 1000


def export_policy(graph: Graph, manifest: PolicyManifest, path: Path) -> float:
    """Writes ``path``, replacing it only once the file has been checked against ``graph``.

    Args:
        graph: The policy, on any device; it is left as it is.
        manifest: What the file says about itself.
        path: The ``.onnx`` file.

    Returns:
        The largest difference from torch that was found.

    Raises:
        ExportError: the exported graph differs from ``graph`` by more than
            :data:`PARITY_TOLERANCE`, or cannot be written.
    """
    graph = _for_shipping(graph)
    temporary = path.with_name(path.name + ".writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(graph, manifest, temporary)
        worst = parity(graph, manifest, temporary)
        if not worst <= PARITY_TOLERANCE:
            raise ExportError(
                f"ONNX and torch differ by {worst:.2e}, more than {PARITY_TOLERANCE:.0e}; "
                f"nothing was written to {path}"
            )
        temporary.replace(path)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error}") from None
    finally:
        temporary.unlink(missing_ok=True)
    return worst


def _for_shipping(graph: Graph) -> Graph:
    """A copy on the CPU, with phi in float64.

    Close to a goal the way there is a small difference of two embeddings, and float32 rounding
    would show in its direction, differently in each runtime.
    """
    shipped = copy.deepcopy(graph).cpu().eval()
    if isinstance(shipped, GoalGraph):
        shipped.representation.double()
    return shipped


def parity(graph: Graph, manifest: PolicyManifest, path: Path) -> float:
    """Largest difference between ``graph`` and the ONNX file on random inputs.

    Half of the inputs ask for a goal. Runs :data:`PARITY_SAMPLES` inputs at each batch size of
    :data:`PARITY_BATCHES`, with torch in full float32.
    """
    session = _session(path)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    with exact_matmul(), torch.no_grad():
        for batch in PARITY_BATCHES:
            inputs = random_inputs(manifest, PARITY_SAMPLES, generator)
            for start in range(0, PARITY_SAMPLES, batch):
                part = tuple(value[start : start + batch] for value in inputs)
                feed = {name: x.numpy() for name, x in zip(graph.input_names, part, strict=True)}
                expected = graph(*part)
                for ours, theirs in zip(
                    expected, session.run(graph.output_names, feed), strict=True
                ):
                    difference = np.abs(ours.numpy() - theirs).max()
                    worst = max(worst, float(np.nan_to_num(difference, nan=np.inf)))
    return worst


def random_inputs(
    manifest: PolicyManifest, n: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """``n`` inputs of the graph in raw units, spread as the observation's fields typically are."""
    scale = torch.as_tensor(scales(manifest.observation_names), dtype=torch.float32)
    observation = torch.randn(n, manifest.observation_size, generator=generator) * scale
    previous_action = 2 * torch.rand(n, manifest.action_size, generator=generator) - 1
    skill = torch.randn(n, manifest.skill.size, generator=generator)
    skill = skill / torch.linalg.vector_norm(skill, dim=1, keepdim=True)
    if manifest.goal is None:
        return observation, previous_action, skill
    low, high = torch.tensor(manifest.goal.low), torch.tensor(manifest.goal.high)
    goal = low + (high - low) * torch.rand(n, manifest.goal_size, generator=generator)
    use_goal = torch.randint(0, 2, (n, 1), generator=generator).float()
    return observation, previous_action, skill, goal, use_goal


def _write(graph: Graph, manifest: PolicyManifest, path: Path) -> None:
    example = random_inputs(manifest, 2, torch.Generator().manual_seed(0))
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    with _quiet_exporter():
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=graph.input_names,
            output_names=graph.output_names,
            dynamic_shapes=tuple({0: batch} for _ in example),
        )
    if program is None:
        raise ExportError("torch.onnx.export returned no program")
    for node in program.model.graph:
        # Stack traces with the paths of whoever trained it have no place in a shipped file.
        node.metadata_props.clear()
    program.model.metadata_props[METADATA_KEY] = manifest.to_json()
    program.save(path, external_data=False)


def _session(path: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet_exporter() -> Generator[None]:
    """Hides what the exporter says about itself; real failures are exceptions."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch 2.13 warns of its own pytree internals and of the shared batch axis.
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*axis name.*", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)
