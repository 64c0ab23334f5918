"""Export: a trained policy as one self-describing ONNX file, checked against torch each time."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_training.device import exact_matmul
from skill_training.errors import ExportError
from skill_training.export.graph import PolicyGraph
from skill_training.export.inputs import check_names, random_inputs, zero_states

OPSET = 20
"""The dynamo exporter's own default in torch 2.13, named so that an upgrade does not move it."""

PARITY_TOLERANCE = 1e-5
"""Largest difference allowed between torch and ONNX Runtime, on values of order one."""

PARITY_BATCHES = (1, 64)
PARITY_SAMPLES = 1000

PARITY_STEPS = 100
"""Steps of an episode with recurrent states: 4 s at 25 Hz."""

SEQUENCE_BATCH = 16

T = TypeVar("T")


def export_policy(graph: PolicyGraph, manifest: PolicyManifest, path: Path) -> float:
    """Writes ``path``, replacing it only once the file has been checked against ``graph``.

    Args:
        graph: The policy, on any device; it is left as it is.
        manifest: What the file says about itself.
        path: The ``.onnx`` file.

    Returns:
        The largest difference from torch that was found.

    Raises:
        ExportError: the graph's tensors are not those of the manifest, the exported graph differs
            from ``graph`` by more than :data:`PARITY_TOLERANCE`, or it cannot be written.
    """
    check_names(graph, manifest)
    graph = graph.for_shipping()
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


def parity(graph: PolicyGraph, manifest: PolicyManifest, path: Path) -> float:
    """Largest difference between ``graph`` and the ONNX file, with torch in full float32.

    Measured on :data:`PARITY_SAMPLES` random inputs at each batch size of :data:`PARITY_BATCHES`,
    and, where there are recurrent states, over :data:`PARITY_STEPS` steps in which each side is
    fed its own. Relative to the value where that is above 1.
    """
    session = _session(path)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    with exact_matmul(), torch.no_grad():
        for batch in PARITY_BATCHES:
            inputs = random_inputs(graph, manifest, PARITY_SAMPLES, generator)
            for start in range(0, PARITY_SAMPLES, batch):
                part = tuple(value[start : start + batch] for value in inputs)
                theirs = _run(session, graph, _feed(graph, part))
                worst = max(worst, _difference(graph(*part), theirs))
        if manifest.recurrent:
            worst = max(worst, _sequence_parity(graph, manifest, session, generator))
    return worst


def _sequence_parity(
    graph: PolicyGraph,
    manifest: PolicyManifest,
    session: ort.InferenceSession,
    generator: torch.Generator,
) -> float:
    """Largest difference in episodes in which rounding can add up in the recurrent states."""
    names = [state.name for state in manifest.recurrent]
    ours = zero_states(manifest, SEQUENCE_BATCH)
    theirs = {name: value.numpy() for name, value in ours.items()}
    worst = 0.0
    for _ in range(PARITY_STEPS):
        drawn = random_inputs(graph, manifest, SEQUENCE_BATCH, generator)
        inputs = dict(zip(graph.input_names, drawn, strict=True)) | ours
        here = graph(*(inputs[name] for name in graph.input_names))
        there = _run(session, graph, _feed(graph, drawn) | theirs)
        worst = max(worst, _difference(here, there))
        ours = _next_states(names, graph, here)
        theirs = _next_states(names, graph, there)
    return worst


def _run(
    session: ort.InferenceSession, graph: PolicyGraph, feed: dict[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    # Every output of ours is a dense tensor; ONNX Runtime's signature allows other things.
    return cast("list[NDArray[Any]]", session.run(graph.output_names, feed))


def _feed(graph: PolicyGraph, inputs: tuple[Tensor, ...]) -> dict[str, NDArray[Any]]:
    return {name: value.numpy() for name, value in zip(graph.input_names, inputs, strict=True)}


def _next_states(names: Sequence[str], graph: PolicyGraph, outputs: Sequence[T]) -> dict[str, T]:
    return {name: outputs[graph.output_names.index(f"next_{name}")] for name in names}


def _difference(ours: Sequence[Tensor], theirs: Sequence[NDArray[Any]]) -> float:
    worst = 0.0
    for here, there in zip(ours, theirs, strict=True):
        expected = here.numpy()
        difference = np.abs(expected - there) / np.maximum(np.abs(expected), 1.0)
        worst = max(worst, float(np.nan_to_num(difference, nan=np.inf).max()))
    return worst


def _write(graph: PolicyGraph, manifest: PolicyManifest, path: Path) -> None:
    example = random_inputs(graph, manifest, 2, torch.Generator().manual_seed(0))
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
